// Package drivertest is a database that answers from memory, for tests and
// benchmarks of what lies above the driver: answers by statement, failures at
// the call that one chooses, latency.
package drivertest

import (
	"context"
	"database/sql/driver"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	dbdriver "github.com/dbfleet/dbfleet/internal/driver"
)

// An Answer is what the database says to a statement. The zero Answer is no
// rows, no error.
type Answer struct {
	Columns []string
	Types   []string // DatabaseTypeName of each column; may be shorter
	Rows    [][]driver.Value
	// RowsAffected and LastInsertID are told for a statement without rows.
	RowsAffected, LastInsertID int64
	// Err is returned in place of an answer, or, if RowsErr, after the rows.
	Err     error
	RowsErr bool
	// Latency passes before the answer, or the context ends it.
	Latency time.Duration
}

// DB is the database. It is a driver.Connector and safe for concurrent use.
type DB struct {
	mu       sync.Mutex
	answers  map[string]*Answer
	fallback *Answer
	failures map[int64]error
	log      []string

	calls   atomic.Int64
	watched atomic.Bool // calls are recorded or may fail
	record  bool
	open    atomic.Int64
}

// New returns a database that knows no statement: it answers each with nothing.
func New() *DB {
	return &DB{answers: map[string]*Answer{}, fallback: &Answer{}, failures: map[int64]error{}}
}

// On sets the answer to a statement of exactly that text.
func (d *DB) On(query string, a Answer) *DB {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.answers[query] = &a
	return d
}

// Otherwise sets the answer to all statements that On did not name.
func (d *DB) Otherwise(a Answer) *DB {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fallback = &a
	return d
}

// FailAt makes the call number k fail, counted from 1 over all connections.
// Calls are: CONNECT, PING, BEGIN, COMMIT, ROLLBACK, each statement and the
// reading of each row ("NEXT").
func (d *DB) FailAt(k int, err error) *DB {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failures[int64(k)] = err
	d.watched.Store(true)
	return d
}

// Record makes Log work.
func (d *DB) Record() *DB {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.record = true
	d.watched.Store(true)
	return d
}

// Log is the calls so far, if Record was called.
func (d *DB) Log() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.log)
}

// Calls is how many calls there were.
func (d *DB) Calls() int { return int(d.calls.Load()) }

// Reset forgets the log, the count of calls and the failures.
func (d *DB) Reset() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.log = nil
	clear(d.failures)
	d.watched.Store(d.record)
	d.calls.Store(0)
}

// OpenConns is how many connections are open.
func (d *DB) OpenConns() int { return int(d.open.Load()) }

// Pool opens a pool on the database.
func (d *DB) Pool(o dbdriver.Options) *dbdriver.Pool { return dbdriver.OpenConnector(o, d) }

// call counts a call and says whether it fails.
func (d *DB) call(what string) error {
	k := d.calls.Add(1)
	if !d.watched.Load() {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.record {
		d.log = append(d.log, what)
	}
	return d.failures[k]
}

func (d *DB) answer(ctx context.Context, query string) (*Answer, error) {
	if err := d.call(query); err != nil {
		return nil, err
	}
	d.mu.Lock()
	a := d.answers[query]
	if a == nil {
		a = d.fallback
	}
	d.mu.Unlock()
	if a.Latency > 0 {
		t := time.NewTimer(a.Latency)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if a.Err != nil && !a.RowsErr {
		return nil, a.Err
	}
	return a, nil
}

// Connect is part of driver.Connector.
func (d *DB) Connect(ctx context.Context) (driver.Conn, error) {
	if err := d.call("CONNECT"); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	d.open.Add(1)
	return &conn{d: d}, nil
}

// Driver is part of driver.Connector.
func (d *DB) Driver() driver.Driver { return noDriver{} }

type noDriver struct{}

func (noDriver) Open(string) (driver.Conn, error) { return nil, driver.ErrBadConn }

// conn is a connection to a DB.
type conn struct{ d *DB }

func (c *conn) Close() error {
	c.d.open.Add(-1)
	return nil
}

func (c *conn) Prepare(query string) (driver.Stmt, error) { return &stmt{c: c, query: query}, nil }

func (c *conn) Begin() (driver.Tx, error) {
	return c.BeginTx(context.Background(), driver.TxOptions{})
}

func (c *conn) BeginTx(ctx context.Context, _ driver.TxOptions) (driver.Tx, error) {
	if _, err := c.d.answer(ctx, "BEGIN"); err != nil {
		return nil, err
	}
	return tx{c}, nil
}

func (c *conn) Ping(ctx context.Context) error {
	_, err := c.d.answer(ctx, "PING")
	return err
}

func (c *conn) CheckNamedValue(*driver.NamedValue) error { return nil }

func (c *conn) ExecContext(ctx context.Context, query string, _ []driver.NamedValue) (driver.Result, error) {
	a, err := c.d.answer(ctx, query)
	if err != nil {
		return nil, err
	}
	return result{a}, nil
}

func (c *conn) QueryContext(ctx context.Context, query string, _ []driver.NamedValue) (driver.Rows, error) {
	a, err := c.d.answer(ctx, query)
	if err != nil {
		return nil, err
	}
	return &rows{d: c.d, a: a}, nil
}

type tx struct{ c *conn }

func (t tx) Commit() error {
	_, err := t.c.d.answer(context.Background(), "COMMIT")
	return err
}

func (t tx) Rollback() error {
	_, err := t.c.d.answer(context.Background(), "ROLLBACK")
	return err
}

type stmt struct {
	c     *conn
	query string
}

func (s *stmt) Close() error  { return nil }
func (s *stmt) NumInput() int { return -1 }

func (s *stmt) Exec([]driver.Value) (driver.Result, error) {
	return s.ExecContext(context.Background(), nil)
}

func (s *stmt) Query([]driver.Value) (driver.Rows, error) {
	return s.QueryContext(context.Background(), nil)
}

func (s *stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	return s.c.ExecContext(ctx, s.query, args)
}

func (s *stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return s.c.QueryContext(ctx, s.query, args)
}

// result is an Answer as the outcome of a statement without rows.
type result struct{ a *Answer }

func (r result) LastInsertId() (int64, error) { return r.a.LastInsertID, nil }
func (r result) RowsAffected() (int64, error) { return r.a.RowsAffected, nil }

// rows are an Answer's.
type rows struct {
	d *DB
	a *Answer
	i int
}

func (r *rows) Columns() []string { return r.a.Columns }
func (r *rows) Close() error      { return nil }

func (r *rows) ColumnTypeDatabaseTypeName(i int) string {
	if i < len(r.a.Types) {
		return r.a.Types[i]
	}
	return ""
}

func (r *rows) Next(dest []driver.Value) error {
	if err := r.d.call("NEXT"); err != nil {
		return err
	}
	if r.i == len(r.a.Rows) {
		if r.a.Err != nil {
			return r.a.Err
		}
		return io.EOF
	}
	copy(dest, r.a.Rows[r.i])
	r.i++
	return nil
}
