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
	open opened // what raw methods gave out and the end must close
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
func (h *held) keep(o endable) { h.open.keep(o, h.conn) }

func (h *held) endOpen() { h.open.end() }

// opened is what was given out and must be closed.
type opened []endable

// keep remembers o, whose rows are the last that the connection has opened.
func (list *opened) keep(o endable, c *driver.Conn) {
	if c.OpenRows() <= 1 { // all earlier ones are closed by now
		*list = (*list)[:0]
	}
	*list = append(*list, o)
}

func (list *opened) end() {
	for _, o := range *list {
		o.end()
	}
	*list = nil
}
