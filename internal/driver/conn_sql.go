package driver

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"time"

	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// The methods that database/sql finds on a conn.
var (
	_ sqldriver.Conn               = (*conn)(nil)
	_ sqldriver.ConnPrepareContext = (*conn)(nil)
	_ sqldriver.ExecerContext      = (*conn)(nil)
	_ sqldriver.QueryerContext     = (*conn)(nil)
	_ sqldriver.ConnBeginTx        = (*conn)(nil)
	_ sqldriver.Pinger             = (*conn)(nil)
	_ sqldriver.SessionResetter    = (*conn)(nil)
	_ sqldriver.Validator          = (*conn)(nil)
	_ sqldriver.NamedValueChecker  = (*conn)(nil)
)

func (c *conn) ExecContext(ctx context.Context, query string, args []sqldriver.NamedValue) (sqldriver.Result, error) {
	res, err := c.exec(ctx, query, args)
	if err != nil {
		return nil, err
	}
	return sqlResult{res, c.pool.noInsertID}, nil
}

func (c *conn) QueryContext(ctx context.Context, query string, args []sqldriver.NamedValue) (sqldriver.Rows, error) {
	if err := c.checked(ctx); err != nil {
		return nil, err
	}
	ctx = afterAcquire(ctx)
	r, err := c.query(ctx, query, args, nil)
	if ended, ok := ctx.Value(readKey{}).(func()); ok && err == nil {
		whenRead(r, ended)
	}
	if err == nil && c.readsAhead() {
		r, err = readAhead(r, true)
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

func (c *conn) PrepareContext(ctx context.Context, query string) (sqldriver.Stmt, error) {
	if err := c.checked(ctx); err != nil {
		return nil, err
	}
	n, err := c.prepare(afterAcquire(ctx), query)
	if err != nil {
		return nil, err
	}
	runs, _ := ctx.Value(runKey{}).(func(context.Context))
	return &stmt{c: c, query: query, inputs: n, runs: runs}, nil
}

func (c *conn) BeginTx(ctx context.Context, o sqldriver.TxOptions) (sqldriver.Tx, error) {
	if life, joins := ctx.Value(joinKey{}).(*groupLife); joins {
		return joinedTx{life}, nil
	}
	if err := c.begin(ctx, TxOptions{Isolation: sql.IsolationLevel(o.Isolation), ReadOnly: o.ReadOnly}, true); err != nil {
		if c.wasLost(ctx, err) {
			err = &lostBeginError{err}
		}
		return nil, err
	}
	return sqlTx{c, ctx}, nil
}

// Ping asks the server for an answer.
func (c *conn) Ping(ctx context.Context) error {
	if err := c.enter(ctx, ""); err != nil {
		return err
	}
	defer c.unlock()
	if err := c.s.Ping(ctx); err != nil {
		return c.failed(ctx, err)
	}
	return nil
}

// CheckNamedValue converts an argument as the database wants it. A Value method
// that panics is an error: database/sql would never give the connection back.
func (c *conn) CheckNamedValue(nv *sqldriver.NamedValue) (err error) {
	defer session.RecoverArgument(nv.Ordinal, &err)
	return c.s.Convert(nv)
}

// ResetSession is called when the connection is taken from the pool. Nothing of
// the next statement has been sent yet, so this is the one place that may say
// driver.ErrBadConn: database/sql then takes another connection.
func (c *conn) ResetSession(ctx context.Context) error {
	if !c.s.Usable() {
		return sqldriver.ErrBadConn
	}
	if c.leftovers() {
		return sqldriver.ErrBadConn
	}
	if !c.pool.remote {
		if !c.s.Alive() {
			return sqldriver.ErrBadConn
		}
	} else if idle := time.Since(c.idleFrom); idle >= idleCheck && !c.s.Alive() || idle >= c.pool.idlePing && !c.answers(ctx) {
		c.broken.Store(true)
		return sqldriver.ErrBadConn
	}
	if c.inStrayTx() {
		return sqldriver.ErrBadConn
	}
	if a, ok := ctx.(*acquireCtx); ok {
		a.got = c
	}
	return nil
}

// answers asks a server that was not heard of for long whether it is still
// there: something in between may have forgotten the connection in silence. One that
// does not answer speaks for all that are idle: they are not asked one after the other,
// but dropped.
func (c *conn) answers(ctx context.Context) bool {
	a, _ := ctx.(*acquireCtx)
	ctx, cancel := context.WithTimeout(unwrapAcquire(ctx), a.pingWait())
	defer cancel()
	if a != nil && a.reads { // so that InterruptReads ends it
		c.reads.Store(true)
		defer c.reads.Store(false)
	}
	err := c.s.Ping(ctx)
	if a != nil {
		a.cut = c.cut.Load()
	}
	if err != nil && ended(ctx) != nil {
		c.pool.DropIdle()
		if a != nil {
			a.mute = true
		}
	}
	return err == nil
}

// IsValid is called when the connection goes back to the pool.
func (c *conn) IsValid() bool {
	if c.pool.remote {
		c.idleFrom = time.Now()
	}
	return !c.pool.budget.Wanted() && !c.leftovers() && c.s.Usable() && !c.inStrayTx() && !c.strayed()
}

// inStrayTx reports whether the server is in a transaction that this package
// did not begin.
func (c *conn) inStrayTx() bool {
	s := c.s.TxStatus()
	return s == session.TxOpen || s == session.TxAborted
}

// Close closes the connection. Rows that are still open end with
// sql.ErrConnDone.
func (c *conn) Close() error {
	c.broken.Store(true)
	if c.age != nil {
		c.age.Stop()
	}
	c.pool.ends.closedConn(c)
	c.lockAnyway()
	defer c.unlock()
	if c.counted {
		c.counted = false
		defer c.pool.made.Add(-1)
	}
	if c.budgeted {
		c.budgeted = false
		defer c.pool.budget.Give(false) // the server has let it go by then
	}
	for r := c.cursors; r != nil && c.s.ManyCursors(); r = c.cursors {
		r.closed, r.err = true, sql.ErrConnDone
		_ = r.src.Close()
		c.removeCursor(r)
	}
	return c.s.Close()
}

// Prepare is part of driver.Conn; database/sql calls PrepareContext.
func (c *conn) Prepare(query string) (sqldriver.Stmt, error) {
	return c.PrepareContext(context.Background(), query)
}

// Begin is part of driver.Conn; database/sql calls BeginTx.
func (c *conn) Begin() (sqldriver.Tx, error) {
	return c.BeginTx(context.Background(), sqldriver.TxOptions{})
}

// sqlTx is the transaction of a conn for database/sql.
type sqlTx struct {
	c   *conn
	ctx context.Context //nolint:containedctx // of BeginTx: nobody waits for a rollback longer than rollbackTimeout after its end
}

func (t sqlTx) Commit() error { return t.c.commit(context.Background()) }

func (t sqlTx) Rollback() error {
	if t.ctx.Err() != nil {
		return t.c.rollback(t.ctx)
	}
	return t.c.rollback(context.Background())
}

// stmt is a prepared statement for database/sql: its text, which the session's
// statement cache knows.
type stmt struct {
	c      *conn
	query  string
	inputs int
	runs   func(ctx context.Context) // see WhenRun; nil for nothing
}

func (s *stmt) Close() error  { return nil }
func (s *stmt) NumInput() int { return s.inputs }

func (s *stmt) ExecContext(ctx context.Context, args []sqldriver.NamedValue) (sqldriver.Result, error) {
	ran := s.tells(ctx)
	res, err := s.c.ExecContext(ctx, s.query, args)
	if ran != nil {
		ran(ctx, s.query, err)
	}
	return res, err
}

func (s *stmt) QueryContext(ctx context.Context, args []sqldriver.NamedValue) (sqldriver.Rows, error) {
	ran := s.tells(ctx)
	if ran == nil {
		return s.c.QueryContext(ctx, s.query, args)
	}
	rows, err := s.c.QueryContext(WhenRead(ctx, func() { ran(ctx, s.query, nil) }), s.query, args)
	ran(ctx, s.query, err) // also now: the rows may not be closed for long
	return rows, err
}

// tells is whom the pool tells of statements that are run, nil for nobody: neither of those
// of a Group, which tell who has prepared them before they are run, nor of those in a
// transaction of database/sql's own.
func (s *stmt) tells(ctx context.Context) func(ctx context.Context, query string, err error) {
	if s.runs != nil {
		s.runs(ctx)
		return nil
	}
	ran := s.c.pool.ran.Load()
	if ran == nil || s.c.lent.Load() || s.c.gate.lock(ctx) != nil { // which end the statement as well
		return nil
	}
	defer s.c.unlock()
	if s.c.tx.active {
		return nil
	}
	return *ran
}

// Exec is part of driver.Stmt; database/sql calls ExecContext.
func (s *stmt) Exec(args []sqldriver.Value) (sqldriver.Result, error) {
	return s.ExecContext(context.Background(), named(args))
}

// Query is part of driver.Stmt; database/sql calls QueryContext.
func (s *stmt) Query(args []sqldriver.Value) (sqldriver.Rows, error) {
	return s.QueryContext(context.Background(), named(args))
}

func named(args []sqldriver.Value) []sqldriver.NamedValue {
	out := make([]sqldriver.NamedValue, len(args))
	for i, v := range args {
		out[i] = sqldriver.NamedValue{Ordinal: i + 1, Value: v}
	}
	return out
}

// sqlResult is a Result for database/sql.
type sqlResult struct {
	res  Result
	noID bool
}

func (r sqlResult) RowsAffected() (int64, error) { return r.res.RowsAffected, nil }

func (r sqlResult) LastInsertId() (int64, error) {
	if r.noID {
		return 0, errors.New("LastInsertId is not supported by PostgreSQL: use RETURNING")
	}
	return r.res.LastInsertID, nil
}
