package conformance

import (
	"context"
	"sync"
)

// A Deadline is a context whose deadline passes when a test says so, upon an event
// instead of a time. It is safe for concurrent use.
type Deadline struct {
	context.Context
	once   sync.Once
	passed chan struct{}
}

// NewDeadline returns a deadline that has not passed. It ends with its parent only
// in what it says of values: a test that never calls Pass waits for ever.
func NewDeadline(parent context.Context) *Deadline {
	return &Deadline{Context: parent, passed: make(chan struct{})}
}

// Pass lets the deadline pass.
func (d *Deadline) Pass() { d.once.Do(func() { close(d.passed) }) }

// Done implements context.Context.
func (d *Deadline) Done() <-chan struct{} { return d.passed }

// Err implements context.Context.
func (d *Deadline) Err() error {
	select {
	case <-d.passed:
		return context.DeadlineExceeded
	default:
		return nil
	}
}
