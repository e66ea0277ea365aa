package driver

import (
	"context"
	"database/sql"
	"time"
)

// The methods of a *sql.DB with a bound on the wait for a free connection,
// which Acquire has too: database/sql itself would wait until ctx ends.

// QueryContext is *sql.DB's, with at most wait for a connection; 0 is no bound.
// The rows belong to ctx.
func (p *Pool) QueryContext(ctx context.Context, wait time.Duration, query string, args ...any) (*sql.Rows, error) {
	if err := p.waitsInVain(ctx); err != nil {
		return nil, err
	}
	a := new(acquireCtx).begin(ctx, p, wait)
	rows, err := p.db.QueryContext(a, query, args...)
	return rows, p.waited(a, err)
}

// QueryRowContext is *sql.DB's; the error is the row's Err. Without a row nothing was
// sent.
func (p *Pool) QueryRowContext(ctx context.Context, wait time.Duration, query string, args ...any) (*sql.Row, error) {
	if err := p.waitsInVain(ctx); err != nil {
		return nil, err
	}
	a := new(acquireCtx).begin(ctx, p, wait)
	row := p.db.QueryRowContext(a, query, args...)
	return row, p.waited(a, row.Err())
}

// PrepareContext is *sql.DB's. What is done with the statement waits without a
// bound of its own.
func (p *Pool) PrepareContext(ctx context.Context, wait time.Duration, query string) (*sql.Stmt, error) {
	if err := p.waitsInVain(ctx); err != nil {
		return nil, err
	}
	a := new(acquireCtx).begin(ctx, p, wait)
	stmt, err := p.db.PrepareContext(a, query)
	return stmt, p.waited(a, err)
}

// waited is what err means if it says that no connection was had.
func (p *Pool) waited(a *acquireCtx, err error) error {
	if a.stopped || err == nil { // a connection was had
		return err
	}
	timedOut, waited := a.stop()
	return p.acquireError(a, err, timedOut, waited)
}

// afterAcquire returns the caller's own context: the acquire timeout applies no
// longer.
func afterAcquire(ctx context.Context) context.Context {
	a, ok := ctx.(*acquireCtx)
	if !ok {
		return ctx
	}
	a.stop()
	a.stopped = true
	return a.Context
}

// TellRuns has the pool call ran each time that a prepared statement of database/sql was run
// outside of a transaction, with the context of that: once its answer is there, and of
// rows also when they are closed. ran must not use the connection, and may be called at once
// by several goroutines. The last ran counts.
func (p *Pool) TellRuns(ran func(ctx context.Context, query string, err error)) { p.ran.Store(&ran) }
