package dbfleet

import (
	"context"
	"crypto/rand"
	"errors"
	"sync/atomic"
	"time"
)

// lease is the right of one process at a time to do some work, kept in a row of a table
// with the columns id, owner, beat and lasts. Its holder counts beat up again and again.
// Who wants it takes it when it is free, or when it has seen the same beat for as long as
// it lasts. Each process measures by its own clock, and none reads another's.
type lease struct {
	db    *DB
	table string
	time  time.Duration
	owner string // another at each taking: what is late of an old one finds it no more
	taken time.Time
}

func newLease(db *DB, table string, d time.Duration) *lease {
	return &lease{db: db, table: table, time: d}
}

// leaseRow is the row. Lasts is the time of its holder in milliseconds, which others
// respect: processes may be configured differently.
type leaseRow struct {
	ID    int64
	Owner string
	Beat  int64
	Lasts int64
}

func (r leaseRow) lasts() time.Duration { return time.Duration(r.Lasts) * time.Millisecond }

func (l *lease) row() *Query[Row] { return l.db.Table(l.table).Primary().Where("id", "=", 1) }

// take waits until the lease is this one's. ok is false when another has held it, alive,
// for twice its time.
func (l *lease) take(ctx context.Context) (ok bool, err error) {
	ctx = OutsideTx(ctx)
	before := l.owner // its taking may have had an unknown outcome
	began := time.Now()
	var seen leaseRow
	tick := time.NewTicker(l.time / 10)
	defer tick.Stop()
	for since := began; ; {
		asked := time.Now()
		now, err := Into[leaseRow](l.row()).First(ctx)
		switch {
		case errors.Is(err, ErrNotFound):
			if err := l.db.Table(l.table).Upsert(ctx, Row{"id": 1, "owner": "", "beat": 0, "lasts": 0}, Conflict{DoNothing: true}); err != nil {
				return false, err
			}
			continue
		case err != nil:
			return false, err
		}
		if now != seen {
			seen, since = now, time.Now()
		}
		lasts := max(l.time, now.lasts())
		if now.Owner == "" || now.Owner == before || asked.Sub(since) >= lasts {
			if ok, err := l.swap(ctx, now); ok || err != nil {
				return ok, err
			}
			continue
		}
		if time.Since(began) >= 2*lasts {
			return false, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}

// swap takes the lease if nothing has changed since the row was seen.
func (l *lease) swap(ctx context.Context, seen leaseRow) (bool, error) {
	l.owner, l.taken = rand.Text(), time.Now()
	n, err := l.row().Where("owner", "=", seen.Owner).Where("beat", "=", seen.Beat).
		Update(ctx, Row{"owner": l.owner, "beat": seen.Beat + 1, "lasts": l.time.Milliseconds()})
	return n == 1, err
}

// freeTimeout bounds what is still written when a context has ended.
const freeTimeout = time.Second

// lateContext is ctx, or a second more if it has ended.
func lateContext(ctx context.Context) (context.Context, context.CancelFunc) {
	if ctx.Err() == nil {
		return ctx, func() {}
	}
	return context.WithTimeout(context.WithoutCancel(ctx), freeTimeout)
}

// hold calls do while the lease is this one's. The context that do gets ends early when
// the lease can no longer be counted on: before another may have taken it.
func (l *lease) hold(outer context.Context, do func(ctx context.Context) error) error {
	ctx, cancel := context.WithCancelCause(outer)
	alive := make(chan struct{})
	var beating atomic.Pointer[error]
	go func() {
		defer close(alive)
		if err := l.beat(ctx); err != nil {
			beating.Store(&err)
			cancel(err)
		}
	}()
	defer func() { // also when do ends in a panic
		cancel(nil)
		<-alive
	}()
	err := do(ctx)
	cancel(nil)
	<-alive
	if lost := beating.Load(); lost != nil {
		if errors.Is(err, *lost) {
			return err
		}
		return errors.Join(err, *lost)
	}
	late, end := lateContext(outer)
	defer end()
	_, freeErr := l.row().Where("owner", "=", l.owner).Update(OutsideTx(late), Row{"owner": ""})
	return errors.Join(err, freeErr)
}

var errLeaseLost = errors.New("dbfleet: the lease could not be kept: another process may have it")

// beat counts the beat up until ctx ends. It fails after two thirds of the lease's time
// without success, or when another has the lease.
func (l *lease) beat(ctx context.Context) error {
	ctx = OutsideTx(ctx)
	tick := time.NewTicker(l.time / 6)
	defer tick.Stop()
	last := l.taken
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		once, cancel := context.WithDeadline(ctx, last.Add(l.time*2/3))
		sent := time.Now()
		n, err := l.row().Where("owner", "=", l.owner).Increment(once, "beat", 1)
		cancel()
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil && n == 0:
			return errLeaseLost
		case err == nil:
			last = sent
		case time.Since(last) >= l.time*2/3:
			return errors.Join(errLeaseLost, err)
		}
	}
}
