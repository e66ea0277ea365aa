package driver

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// quiet is how long a server must have been silent for Interrupt to end a statement.
const quiet = 75 * time.Millisecond

// ends is what a pool may have to end before its time: open connections, dials under way,
// callers who wait. Only what opens and closes a connection touches it, and a caller who
// found none free. It is safe for concurrent use.
type ends struct {
	mu     sync.Mutex // protects following fields
	conns  map[*conn]struct{}
	dials  map[*dialing]struct{}
	waits  map[*acquireCtx]struct{}
	closed bool
	last   *InterruptedError // of the last interruption

	rounds  atomic.Uint64  // interruptions so far; changed with mu held
	running sync.WaitGroup // dials; not added to once closed
}

// dialing is one dial, or a caller who waits for one.
type dialing struct {
	end context.CancelCauseFunc
	// orphan says that no caller of this package waits in it: database/sql opens a
	// connection for whoever comes.
	orphan bool
	reads  bool // it is for a plain read
	begun  bool // it is the dial
}

// dial notes a caller who waits for a dial until over is called. ctx ends with it;
// context.Cause tells why. a is the acquisition that it is for, nil for none: one that began
// before the last interruption ends at once.
func (e *ends) dial(ctx context.Context, a *acquireCtx) (dialCtx context.Context, over func()) {
	dialCtx, _, over = e.note(ctx, a, &dialing{orphan: a == nil})
	return dialCtx, over
}

// begin notes a dial that goes on without its caller, until over is called; close waits for
// it.
func (e *ends) begin(ctx context.Context, a *acquireCtx) (dialCtx context.Context, end context.CancelCauseFunc, over func()) {
	dialCtx, end, forget := e.note(ctx, a, &dialing{begun: true})
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return dialCtx, end, forget
	}
	e.running.Add(1)
	return dialCtx, end, func() {
		forget()
		e.running.Done()
	}
}

func (e *ends) note(ctx context.Context, a *acquireCtx, d *dialing) (dialCtx context.Context, end context.CancelCauseFunc, over func()) {
	ctx, end = context.WithCancelCause(ctx)
	d.end, d.reads = end, a != nil && a.reads
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.closed:
		end(ErrPoolClosed)
	case a != nil && a.round != e.rounds.Load():
		end(e.last)
	}
	if e.dials == nil {
		e.dials = map[*dialing]struct{}{}
	}
	e.dials[d] = struct{}{}
	return ctx, end, func() {
		e.mu.Lock()
		delete(e.dials, d)
		e.mu.Unlock()
		end(nil)
	}
}

// opened notes a connection until closed.
func (e *ends) opened(c *conn) {
	if _, ok := c.s.(session.Interruptible); !ok {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.conns == nil {
		e.conns = map[*conn]struct{}{}
	}
	e.conns[c] = struct{}{}
}

func (e *ends) closedConn(c *conn) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.conns, c)
}

// wait notes a caller who waits until waited. Its error is for one who began before the
// last interruption.
func (e *ends) wait(a *acquireCtx) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case a.round != e.rounds.Load():
		return e.last
	case a.cut != nil:
		return a.cut
	}
	if e.waits == nil {
		e.waits = map[*acquireCtx]struct{}{}
	}
	e.waits[a] = struct{}{}
	return nil
}

func (e *ends) waited(a *acquireCtx) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.waits, a)
}

// close ends the dials, and every later one.
func (e *ends) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = true
	for d := range e.dials {
		d.end(ErrPoolClosed)
	}
}

// endOrphans ends the dials that nobody waits for by name.
func (e *ends) endOrphans() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for d := range e.dials {
		if d.orphan {
			d.end(ErrPoolClosed)
		}
	}
}

// interrupt ends waits and dials, and returns the connections. The waits are first: for
// who still waits when a dial ends, database/sql begins another one.
func (e *ends) interrupt(err *InterruptedError) []*conn {
	e.mu.Lock()
	e.rounds.Add(1)
	e.last = err
	dials := slices.Collect(maps.Keys(e.dials))
	waits := slices.Collect(maps.Keys(e.waits))
	conns := slices.Collect(maps.Keys(e.conns))
	e.mu.Unlock()
	endAll(waits, dials, err)
	return conns
}

// interruptReads is interrupt for plain reads.
func (e *ends) interruptReads(err *InterruptedError) (conns []*conn) {
	var waits []*acquireCtx
	var dials []*dialing
	e.mu.Lock()
	for a := range e.waits {
		if a.reads {
			waits = append(waits, a)
		}
	}
	for d := range e.dials {
		if d.reads {
			dials = append(dials, d)
		}
	}
	for c := range e.conns {
		if c.reads.Load() {
			conns = append(conns, c)
		}
	}
	e.mu.Unlock()
	endAll(waits, dials, err)
	return conns
}

func endAll(waits []*acquireCtx, dials []*dialing, err *InterruptedError) {
	for _, a := range waits {
		a.end(err)
	}
	for _, d := range dials {
		d.end(err)
	}
}
