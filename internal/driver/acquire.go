package driver

import (
	"context"
	"errors"
	"time"
)

// Acquire takes a connection out of the pool, which Release puts back. It waits
// for a free one until ctx ends and at most wait; 0 is no other bound than ctx.
//
// Its error is an *AcquireTimeoutError when none became free, a *ConnectError
// when a new one could not be opened, ErrPoolClosed, or the context's error.
func (p *Pool) Acquire(ctx context.Context, wait time.Duration) (*Conn, error) {
	return p.acquire(ctx, wait, false, nil)
}

// Elsewhere knows whether another server may answer a read that waits for a connection.
type Elsewhere interface {
	// Left says that one may. It does not block, and is called on any goroutine while the
	// connection is being made, never afterwards.
	Left() bool
	// Room says that one which is well may, and has a connection free. It is called as Left
	// is, while the read waits for its turn.
	Room() bool
}

// AcquireToRead is Acquire for a plain read, which InterruptReads ends. Where no connection
// was made within half of the time that ctx leaves, and another server is left then, it
// fails with ErrHalfTime, so that there is time to ask that one. Where all connections are in
// use for a while and another server has one free, the *AcquireTimeoutError is ErrRoom.
// elsewhere may be nil: none is.
func (p *Pool) AcquireToRead(ctx context.Context, wait time.Duration, elsewhere Elsewhere) (*Conn, error) {
	return p.acquire(ctx, wait, true, elsewhere)
}

func (p *Pool) acquire(ctx context.Context, wait time.Duration, reads bool, elsewhere Elsewhere) (*Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, &NotSentError{Err: err}
	}
	if err := p.waitsInVain(ctx); err != nil {
		return nil, err
	}
	a := acquires.Get().(*acquireCtx).begin(ctx, p, wait)
	a.reads, a.elsewhere = reads, elsewhere
	sc, err := p.db.Conn(a)
	timedOut, waited := a.stop()
	if err != nil {
		return nil, p.acquireError(a, err, timedOut, waited)
	}
	c := &Conn{sc: sc, inner: a.got}
	a.free()
	if c.inner == nil {
		if err := sc.Raw(c.take); err != nil { // a new connection
			sc.Close()
			return nil, err
		}
	}
	c.inner.held.Store(true)
	if reads {
		c.inner.reads.Store(true)
	}
	return c, nil
}

func (p *Pool) acquireError(a *acquireCtx, err error, timedOut, waited bool) error {
	ctx, wait := a.Context, a.wait
	var connect *ConnectError
	var acquire *AcquireTimeoutError
	var interrupted *InterruptedError
	switch {
	case errors.As(err, &connect), errors.As(err, &acquire):
		return err
	case errors.As(err, &interrupted):
		return &NotSentError{Err: interrupted}
	case p.closed.Load():
		return ErrPoolClosed
	case errors.Is(err, ErrRoom):
		return &AcquireTimeoutError{Node: p.node, Wait: a.every, Stats: p.db.Stats(), Err: ErrRoom}
	case timedOut:
		return &AcquireTimeoutError{Node: p.node, Wait: wait, Stats: p.db.Stats()}
	case ctx.Err() != nil:
		if a.mute {
			return p.muteError(ctx.Err())
		}
		if stats := p.db.Stats(); waited || stats.MaxOpenConnections > 0 && stats.InUse >= stats.MaxOpenConnections {
			return &AcquireTimeoutError{Node: p.node, Wait: wait, Stats: stats, Err: ctx.Err()}
		}
		return &NotSentError{Err: ctx.Err()}
	}
	return &NotSentError{Err: stripBadConn(err)}
}
