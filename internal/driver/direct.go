package driver

import (
	"context"
	"database/sql"
	"errors"
)

// Conn is one connection, held exclusively by its user until Release. It is not
// safe for concurrent use, but a second statement while one runs waits for it,
// and one while rows are open gets ErrBusy where the database cannot have both.
type Conn struct {
	sc    *sql.Conn
	inner *conn
	rows  cellCursor // of the first query, most often the only one
	late  lateBegin  // of the last BeginLate
}

// take is given to sql.Conn.Raw. What it takes is this Conn's as long as the
// *sql.Conn is not closed.
func (c *Conn) take(driverConn any) error {
	inner, ok := driverConn.(*conn)
	if !ok {
		return errors.New("the pool's connection is not of this package")
	}
	c.inner = inner
	return nil
}

var errReleased = &NotSentError{Err: sql.ErrConnDone}

// Exec runs a statement without rows. The types of args are those that rowmap
// makes: nil, int64, uint64, float64, bool, string, []byte, time.Time and, on
// PostgreSQL, slices.
func (c *Conn) Exec(ctx context.Context, query string, args []any) (Result, error) {
	if c.inner == nil {
		return Result{}, errReleased
	}
	nv, err := c.inner.bind(args)
	if err != nil {
		return Result{}, err
	}
	defer give(nv)
	for {
		res, err := c.inner.exec(ctx, query, *nv)
		if err == nil {
			return res, nil
		}
		if again, err := c.BeginsElsewhere(ctx, err); !again {
			return Result{}, err
		}
	}
}

// Query runs a statement with rows, which the caller closes.
func (c *Conn) Query(ctx context.Context, query string, args []any) (Rows, error) {
	if c.inner == nil {
		return nil, errReleased
	}
	nv, err := c.inner.bind(args)
	if err != nil {
		return nil, err
	}
	defer give(nv)
	for {
		r, err := c.inner.query(ctx, query, *nv, &c.rows)
		if err == nil {
			return r, nil
		}
		if again, err := c.BeginsElsewhere(ctx, err); !again {
			return nil, err
		}
	}
}

// Stream is Query for rows between which the program's own code runs.
func (c *Conn) Stream(ctx context.Context, query string, args []any) (Rows, error) {
	rows, err := c.Query(ctx, query, args)
	if err == nil && c.inner.readsAhead() {
		return readAhead(rows, false)
	}
	return rows, err
}

// Begin begins a transaction. An isolation level that the database does not
// have is an error.
func (c *Conn) Begin(ctx context.Context, o TxOptions) error {
	if c.inner == nil {
		return errReleased
	}
	return c.inner.begin(ctx, o, false)
}

// WasLost says that err, of Begin, tells nothing but that the connection, which had served
// before, was lost meanwhile: another connection may begin the transaction.
func (c *Conn) WasLost(ctx context.Context, err error) bool {
	return c.inner != nil && c.inner.wasLost(ctx, err)
}

// Commit commits the transaction. Its error is a *TxLostError when the server
// had lost it, ErrCommitUnknown when no answer came, sql.ErrTxDone when it has
// ended already, or the server's own: then nothing was committed. If ctx was
// over before anything was sent, the transaction is still open.
func (c *Conn) Commit(ctx context.Context) error {
	if c.inner == nil {
		return sql.ErrTxDone
	}
	return c.inner.commit(ctx)
}

// Rollback rolls the transaction back, also when ctx is over: then within a
// bound of its own. It returns nil for a transaction that the server has lost
// and sql.ErrTxDone for one that has ended.
func (c *Conn) Rollback(ctx context.Context) error {
	if c.inner == nil {
		return sql.ErrTxDone
	}
	return c.inner.rollback(ctx)
}

// OpenRows is how many rows of earlier queries are not closed yet.
func (c *Conn) OpenRows() int {
	if c.inner == nil {
		return 0
	}
	return int(c.inner.open.Load())
}

// SQL is the same connection as database/sql shows it, for what must return
// *sql.Rows or *sql.Stmt. Its user does not close it.
func (c *Conn) SQL() *sql.Conn { return c.sc }

// Keep says that several statements will run on the connection, with time between them:
// before each of them outside of a transaction it is looked whether the server is gone.
func (c *Conn) Keep() { c.inner.kept = true }

// Release gives the connection back to its pool, after rolling back a
// transaction that is still open. It may be called more than once.
func (c *Conn) Release() {
	if c.inner == nil {
		return
	}
	inner := c.inner
	c.inner = nil
	if inner.tx.active {
		if inner.open.Load() > 0 && !inner.s.ManyCursors() {
			inner.broken.Store(true) // rows were left open: closing is cheaper than reading them
		}
		_ = inner.rollback(context.Background())
	}
	inner.locatesNoMore()
	inner.held.Store(false)
	inner.kept = false
	if inner.reads.Load() {
		inner.reads.Store(false)
	}
	_ = c.sc.Close()
}
