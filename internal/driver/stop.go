package driver

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/dbfleet/dbfleet/internal/driver/session"
)

const (
	// stopWait is how long the caller of a statement that was given up waits for the
	// server to end it, so that its locks are gone when the call returns.
	stopWait = 500 * time.Millisecond
	// stopTime is how long the server is asked whether it has ended.
	stopTime = time.Second
	// askTime is how long connecting to ask, and each question, may take: a server that
	// stands still for a moment would else go on with all that is to be stopped, and keep
	// its locks.
	askTime = 5 * time.Second
	// stopTick is how often is looked whether it has ended.
	stopTick = 5 * time.Millisecond
	// maxStops is how many sessions may wait for that.
	maxStops = 1024
)

// stops has the server of a pool end what sessions that were given up still do there,
// where the database does not notice that a client has gone. All of them share one
// connection, which is opened when there is something to stop, outside of the pool, and
// closed after it: a thousand statements that end at once open one. A server to which it
// cannot be opened is not asked again for those that wait. It is safe for concurrent
// use.
type stops struct {
	pool *Pool
	with session.StopBackend // nil has nothing to stop

	ended sync.WaitGroup

	mu      sync.Mutex // protects following fields
	closed  bool
	running bool
	cancel  context.CancelFunc // ends the run
	queue   []*stopping
}

// stopping is one session.
type stopping struct {
	s    session.Session
	till time.Time
	over chan struct{} // closed when no more is done for it
}

func (st *stops) start(p *Pool, o Options) {
	st.pool = p
	if !o.Pooler { // the sessions are the pooler's
		st.with, _ = p.backend.(session.StopBackend)
	}
}

// close gives up what is still to be stopped, and waits for that.
func (st *stops) close() {
	st.mu.Lock()
	st.closed = true
	if st.running {
		st.cancel()
	}
	st.mu.Unlock()
	st.ended.Wait()
}

// stopped has the server end what it still does for a statement that was sent and that
// nobody waits for any more, since its context has ended or the server was silent for
// too long. It waits for that, but not longer than stopWait.
func (c *conn) stopped(ctx context.Context, v session.Verdict, err error) {
	if c.alone || c.telling || !v.Broken || v.Answered || v.NotSent || ended(ctx) == nil && !isServerSilence(err) {
		return
	}
	over := c.pool.stops.stop(c.s)
	if self, ok := c.s.(session.SelfStopper); ok {
		over = self.Stopped()
	}
	if over == nil {
		return
	}
	t := time.NewTimer(stopWait)
	defer t.Stop()
	select {
	case <-over:
	case <-t.C:
	}
}

// stop begins to stop a session. It returns what is closed when that is over, nil if
// nothing is done.
func (st *stops) stop(s session.Session) <-chan struct{} {
	if st.with == nil {
		return nil
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.closed || len(st.queue) >= maxStops {
		return nil
	}
	one := &stopping{s: s, till: time.Now().Add(stopTime), over: make(chan struct{})}
	st.queue = append(st.queue, one)
	if !st.running {
		st.running = true
		ctx, cancel := context.WithCancel(context.Background()) // no caller's
		st.cancel = cancel
		st.ended.Go(func() {
			defer cancel()
			st.run(ctx)
		})
	}
	return one.over
}

// run stops what is in the queue, and what comes into it meanwhile.
func (st *stops) run(ctx context.Context) {
	with, err := st.open(ctx)
	if err != nil {
		st.fail(nil)
		return
	}
	defer func() { _ = with.Close() }()
	var pending []*stopping
	for {
		list, over := st.next(len(pending) == 0)
		if over {
			return
		}
		pending = append(pending, list...)
		for _, one := range list {
			if bounded(ctx, func(ctx context.Context) error { return with.Stop(ctx, one.s) }) != nil {
				st.fail(pending)
				return
			}
		}
		if pending, err = look(ctx, with, pending); err != nil || len(pending) > 0 && !tick(ctx) {
			st.fail(pending)
			return
		}
	}
}

// next takes the queue. over says that nothing was in it and the run has ended, which
// it may only when it waits for nothing.
func (st *stops) next(mayEnd bool) (list []*stopping, over bool) {
	st.mu.Lock()
	defer st.mu.Unlock()
	list, st.queue = st.queue, nil
	if mayEnd && len(list) == 0 {
		st.running = false
	}
	return list, !st.running
}

// fail ends the run without more being done for those that wait.
func (st *stops) fail(pending []*stopping) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.running = false
	for _, one := range append(pending, st.queue...) {
		close(one.over)
	}
	st.queue = nil
}

// open opens the connection that stops.
func (st *stops) open(ctx context.Context) (with session.Stopper, err error) {
	err = bounded(ctx, func(ctx context.Context) error {
		password, err := st.pool.credentials.next(ctx)
		if err == nil {
			with, err = st.with.OpenStopper(ctx, password)
		}
		return err
	})
	return with, err
}

// look tells those that have ended, or whose time is over, and returns the others.
func look(ctx context.Context, with session.Stopper, pending []*stopping) ([]*stopping, error) {
	list := make([]session.Session, len(pending))
	for i, one := range pending {
		list[i] = one.s
	}
	err := bounded(ctx, func(ctx context.Context) (err error) {
		list, err = with.Left(ctx, list)
		return err
	})
	if err != nil {
		return pending, err
	}
	now := time.Now()
	return slices.DeleteFunc(pending, func(one *stopping) bool {
		if slices.Contains(list, one.s) && now.Before(one.till) {
			return false
		}
		close(one.over)
		return true
	}), nil
}

// bounded calls f with a context that ends after askTime, too.
func bounded(ctx context.Context, f func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	return f(ctx)
}

// tick waits for the next look; false says that the pool is closed.
func tick(ctx context.Context) bool {
	t := time.NewTimer(stopTick)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
