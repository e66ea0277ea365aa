package dbfleet

import (
	"context"
	"crypto/rand"
	"errors"
	"sync/atomic"
	"time"
)

// lease is the right of one process at a time to do some work, kept in a row of a table
// with the columns id, owner and beat. Its holder counts beat up again and again. Who
// wants it takes it when it is free, or when it has seen the same beat for the whole of
// the lease's time. Each process measures by its own clock, and none reads another's.
type lease struct {
	db    *DB
	table string
	time  time.Duration
	owner string
}

func newLease(db *DB, table string, d time.Duration) *lease {
	return &lease{db: db, table: table, time: d, owner: rand.Text()}
}

type leaseRow struct {
	ID    int64
	Owner string
	Beat  int64
}

func (l *lease) row() *Query[Row] { return l.db.Table(l.table).Primary().Where("id", "=", 1) }

// take waits until the lease is this one's. ok is false when another has held it, alive,
// for the whole of the lease's time.
func (l *lease) take(ctx context.Context) (ok bool, err error) {
	ctx = OutsideTx(ctx)
	began := time.Now()
	var seen leaseRow
	tick := time.NewTicker(max(l.time/10, time.Millisecond))
	defer tick.Stop()
	for since := began; ; {
		now, err := Into[leaseRow](l.row()).First(ctx)
		switch {
		case errors.Is(err, ErrNotFound):
			if err := l.db.Table(l.table).Upsert(ctx, Row{"id": 1, "owner": "", "beat": 0}, Conflict{DoNothing: true}); err != nil {
				return false, err
			}
			continue
		case err != nil:
			return false, err
		}
		if now != seen {
			seen, since = now, time.Now()
		}
		if now.Owner == "" || time.Since(since) >= l.time {
			if ok, err := l.swap(ctx, now, l.owner); ok || err != nil {
				return ok, err
			}
			continue
		}
		if time.Since(began) >= 2*l.time {
			return false, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}

// swap makes owner the holder if nothing has changed since the row was seen.
func (l *lease) swap(ctx context.Context, seen leaseRow, owner string) (bool, error) {
	n, err := l.row().Where("owner", "=", seen.Owner).Where("beat", "=", seen.Beat).Update(ctx, Row{"owner": owner, "beat": seen.Beat + 1})
	return n == 1, err
}

// hold calls do while the lease is this one's. The context that do gets ends early when
// the lease can no longer be counted on: before another may have taken it.
func (l *lease) hold(ctx context.Context, do func(ctx context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	alive := make(chan struct{})
	var beating atomic.Pointer[error]
	go func() {
		defer close(alive)
		if err := l.beat(ctx); err != nil {
			beating.Store(&err)
			cancel(err)
		}
	}()
	err := do(ctx)
	cancel(nil)
	<-alive
	free, end := context.WithTimeout(context.WithoutCancel(ctx), l.time)
	defer end()
	if lost := beating.Load(); lost != nil {
		return errors.Join(err, *lost)
	}
	_, freeErr := l.row().Where("owner", "=", l.owner).Update(OutsideTx(free), Row{"owner": ""})
	return errors.Join(err, freeErr)
}

var errLeaseLost = errors.New("dbfleet: the lease could not be kept: another process may have it")

// beat counts the beat up until ctx ends. It fails after two thirds of the lease's time
// without success, or when another has the lease.
func (l *lease) beat(ctx context.Context) error {
	ctx = OutsideTx(ctx)
	tick := time.NewTicker(l.time / 6)
	defer tick.Stop()
	last := time.Now()
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
