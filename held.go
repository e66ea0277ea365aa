package dbfleet

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/dbfleet/dbfleet/internal/driver"
)

// held is a connection that is somebody's for longer than a statement: a
// transaction's, or that of a Conn. It is safe for concurrent use.
type held struct {
	e      *entry
	node   *sessions
	conn   *driver.Conn // nil before a transaction's BEGIN
	pinned bool         // for a Conn

	gate driver.Gate // is taken while a statement runs, before mu
	mu   sync.Mutex  // is not held while a statement runs; protects following fields
	done bool
	// cause is why it ended before its time: nothing more is sent.
	cause error
	// sessions are those for which it has written, or read where that counts as much.
	sessions []*Session

	wrote atomic.Bool // for a transaction: something that may write was sent, with whichever context

	learned bool // sessions know where the primary was after the commit; used by who has the gate
}

// endedError says that a transaction or a Conn takes no statement any more.
type endedError struct {
	connection string
	what       string
	err        error
	cause      error // why it ended before its time, nil if it did not
}

func (e *endedError) Error() string {
	text := fmt.Sprintf("dbfleet: %s %q: %s", e.what, e.connection, e.err)
	if e.cause != nil {
		text += ": " + e.cause.Error()
	}
	return text
}

func (e *endedError) Unwrap() []error {
	if e.cause == nil {
		return []error{e.err}
	}
	return []error{e.err, e.cause}
}

// doneError says that it takes no statement any more. h.mu is held.
func (h *held) doneError() error {
	if h.pinned {
		return connDone(h.e)
	}
	return &endedError{h.e.name, "transaction on connection", ErrTxDone, h.cause}
}

// ready says whether the connection takes statements.
func (h *held) ready() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.readyLocked()
}

func (h *held) readyLocked() error {
	if h.done || h.cause != nil {
		return h.doneError()
	}
	if !h.e.cut.Load() {
		return nil
	}
	if h.pinned {
		return errorf("connection %q: its Conn is cut off: %w", h.e.name, ErrClosed)
	}
	return errorf("connection %q: the transaction is cut off: %w", h.e.name, ErrClosed)
}

// lock waits until no other statement runs on the connection, for as long as ctx
// allows. What is called from inside of such a statement, as a Scanner is, gets ErrBusy.
func (h *held) lock(ctx context.Context) error {
	if h.gate.TryLock() {
		return nil
	}
	if insideExchange() {
		return &driver.NotSentError{Err: fmt.Errorf("it is called from inside of a statement: %w", driver.ErrBusy)}
	}
	if err := h.gate.Lock(ctx); err != nil {
		return &driver.NotSentError{Err: fmt.Errorf("waiting for another statement of the same connection: %w", err)}
	}
	return nil
}

// lent is what raw methods gave out and an end must close. It is used by who has the
// connection's gate.
type lent struct {
	group *driver.Group
	over  error // nothing is given out any more, because of it
}

// of is the group that new rows and statements of a connection join.
func (l *lent) of(ctx context.Context, c *driver.Conn) (*driver.Group, error) {
	if l.over != nil { // told while this statement waited for the gate
		return nil, l.over
	}
	if l.group == nil {
		var err error
		if l.group, err = c.NewGroup(ctx); err != nil {
			return nil, err
		}
	}
	return l.group, nil
}

// finish is end, after which nothing is given out any more.
func (l *lent) finish(cause error) {
	l.end(cause)
	l.over = cause
}

// end closes everything. Rows that are open tell cause.
func (l *lent) end(cause error) {
	if l.group != nil {
		l.group.End(cause)
		l.group = nil
	}
}
