package driver

import (
	"context"
	sqldriver "database/sql/driver"
	"io"

	"github.com/dbfleet/dbfleet/internal/cell"
	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// Rows are the rows of a query. They are read by one goroutine. They must be
// closed; at io.EOF and at an error they have closed themselves.
type Rows interface {
	Columns() []string
	// TypeName is the database's name of the column's type in upper case
	// without length, "" if it is not known.
	TypeName(i int) string
	// Next reads the next row into dest, which is as long as Columns. It returns
	// io.EOF at the end. A []byte in dest is valid until the next call.
	Next(dest []sqldriver.Value) error
	// Close gives the connection free for the next statement. It may be called
	// more than once.
	Close() error
}

// A Reader reads the rows of a query and tells how many it has read.
type Reader interface {
	ReadRows(rows Rows) (int64, error)
}

// A ReaderFunc is a function as a Reader.
type ReaderFunc func(rows Rows) (int64, error)

// ReadRows calls the function.
func (f ReaderFunc) ReadRows(rows Rows) (int64, error) { return f(rows) }

// cursor is the Rows of a conn, for Conn and database/sql alike.
type cursor struct {
	c      *conn
	src    session.RowSource
	cells  session.CellSource // src, if it is one
	ctx    context.Context    // of the query, which its rows belong to
	done   <-chan struct{}
	query  string
	closed bool
	err    error  // what Next says after the end
	ended  func() // is called at the end, nil for nothing; see WhenRead

	prev, next *cursor // of the connection's open cursors
}

func (r *cursor) Columns() []string     { return r.src.Columns() }
func (r *cursor) TypeName(i int) string { return r.src.TypeName(i) }

func (r *cursor) Next(dest []sqldriver.Value) error { return r.advance(dest, nil) }

// cellCursor is a cursor on a session.CellSource. It is a type of its own so that who
// reads the rows sees at once whether they come as cells.
type cellCursor struct{ cursor }

// NextCells is Next into cells, one per column, whose Value is what Next would
// have given. Their Bytes are valid until the next call.
func (r *cellCursor) NextCells(row []cell.Cell) error { return r.advance(nil, row) }

// advance reads the next row into dest, or into row if that is not nil.
func (r *cursor) advance(dest []sqldriver.Value, row []cell.Cell) error {
	many := r.c.s.ManyCursors()
	if !many && r.closed {
		return r.err
	}
	if r.done != nil {
		select {
		case <-r.done:
			return r.fail(r.ctx.Err())
		default:
		}
	}
	var err error
	if many {
		err = r.readLocked(dest, row)
	} else {
		err = r.read(dest, row)
	}
	if err == nil || err == io.EOF && r.HasNextResultSet() {
		return err
	}
	return r.fail(err)
}

// HasNextResultSet and NextResultSet serve database/sql: a procedure of MySQL
// may give several sets of rows.
func (r *cursor) HasNextResultSet() bool {
	m, ok := r.src.(session.MoreResults)
	return ok && !r.closed && m.HasNextResultSet()
}

// NextResultSet goes to the next set of rows.
func (r *cursor) NextResultSet() error {
	m, ok := r.src.(session.MoreResults)
	if !ok || r.closed {
		return io.EOF
	}
	if err := m.NextResultSet(); err != nil {
		return r.fail(err)
	}
	return nil
}

func (r *cursor) read(dest []sqldriver.Value, row []cell.Cell) error {
	if row != nil {
		return r.cells.NextCells(row)
	}
	return r.src.Next(dest)
}

// readLocked is read where other statements may run between two rows.
func (r *cursor) readLocked(dest []sqldriver.Value, row []cell.Cell) error {
	if err := r.c.lock(r.ctx); err != nil {
		return err
	}
	defer r.c.unlock()
	if r.closed {
		return r.err
	}
	return r.read(dest, row)
}

// fail ends the rows at their end or at an error and says which.
func (r *cursor) fail(err error) error {
	r.c.lockAnyway()
	defer r.c.unlock()
	if r.closed {
		return r.err
	}
	closeErr := r.closeLocked()
	switch {
	case err != io.EOF:
		r.err = r.c.failedIn(r.ctx, r.query, err)
	case closeErr != nil:
		r.err = closeErr
	default:
		r.err = io.EOF
	}
	return r.err
}

func (r *cursor) Close() error {
	if r.closed && !r.c.s.ManyCursors() { // nobody else closes it
		return nil
	}
	r.c.lockAnyway()
	defer r.c.unlock()
	if r.closed {
		return nil
	}
	r.err = io.EOF
	return r.closeLocked()
}

func (r *cursor) closeLocked() error {
	r.closed = true
	err := r.src.Close()
	r.c.removeCursor(r)
	if r.ended != nil {
		r.ended()
	}
	if err != nil {
		return r.c.failed(r.ctx, err)
	}
	return r.c.succeeded(r.query)
}

// Dialect is the dialect of the database that the rows come from.
func (r *cursor) Dialect() *dialect.Dialect { return r.c.pool.dialect }
