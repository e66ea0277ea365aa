package driver

import (
	"context"
	"sync/atomic"
)

// gate lets one statement at a time use a connection. It is a mutex that can be
// waited for with a context, and that costs one atomic operation when nobody
// waits, where a channel costs ten times as much.
type gate struct {
	state atomic.Int32
	wake  chan struct{} // holds one token; whoever takes it tries again
}

// The states of a gate.
const (
	gateOpen = iota
	gateTaken
	gateWanted // taken, and somebody may be waiting
)

func newGate() gate { return gate{wake: make(chan struct{}, 1)} }

// lock takes the gate, or returns the context's error. It prefers the gate: a
// context that has ended is noticed only while somebody else holds it.
func (g *gate) lock(ctx context.Context) error {
	if g.state.CompareAndSwap(gateOpen, gateTaken) {
		return nil
	}
	for g.state.Swap(gateWanted) != gateOpen {
		select {
		case <-g.wake:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// tryLock takes the gate unless somebody has it.
func (g *gate) tryLock() bool { return g.state.CompareAndSwap(gateOpen, gateTaken) }

func (g *gate) unlock() {
	if g.state.Swap(gateOpen) == gateWanted {
		select {
		case g.wake <- struct{}{}:
		default: // a token is there already
		}
	}
}

// A Gate lets one at a time use something, and waits no longer than a context allows.
type Gate struct{ gate gate }

// NewGate makes a gate that is open.
func NewGate() Gate { return Gate{newGate()} }

// Lock takes the gate, or returns the context's error. It prefers the gate: a context
// that has ended is noticed only while somebody else holds it.
func (g *Gate) Lock(ctx context.Context) error { return g.gate.lock(ctx) }

// LockAnyway takes the gate however long it takes.
func (g *Gate) LockAnyway() { _ = g.gate.lock(context.Background()) }

// TryLock takes the gate unless somebody has it.
func (g *Gate) TryLock() bool { return g.gate.tryLock() }

// Unlock gives the gate back.
func (g *Gate) Unlock() { g.gate.unlock() }
