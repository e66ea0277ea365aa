package dbfleet

import (
	"fmt"
	"sync"

	"github.com/dbfleet/dbfleet/internal/driver"
)

// held is a connection that is somebody's for longer than a statement: a
// transaction's, or that of a Conn. It is safe for concurrent use.
type held struct {
	e      *entry
	node   *node
	conn   *driver.Conn // nil before a transaction's BEGIN
	pinned bool         // for a Conn

	mu   sync.Mutex // one statement at a time; protects following fields
	done bool
	open []endable // what raw methods gave out and the end must close
}

// endable is what the end of a transaction, savepoint or Conn closes.
type endable interface{ end() }

// endedError says that a transaction or a Conn takes no statement any more.
type endedError struct {
	connection string
	what       string
	err        error
}

func (e *endedError) Error() string {
	return fmt.Sprintf("dbfleet: %s %q: %s", e.what, e.connection, e.err)
}

func (e *endedError) Unwrap() error { return e.err }

func (h *held) doneError() error {
	if h.pinned {
		return connDone(h.e)
	}
	return &endedError{h.e.name, "transaction on connection", ErrTxDone}
}

// ready says whether the connection takes statements. h.mu is held.
func (h *held) ready() error {
	if h.done {
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

// keep remembers what a raw method gave out. h.mu is held.
func (h *held) keep(o endable) {
	if h.conn.OpenRows() <= 1 { // all earlier ones are closed by now
		h.open = h.open[:0]
	}
	h.open = append(h.open, o)
}

func (h *held) endOpen() {
	for _, o := range h.open {
		o.end()
	}
	h.open = nil
}
