package driver

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Acquire takes a connection out of the pool, which Release puts back. It waits
// for a free one until ctx ends and at most wait; 0 is no other bound than ctx.
//
// Its error is an *AcquireTimeoutError when none became free, a *ConnectError
// when a new one could not be opened, ErrPoolClosed, or the context's error.
func (p *Pool) Acquire(ctx context.Context, wait time.Duration) (*Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, &NotSentError{Err: err}
	}
	a := acquires.Get().(*acquireCtx)
	a.Context, a.wait = ctx, wait
	sc, err := p.db.Conn(a)
	timedOut, waited := a.stop()
	if err != nil {
		return nil, p.acquireError(ctx, err, wait, timedOut, waited)
	}
	c := &Conn{sc: sc, inner: a.got}
	a.free()
	if c.inner != nil {
		return c, nil
	}
	if err := sc.Raw(c.take); err != nil { // a new connection
		sc.Close()
		return nil, err
	}
	return c, nil
}

func (p *Pool) acquireError(ctx context.Context, err error, wait time.Duration, timedOut, waited bool) error {
	var connect *ConnectError
	switch {
	case errors.As(err, &connect):
		return err
	case p.closed.Load():
		return ErrPoolClosed
	case timedOut:
		return &AcquireTimeoutError{Node: p.node, Wait: wait, Stats: p.db.Stats()}
	case ctx.Err() != nil:
		if stats := p.db.Stats(); waited || stats.MaxOpenConnections > 0 && stats.InUse >= stats.MaxOpenConnections {
			return &AcquireTimeoutError{Node: p.node, Wait: wait, Stats: stats, Err: ctx.Err()}
		}
		return &NotSentError{Err: ctx.Err()}
	}
	return &NotSentError{Err: stripBadConn(err)}
}

// errAcquire is the error of an acquireCtx whose own time is over.
var errAcquire = errors.New("acquire timeout")

// acquireCtx is a context with the acquire timeout. database/sql asks for Done
// once before it looks at its free connections and again when it waits for one;
// only the second call arms a timer, so that an acquisition without a wait
// costs nothing.
type acquireCtx struct {
	context.Context
	wait  time.Duration // 0 is no timeout
	calls int
	got   *conn // what database/sql took from its idle connections
	// stopped says that it is no more than Context; see afterAcquire.
	stopped bool

	mu    sync.Mutex
	done  chan struct{}
	err   error
	timer *time.Timer
	unsub func() bool
}

// acquires are the contexts of acquisitions that are over.
var acquires = sync.Pool{New: func() any { return new(acquireCtx) }}

// free gives the context back for another acquisition, unless something may still
// look at it: the timer of a wait.
func (c *acquireCtx) free() {
	if c.calls > 1 {
		return
	}
	c.Context, c.wait, c.calls, c.got = nil, 0, 0, nil
	acquires.Put(c)
}

func (c *acquireCtx) Done() <-chan struct{} {
	if c.stopped {
		return c.Context.Done()
	}
	if c.calls++; c.calls < 2 || c.wait <= 0 {
		return c.Context.Done()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		c.done = make(chan struct{})
		c.timer = time.AfterFunc(c.wait, func() { c.end(errAcquire) })
		ctx := c.Context // stop does not wait for the function
		c.unsub = context.AfterFunc(ctx, func() { c.end(ctx.Err()) })
	}
	return c.done
}

func (c *acquireCtx) end(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = err
		close(c.done)
	}
}

func (c *acquireCtx) Err() error {
	if c.stopped {
		return c.Context.Err()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return c.err
	}
	return c.Context.Err()
}

// stop ends the timer and tells whether it has run out, and whether it was armed.
func (c *acquireCtx) stop() (timedOut, waited bool) {
	if c.calls < 2 || c.wait <= 0 {
		return false, c.calls > 1
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.timer.Stop()
	c.unsub()
	return c.err == errAcquire, true
}

// unwrapAcquire is the caller's own context, which dialling is bound to.
func unwrapAcquire(ctx context.Context) context.Context {
	if a, ok := ctx.(*acquireCtx); ok {
		return a.Context
	}
	return ctx
}
