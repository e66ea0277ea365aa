package driver

import (
	"context"
	"errors"
	"fmt"

	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// Load is a bulk load in the transaction that is open on a Conn, by COPY on
// PostgreSQL, LOAD DATA LOCAL on MySQL, and by INSERT statements of many rows
// elsewhere and where the server or a pooler does not allow these. It holds a
// few blocks of rows in memory, however many there are.
//
// It is used by one goroutine, which ends it with Done or Abort. Until then
// other statements on the connection get ErrBusy, where the database cannot run
// them at the same time. An error leaves rows behind that only a rollback, or a
// rollback to a savepoint, removes.
type Load struct {
	of     *Conn
	c      *conn // of the Conn, once it has begun
	into   LoadTarget
	rows   int64 // that were added
	failed error // of an earlier Add

	copying *copying // nil until the first row, and while rows are inserted
	inserts *inserts // nil until the first row, and while rows are copied
}

// A RowError says which row of a load was at fault. Row counts from 0.
type RowError struct {
	Row int64
	Err error
}

func (e *RowError) Error() string { return fmt.Sprintf("row %d: %s", e.Row, e.Err) }

func (e *RowError) Unwrap() error { return e.Err }

var errNoTransaction = &NotSentError{Err: errors.New("a load needs a transaction")}

// Load prepares a load. It sends nothing: without a row nothing happens.
func (c *Conn) Load(into LoadTarget) (*Load, error) {
	switch {
	case c.inner == nil:
		return nil, errReleased
	case !c.inner.tx.active:
		return nil, errNoTransaction
	}
	return &Load{of: c, c: c.inner, into: into}, nil
}

// Add adds a row, whose values are of the types that Exec takes; they are not
// kept. Its error may be that of an earlier row, which then is a *RowError if
// the server tells the row.
func (l *Load) Add(ctx context.Context, row []any) error {
	if l.failed == nil {
		l.failed = l.add(ctx, row)
	}
	return l.failed
}

func (l *Load) add(ctx context.Context, row []any) error {
	if err := ctx.Err(); err != nil {
		return &NotSentError{Err: err}
	}
	if len(row) != len(l.into.Columns) {
		return l.rowError(&NotSentError{Err: &ArgumentError{Reason: fmt.Sprintf("the row has %d values for %d columns", len(row), len(l.into.Columns))}})
	}
	if l.copying == nil && l.inserts == nil {
		if err := l.start(ctx, row); err != nil {
			return err
		}
	}
	if l.inserts != nil {
		if err := l.inserts.add(ctx, row); err != nil {
			return err
		}
		l.rows++
		return nil
	}
	if err := l.copying.add(row); err != nil {
		if err == errCopyEnded {
			_, err = l.finish(ctx)
			if err == nil {
				err = &ConnLostError{Err: errCopyEnded}
			}
			return err
		}
		return l.rowError(&NotSentError{Err: err})
	}
	l.rows++
	return nil
}

func (l *Load) rowError(err error) error { return &RowError{Row: l.rows, Err: err} }

// start chooses the way, knowing the first row, and begins.
func (l *Load) start(ctx context.Context, first []any) error {
	if err := l.of.begun(ctx); err != nil {
		return err
	}
	l.c = l.of.inner
	if s, ok := l.c.s.(session.CopySession); ok && len(l.into.Columns) > 0 {
		p, err := l.c.startCopy(ctx, s, l.into, first)
		if p != nil || err != nil {
			l.copying = p
			return err
		}
	}
	l.inserts = newInserts(l.c, l.into)
	return nil
}

// Done ends the load and returns how many rows the database says it has taken:
// a trigger may have made it fewer, or more, than were added.
func (l *Load) Done(ctx context.Context) (rows int64, err error) {
	if l.failed != nil {
		l.Abort()
		return 0, l.failed
	}
	rows, l.failed = l.finish(ctx)
	if l.failed != nil {
		return 0, l.failed
	}
	l.failed = errLoadOver
	return rows, nil
}

var errLoadOver = &NotSentError{Err: errors.New("the load is over")}

func (l *Load) finish(ctx context.Context) (int64, error) {
	switch {
	case l.copying != nil:
		p := l.copying
		l.copying = nil
		return p.finish(ctx, l.rows)
	case l.inserts != nil:
		return l.inserts.finish(ctx)
	}
	return 0, nil
}

// Abort ends a load whose rows are not wanted any more. After Done, and a
// second time, it does nothing.
func (l *Load) Abort() {
	if l.failed == nil {
		l.failed = errLoadOver
	}
	l.inserts = nil
	if l.copying != nil {
		l.copying.abort()
		l.copying = nil
	}
}
