package driver

import (
	"context"
	"sync/atomic"
)

// gate lets one statement at a time use a connection. It is a mutex that can be
// waited for with a context, and that costs one atomic operation when nobody
// waits, where a channel costs ten times as much. The zero value is open.
type gate struct {
	state atomic.Int32
	wake  atomic.Pointer[chan struct{}] // holds one token; whoever takes it tries again. nil until somebody waits
}

// The states of a gate.
const (
	gateOpen = iota
	gateTaken
	gateWanted // taken, and somebody may be waiting
)

// lock takes the gate, or returns the context's error. It prefers the gate: a
// context that has ended is noticed only while somebody else holds it.
func (g *gate) lock(ctx context.Context) error {
	if g.state.CompareAndSwap(gateOpen, gateTaken) {
		return nil
	}
	wake := g.waking() // before anybody can see that it is wanted
	for g.state.Swap(gateWanted) != gateOpen {
		select {
		case <-wake:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// tryLock takes the gate unless somebody has it.
func (g *gate) tryLock() bool { return g.state.CompareAndSwap(gateOpen, gateTaken) }

// waking is the channel of those who wait.
func (g *gate) waking() chan struct{} {
	if wake := g.wake.Load(); wake != nil {
		return *wake
	}
	wake := make(chan struct{}, 1)
	g.wake.CompareAndSwap(nil, &wake)
	return *g.wake.Load()
}

func (g *gate) unlock() {
	if g.state.Swap(gateOpen) == gateWanted {
		select {
		case *g.wake.Load() <- struct{}{}:
		default: // a token is there already
		}
	}
}

// A Gate lets one at a time use something, and waits no longer than a context allows.
// The zero value is open.
type Gate struct{ gate gate }

// Lock takes the gate, or returns the context's error. It prefers the gate: a context
// that has ended is noticed only while somebody else holds it.
func (g *Gate) Lock(ctx context.Context) error { return g.gate.lock(ctx) }

// LockAnyway takes the gate however long it takes.
func (g *Gate) LockAnyway() { _ = g.gate.lock(context.Background()) }

// TryLock takes the gate unless somebody has it.
func (g *Gate) TryLock() bool { return g.gate.tryLock() }

// Unlock gives the gate back.
func (g *Gate) Unlock() { g.gate.unlock() }
