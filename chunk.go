package dbfleet

import (
	"context"
	"errors"
	"runtime"
	"sync"
)

// Chunk reads the rows of a query, size at a time, and gives them to do, until there are
// no more or do returns an error, which is Chunk's own then.
//
//	err := dbfleet.Chunk(ctx, users.Where("active", "=", false), 500, func(ctx context.Context, list []User) error {
//		_, err := users.WhereIn("id", idsOf(list)).Delete(ctx)
//		return err
//	})
//
// Each chunk begins behind the last row of the one before, by the values that this had in
// the query's order when it was read; without an order that is the primary key. So rows
// that do deletes, or changes so that the query's conditions no longer find them, make
// none be skipped, as with Offset they would. Rows that come behind that place while Chunk
// runs are read, those that come before it are not; a row that is moved in the order, by a
// change of its columns, may come twice or not at all: order by what does not change.
//
// Each chunk is a statement of its own, which reads one row more than it gives, and no
// connection is held while do runs. Relations of With are loaded for each chunk. What
// cannot be read so is as with CursorPage: joins, groups, unions, limits, orders by SQL.
// The list is do's to keep.
func Chunk[T any](ctx context.Context, q *Query[T], size int, do func(ctx context.Context, list []T) error) error {
	if do == nil {
		return (*query)(q).missingFunction("Chunk")
	}
	var list []T
	v := (*query)(q).paging(&list)
	v.keep = func(n int) { list = list[:n:n] }
	return v.chunks(ctx, "Chunk", size, func() error { return do(ctx, list) })
}

// ChunkParallel is Chunk for which several workers, at most that many at once, take the
// chunks, each the next one that was read. It returns when all of them have. At most one
// chunk for each worker and another one are in memory.
//
// The first error ends the context that the others have, and no further chunk is given
// out; it is what ChunkParallel returns. A panic in do is carried over to the caller once
// the others have returned, as is runtime.Goexit.
//
// A transaction runs one statement at a time, so that nothing of it would be parallel:
// inside of one on the query's connection ChunkParallel is refused. A worker may begin
// one of its own.
func ChunkParallel[T any](ctx context.Context, q *Query[T], size, workers int, do func(ctx context.Context, list []T) error) error {
	if do == nil {
		return (*query)(q).missingFunction("ChunkParallel")
	}
	if err := (*query)(q).parallel(ctx, workers); err != nil {
		return told(err)
	}
	var list []T
	v := (*query)(q).paging(&list)
	v.keep = func(n int) { list = list[:n:n] }
	c := newCrew(ctx, workers)
	c.run(func() error {
		return v.chunks(c.ctx, "ChunkParallel", size, func() error {
			own := list
			return c.give(func(ctx context.Context) error { return do(ctx, own) })
		})
	})
	return c.result()
}

func (q *query) missingFunction(verb string) error {
	if err := q.usable(); err != nil {
		return told(err)
	}
	return told(q.src.table.Fail("%s: the function is nil", verb))
}

// parallel refuses what workers cannot share.
func (q *query) parallel(ctx context.Context, workers int) error {
	if err := q.usable(); err != nil {
		return err
	}
	if workers < 1 {
		return q.src.table.Fail("ChunkParallel takes at least one worker, not %d", workers)
	}
	if ctx == nil {
		return noContext("")
	}
	narrowed, err := q.narrowed(ctx)
	if err != nil {
		return err
	}
	to, err := narrowed.destination()
	if err != nil {
		return err
	}
	if q.wish().tx != nil || txOf(ctx, q.src.reg, to.connection) != nil {
		return q.src.table.Fail("ChunkParallel inside of a transaction: it runs one statement at a time; use Chunk")
	}
	return nil
}

// chunks reads chunk after chunk, and calls do with each.
func (v *paging) chunks(ctx context.Context, verb string, size int, do func() error) error {
	if err := v.ordered(verb); err != nil {
		return told(err)
	}
	t, q := v.q.src.table, v.q
	if size < 1 {
		return told(t.Fail("%s takes at least one row at a time, not %d", verb, size))
	}
	v.size = size
	for {
		if err := v.ask(ctx, q); err != nil {
			return err
		}
		more := v.rows > v.size
		v.part.After = v.last
		if v.rows == 0 {
			return nil
		}
		if err := do(); err != nil || !more {
			return err
		}
	}
}

// crew are workers that take work from one who gives it out.
type crew struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	work   chan func(ctx context.Context) error
	group  sync.WaitGroup

	mu       sync.Mutex // protects following fields
	err      error      // the first
	panicked bool
	panic    any
	exited   bool
}

var errCrewEnded = errors.New("a worker has ended")

func newCrew(ctx context.Context, workers int) *crew {
	c := &crew{work: make(chan func(context.Context) error)}
	c.ctx, c.cancel = context.WithCancelCause(ctx)
	for range workers {
		c.group.Go(func() {
			for do := range c.work {
				c.try(func() error { return do(c.ctx) })
			}
		})
	}
	return c
}

// try calls f and keeps what went wrong.
func (c *crew) try(f func() error) {
	returned := false
	defer func() {
		if returned {
			return
		}
		v := recover() // nil is runtime.Goexit, which ends this worker
		c.mu.Lock()
		defer c.mu.Unlock()
		switch {
		case v == nil:
			c.exited = true
		case !c.panicked:
			c.panicked, c.panic = true, v
		}
		c.cancel(errCrewEnded)
	}()
	err := f()
	returned = true
	c.fail(err)
}

func (c *crew) fail(err error) {
	if err == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil && !c.panicked && !c.exited {
		c.err = err
	}
	c.cancel(err)
}

// give waits for a worker who takes f.
func (c *crew) give(f func(ctx context.Context) error) error {
	select {
	case <-c.ctx.Done():
		return context.Cause(c.ctx)
	default:
	}
	select {
	case c.work <- f:
		return nil
	case <-c.ctx.Done():
		return context.Cause(c.ctx)
	}
}

// run gives out work, and waits for all workers, also if that panics.
func (c *crew) run(give func() error) {
	defer c.cancel(nil)
	defer c.group.Wait()
	defer close(c.work)
	c.fail(give())
}

// result is the first error, or the panic of a worker.
func (c *crew) result() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.panicked:
		panic(c.panic)
	case c.exited:
		runtime.Goexit()
	}
	return c.err
}

// relatedChunk is how many rows Iter reads at a time where it loads relations.
const relatedChunk = 500

var errLoopEnded = errors.New("the loop has ended")

// eachChunk is each for rows with relations, which are read in chunks.
func (q *query) eachChunk(ctx context.Context, row any, yield func() bool) (err error, broken bool) { //nolint:revive // two results, of which one is the loop's
	if err := q.usable(); err != nil {
		return told(err), false
	}
	plan := q.src.table.Plan
	if plan == nil {
		return told(q.src.table.Fail("rows without a struct have no relations")), false
	}
	list := plan.NewList()
	v := q.paging(list)
	v.keep = func(n int) { plan.Cut(list, n) }
	err = v.chunks(ctx, "Iter with relations", relatedChunk, func() error {
		records := plan.Records(list)
		for i := range records.N {
			plan.Copy(row, records.At(i))
			if !yield() {
				return errLoopEnded
			}
		}
		return nil
	})
	if errors.Is(err, errLoopEnded) {
		return nil, true
	}
	return err, false
}
