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
	c := &Conn{pool: p, acquire: acquireCtx{Context: ctx, wait: wait}}
	sc, err := p.db.Conn(&c.acquire)
	timedOut, waited := c.acquire.stop()
	if err != nil {
		return nil, p.acquireError(ctx, err, wait, timedOut, waited)
	}
	c.sc, c.inner = sc, c.acquire.got
	c.acquire.Context = nil // the connection outlives it
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
	// request is what the connection is wanted for, nil for a Conn.
	request *request
	// stopped says that it is no more than Context; see had.
	stopped bool

	mu    sync.Mutex
	done  chan struct{}
	err   error
	timer *time.Timer
	unsub func() bool
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
