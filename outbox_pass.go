package dbfleet

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"
)

// pass is one pass of a delivery.
type pass struct {
	*delivery

	mu        sync.Mutex // protects following fields
	delivered int
	stopped   map[string]bool // keys of which an event was refused
	drained   []string        // keys of which no event is left, as far as was read
	err       error           // of the first refusal
}

// eventsAtOnce is how many events are read at once.
const eventsAtOnce = 200

// all reads up to the last event that is there at the beginning, and no further. What
// comes later may stand behind one of its key that is not committed yet, with a number
// that the pass has gone by.
func (p *pass) all(ctx context.Context) error {
	top, err := Into[struct{ ID int64 }](p.table().Select("id").OrderBy("id", Desc)).First(ctx)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	for last := int64(0); ; {
		rows, err := p.read(ctx, last, top.ID)
		if err != nil {
			return err
		}
		if err := p.deliver(ctx, rows); err != nil {
			return err
		}
		if len(rows) < eventsAtOnce {
			return nil
		}
		last = rows[len(rows)-1].ID
	}
}

func (p *pass) table() *Query[Row] { return p.o.db.Table(p.o.table).Primary() }

// read returns events behind an id, without those that wait for one that was set aside.
func (p *pass) read(ctx context.Context, last, top int64) ([]outboxRow, error) {
	aside := p.table().Select("event_key").Where("failed", "=", 1).Where("event_key", "<>", "")
	return Into[outboxRow](p.table().Where("id", ">", last).Where("id", "<=", top).Where("failed", "=", 0).WhereNotIn("event_key", aside).
		OrderBy("id", Asc).Limit(eventsAtOnce)).Get(ctx)
}

// deliver gives events to the handler, those of one key one after the other.
func (p *pass) deliver(ctx context.Context, rows []outboxRow) error {
	queues, order := map[string][]outboxRow{}, []string{}
	for _, row := range rows {
		name := "k" + row.EventKey
		if row.EventKey == "" {
			name = "u" + row.UID
		}
		if queues[name] == nil {
			order = append(order, name)
		}
		queues[name] = append(queues[name], row)
	}
	work := make(chan []outboxRow)
	errs := make(chan error, p.options.Workers)
	workers := min(p.options.Workers, len(order))
	for range workers {
		go func() {
			var err error
			for queue := range work {
				if err == nil {
					err = p.queue(ctx, queue)
				}
			}
			errs <- err
		}()
	}
	for _, name := range order {
		work <- queues[name]
	}
	close(work)
	var err error
	for range workers {
		if one := <-errs; err == nil {
			err = one // the others are likely to say the same
		}
	}
	if err == nil {
		err = p.forget(ctx)
	}
	return err
}

// queue delivers events of one key, until one is refused. Its error is the database's.
func (p *pass) queue(ctx context.Context, rows []outboxRow) error {
	for i := range rows {
		row := &rows[i]
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if !p.due(row) {
			return nil
		}
		e := row.event()
		if err := p.handle(ctx, e); err != nil {
			if ctx.Err() != nil { // the end of the pass is no refusal
				return context.Cause(ctx)
			}
			toldErr := apart(func() error { p.options.OnError(ctx, e, err); return nil })
			return p.refuse(ctx, row, errors.Join(err, toldErr))
		}
		if err := p.taken(ctx, row); err != nil {
			return err
		}
	}
	if key := rows[0].EventKey; key != "" {
		p.mu.Lock()
		p.drained = append(p.drained, key)
		p.mu.Unlock()
	}
	return nil
}

// taken deletes an event that the handler has taken, also when the pass has ended
// meanwhile: it would come again.
func (p *pass) taken(ctx context.Context, row *outboxRow) error {
	late, end := lateContext(ctx)
	defer end()
	if _, err := p.o.db.Table(p.o.table).Where("id", "=", row.ID).Delete(late); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delivered++
	return nil
}

// due says whether an event may be given to the handler now; those of its key behind it
// may not when it may not.
func (p *pass) due(row *outboxRow) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if row.EventKey != "" && p.stopped[row.EventKey] {
		return false
	}
	if until, ok := p.paused[row.ID]; ok && time.Now().Before(until) {
		if row.EventKey != "" {
			p.stopped[row.EventKey] = true
		}
		return false
	}
	return true
}

var (
	errCallPanicked = errors.New("panicked")
	errCallExited   = errors.New("ended its goroutine")
)

// handle calls the handler. A panic is a refusal: the other events go on.
func (p *pass) handle(ctx context.Context, e Event) error {
	return apart(func() error { return p.handler(ctx, e) })
}

// apart calls a function of the program on a goroutine of its own, and waits for it. One
// that the function ends, as the failure of a test does, is then no worker. Its panic is
// an error.
func apart(f func() error) error {
	ended := make(chan error, 1)
	go func() {
		err := errorf("the function %w", errCallExited)
		defer func() {
			if v := recover(); v != nil {
				err = errorf("the function %w: %v", errCallPanicked, v)
			}
			ended <- err
		}()
		err = f()
	}()
	return <-ended
}

// maxPause is the longest pause before an event that was refused comes again.
const maxPause = time.Minute

// refuse notes that the handler has refused an event.
func (p *pass) refuse(ctx context.Context, row *outboxRow, cause error) error {
	attempts := row.Attempts + 1
	failed := 0
	if p.options.MaxAttempts > 0 && attempts >= p.options.MaxAttempts {
		failed = 1
	}
	p.mu.Lock()
	if row.EventKey != "" {
		p.stopped[row.EventKey] = true
	}
	if p.err == nil {
		p.err = errorf("event %q of topic %q: %w", row.UID, row.Topic, cause)
	}
	if p.paused != nil {
		p.paused[row.ID] = time.Now().Add(min(time.Second<<min(attempts-1, 10), maxPause))
		if failed == 1 {
			delete(p.paused, row.ID)
		}
	}
	p.mu.Unlock()
	_, err := p.o.db.Table(p.o.table).Where("id", "=", row.ID).
		Update(ctx, Row{"attempts": attempts, "failed": failed, "failure": failureText(cause)})
	return err
}

// forget deletes the rows of keys that have no event any more. Those that someone holds,
// to add an event, are left: another time they go. It waits for nobody.
func (p *pass) forget(ctx context.Context) error {
	if len(p.drained) == 0 {
		return nil
	}
	keys := p.drained
	p.drained = nil
	err := p.o.db.Transaction(ctx, func(ctx context.Context, _ *Tx) error {
		table := p.o.db.Table(p.o.table + "_keys")
		q := table.Select("event_key").WhereIn("event_key", keys)
		if p.o.db.Driver() != SQLite {
			q = q.ForUpdateSkipLocked()
		}
		type key struct{ EventKey string }
		held, err := Into[key](q).Get(ctx)
		if err != nil || len(held) == 0 {
			return err
		}
		empty := map[string]bool{}
		for _, k := range held {
			empty[k.EventKey] = true
		}
		// After the locks, so that it sees what those who had them have committed.
		used, err := Into[key](p.table().Select("event_key").Distinct().WhereIn("event_key", slices.Collect(maps.Keys(empty)))).Get(ctx)
		if err != nil {
			return err
		}
		for _, k := range used {
			delete(empty, k.EventKey)
		}
		if len(empty) == 0 {
			return nil
		}
		_, err = table.WhereIn("event_key", slices.Collect(maps.Keys(empty))).Delete(ctx)
		return err
	})
	if IsRetryable(err) {
		return nil // it goes another time
	}
	return err
}
