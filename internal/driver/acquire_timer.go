package driver

import (
	"context"
	"errors"
	"sync"
	"time"
)

// errAcquire is the error of an acquireCtx whose own time is over.
var errAcquire = errors.New("acquire timeout")

// What: acquireCtx is a context with the acquire timeout whose timer is armed only by
// the second call of Done. database/sql asks for Done once before it looks at its
// free connections, and again when it waits for one.
//
// Gain: an acquisition without a wait makes no timer, no channel and no function for
// the context's end: 0.26 µs and 2 allocations for 0.85 µs and 9.
//
//	go test ./internal/driver -run - -bench 'BenchmarkExec/acquired'    with lazyTimer true and false
//
// Relies on: the order of these calls in database/sql's DB.conn. If Done were called
// once, a wait would end with the caller's context only; if it were called more often
// before the wait, the timer would be armed for nothing.
//
// Told by: TestAcquire_WaitsForItsTurnAndNoLonger and
// TestAcquire_ArmsNoTimerWithoutAWait.
//
// Off: lazyTimer.

const lazyTimer = true

// acquireCtx is used by one acquisition at a time.
type acquireCtx struct {
	context.Context
	pool  *Pool
	round uint64        // of the pool's interruptions when it began
	wait  time.Duration // 0 is no timeout
	reads bool          // it is for a plain read
	calls int
	got   *conn // what database/sql took from its idle connections
	// elsewhere knows of other servers that may answer the read; nil is none.
	elsewhere Elsewhere
	// stopped says that it is no more than Context; see afterAcquire.
	stopped bool
	// mute says that an idle connection was asked whether it still lives, and did not
	// answer in time.
	mute bool
	// cut is why the question to an idle connection was ended, nil if it was not: a server that
	// was found silent meanwhile is not dialled.
	cut *InterruptedError

	mu    sync.Mutex
	done  chan struct{}
	err   error
	timer *time.Timer
	room  *time.Timer // until elsewhere is asked for a free connection, nil for never
	every time.Duration
	over  bool // elsewhere is not asked any more
	unsub func() bool
}

// acquires are the contexts of acquisitions that are over.
var acquires = sync.Pool{New: func() any { return new(acquireCtx) }}

// begin makes it the context of an acquisition that begins now.
func (c *acquireCtx) begin(ctx context.Context, p *Pool, wait time.Duration) *acquireCtx {
	c.Context, c.pool, c.round, c.wait = ctx, p, p.ends.rounds.Load(), wait
	return c
}

// free gives the context back for another acquisition, unless something may still
// look at it: the timer of a wait.
func (c *acquireCtx) free() {
	if c.calls > 1 || c.done != nil {
		return
	}
	c.Context, c.pool, c.round, c.wait, c.reads, c.elsewhere, c.calls, c.got, c.mute, c.cut = nil, nil, 0, 0, false, nil, 0, nil, false, nil
	acquires.Put(c)
}

func (c *acquireCtx) Done() <-chan struct{} {
	if c.stopped {
		return c.Context.Done()
	}
	if c.calls++; lazyTimer && c.calls < 2 {
		return c.Context.Done()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		c.done = make(chan struct{})
		if c.wait > 0 {
			c.timer = time.AfterFunc(c.wait, func() { c.end(errAcquire) })
		}
		if c.elsewhere != nil {
			c.every = c.patience()
			c.room = time.AfterFunc(c.every, c.seekRoom)
		}
		ctx := c.Context // stop does not wait for the function
		c.unsub = context.AfterFunc(ctx, func() { c.end(ctx.Err()) })
		if err := c.pool.ends.wait(c); err != nil {
			c.err = err
			close(c.done)
		}
	}
	return c.done
}

// roomEvery is how long a read waits for a connection at most before it is asked whether
// another server has one free, and before it is asked again.
const roomEvery = 100 * time.Millisecond

// patience is how long that is where the wait ends soon: no more than half of it.
func (c *acquireCtx) patience() time.Duration {
	d := roomEvery
	if c.wait > 0 {
		d = min(d, c.wait/2)
	}
	if deadline, ok := c.Deadline(); ok {
		d = min(d, time.Until(deadline)/2)
	}
	return max(d, time.Millisecond)
}

// pingWait is how long an idle connection may take to answer: of a read that another server may
// answer no more than half of its time. c may be nil.
func (c *acquireCtx) pingWait() time.Duration {
	if c == nil || c.elsewhere == nil {
		return idlePingTimeout
	}
	deadline, ok := c.Context.Deadline()
	if half := time.Until(deadline) / 2; ok && half >= leastHalf {
		return min(idlePingTimeout, half)
	}
	return idlePingTimeout
}

// ErrRoom is why a read has not waited any longer for a connection: another server has one
// free, which in a pool that is merely busy would not last.
var ErrRoom = errors.New("another server has one free")

// seekRoom ends the wait if another server has a connection free.
func (c *acquireCtx) seekRoom() {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.over || c.err != nil:
	case c.elsewhere.Room():
		c.err = ErrRoom
		close(c.done)
	default:
		c.room.Reset(c.every)
	}
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
	if lazyTimer && c.calls < 2 {
		return false, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		return false, c.calls > 1
	}
	if c.timer != nil {
		c.timer.Stop()
	}
	if c.over = true; c.room != nil {
		c.room.Stop()
	}
	c.unsub()
	c.pool.ends.waited(c)
	return c.err == errAcquire, true
}

// unwrapAcquire is the caller's own context, which dialling is bound to.
func unwrapAcquire(ctx context.Context) context.Context {
	if a, ok := ctx.(*acquireCtx); ok {
		return a.Context
	}
	return ctx
}
