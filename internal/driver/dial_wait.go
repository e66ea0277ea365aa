package driver

import (
	"context"
	"time"
)

// dialWait is what one caller does who has no connection until he has one: he waits for room,
// then for his dial, and takes what others have left as soon as it is there.
type dialWait struct {
	pool  *Pool
	outer context.Context //nolint:containedctx // the caller's, for the time of the call
	a     *acquireCtx     // nil for none
	alone bool
	came  <-chan struct{} // see left; nil for who takes none

	// patience is the time for waiting, of the budget and for a slot together, silence that of
	// the server while nobody gets an answer. They begin with the first wait of their kind.
	patience, silence *time.Timer
	answers           uint64
}

// bound is how long the caller waits for a free connection, 0 for no bound of his own.
func (w *dialWait) bound() time.Duration {
	if w.a == nil {
		return 0
	}
	return w.a.wait
}

func (w *dialWait) stop() {
	for _, t := range [...]*time.Timer{w.patience, w.silence} {
		if t != nil {
			t.Stop()
		}
	}
}

// waits is the channel of patience.
func (w *dialWait) waits() <-chan time.Time {
	if w.patience == nil && w.bound() > 0 {
		w.patience = time.NewTimer(w.bound())
	}
	return channelOf(w.patience)
}

// channelOf is a timer's channel, that of no timer gives nothing.
func channelOf(t *time.Timer) <-chan time.Time {
	if t == nil {
		return nil
	}
	return t.C
}

// budget waits until the budget of several pools has room for a connection, or takes one that
// was left.
func (w *dialWait) budget(ctx context.Context, doubted bool) (*conn, error) {
	if w.pool.budget == nil || w.pool.budget.TryTake(doubted) {
		return nil, nil
	}
	for {
		left, err := w.pool.takeBudget(ctx, w, doubted)
		if err != nil || !left {
			return nil, err
		}
		if c := w.pool.left.pick(ctx); c != nil {
			return c, nil
		}
	}
}

// slot waits for one of the slots for dials, and until the pool may have one more connection,
// or takes one that was left. The time is the pool's own, which bounds it as any wait for a
// connection, as long as the server answers others: when it has answered nobody for
// ConnectTimeout, it is the server's silence.
func (w *dialWait) slot(ctx context.Context) (*conn, error) {
	p := w.pool
	select {
	case p.dials <- struct{}{}:
		if w.reserve() {
			return nil, nil
		}
		<-p.dials
	default:
	}
	p.left.makeWay(false)
	look := time.NewTicker(lookAround)
	defer look.Stop()
	if w.silence == nil && p.timeout > 0 {
		w.silence, w.answers = time.NewTimer(p.timeout), p.answers.Load()
	}
	full := false
	for {
		dials := p.dials
		if full {
			dials = nil
		}
		select {
		case dials <- struct{}{}:
			if w.reserve() {
				return nil, nil
			}
			<-p.dials
			full = true
		case <-w.came:
			if c := p.left.pick(ctx); c != nil {
				return c, nil
			}
		case <-look.C:
			full = false
			p.left.makeWay(false)
		case <-w.waits():
			return nil, &AcquireTimeoutError{Node: p.node, Wait: w.bound(), Stats: p.db.Stats()}
		case <-ctx.Done():
			if w.outer.Err() != nil {
				return nil, &AcquireTimeoutError{Node: p.node, Wait: w.bound(), Stats: p.db.Stats(), Err: w.outer.Err()}
			}
			return nil, p.connectError(w.outer, ctx, ctx.Err())
		case <-channelOf(w.silence):
			now := p.answers.Load()
			if now == w.answers {
				return nil, p.connectError(w.outer, ctx, &SilenceError{After: p.timeout})
			}
			w.answers = now
			w.silence.Reset(p.timeout)
		}
	}
}

// counts says whether the caller's connection is one of the pool's made: where none are left,
// database/sql has counted it.
func (w *dialWait) counts() bool { return w.pool.remote && !w.alone }

// reserve counts a connection that is to be begun. database/sql bounds those that it knows of:
// with those that were left the pool has no more than MaxOpen.
func (w *dialWait) reserve() bool {
	p := w.pool
	for w.counts() {
		n := p.made.Load()
		if p.maxOpen > 0 && n >= int64(p.maxOpen) {
			return false
		}
		if p.made.CompareAndSwap(n, n+1) {
			break
		}
	}
	return true
}

// dial waits for the caller's own dial, or takes a connection that was left, and leaves his.
func (w *dialWait) dial(ctx context.Context, d *dial) (*conn, error) {
	l := &w.pool.left
	for {
		select {
		case <-d.over:
			if d.err != nil {
				return nil, callersTime(w.outer, d.err)
			}
			return d.conn, nil
		case <-w.came:
			if c := l.pick(ctx); c != nil {
				l.leave(d)
				return c, nil
			}
		case <-ctx.Done():
			if d.isOver() && d.err == nil {
				return d.conn, nil
			}
			if err := context.Cause(ctx); w.alone || w.outer.Err() == nil && err != ErrHalfTime {
				l.drop(d, err)
			} else {
				l.leave(d)
			}
			return nil, w.pool.connectError(w.outer, ctx, ctx.Err())
		}
	}
}
