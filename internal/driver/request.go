package driver

import (
	"context"
	sqldriver "database/sql/driver"
	"sync"
	"time"

	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// A Stage says how far a statement of Pool.Query has come.
type Stage uint8

// The stages, in their order.
const (
	StageAcquire Stage = iota // no connection was had
	StageSend                 // the statement failed before it had rows
	StageRead                 // its rows were read
)

// Exec acquires a connection, runs a statement without rows on it and releases
// it: what Acquire, Conn.Exec and Release do, and their errors, at a fraction of
// the cost. had is false when no connection was had.
func (p *Pool) Exec(ctx context.Context, wait time.Duration, query string, args []any) (res Result, had bool, err error) {
	r := requests.Get().(*request)
	if !r.take(query, args) {
		return p.execAcquired(ctx, wait, query, args)
	}
	if err := r.on(ctx, p, wait); err != nil {
		r.free()
		return Result{}, false, err
	}
	res, err = r.result, r.err
	r.free()
	return res, true, err
}

// execAcquired is Exec for arguments with methods of the program's own.
func (p *Pool) execAcquired(ctx context.Context, wait time.Duration, query string, args []any) (Result, bool, error) {
	c, err := p.Acquire(ctx, wait)
	if err != nil {
		return Result{}, false, err
	}
	defer c.Release()
	res, err := c.Exec(ctx, query, args)
	return res, true, err
}

// A Reader reads the rows of a query and tells how many it has read.
type Reader interface {
	ReadRows(rows Rows) (int64, error)
}

// A ReaderFunc is a function as a Reader.
type ReaderFunc func(rows Rows) (int64, error)

// ReadRows calls the function.
func (f ReaderFunc) ReadRows(rows Rows) (int64, error) { return f(rows) }

// Query acquires a connection, runs a statement with rows on it, gives them to
// read, which returns how many it has read, closes them and releases the
// connection: what Acquire, Conn.Query, Rows.Close and Release do, and their
// errors, at a fraction of the cost. If one is not "", it is InsertRows. stage
// says what has failed if err is not nil.
//
// read calls no code of the program's own and keeps nothing of the rows: if it
// ends its goroutine, the connection is lost to the pool. If it panics, the
// connection is given up, and Query panics with the same value.
func (p *Pool) Query(ctx context.Context, wait time.Duration, query string, args []any, one string, read Reader) (n int64, stage Stage, err error) {
	r := requests.Get().(*request)
	if !r.take(query, args) {
		return p.queryAcquired(ctx, wait, query, args, one, read)
	}
	r.one, r.read = one, read
	if err := r.on(ctx, p, wait); err != nil {
		r.free()
		return 0, StageAcquire, err
	}
	n, stage, err = r.n, r.stage, r.err
	r.free()
	return n, stage, err
}

// queryAcquired is Query for arguments with methods of the program's own.
func (p *Pool) queryAcquired(ctx context.Context, wait time.Duration, query string, args []any, one string, read Reader) (int64, Stage, error) {
	c, err := p.Acquire(ctx, wait)
	if err != nil {
		return 0, StageAcquire, err
	}
	defer c.Release()
	ask := func() (Rows, error) {
		if one != "" {
			return c.InsertRows(ctx, query, args, one)
		}
		return c.Query(ctx, query, args)
	}
	rows, err := ask()
	if err != nil {
		return 0, StageSend, err
	}
	defer func() { _ = rows.Close() }() // also when read panics
	n, err := read.ReadRows(rows)
	if closeErr := rows.Close(); err == nil {
		err = closeErr
	}
	return n, StageRead, err
}

// request is one statement on its way to a connection of its own.
//
// database/sql has one call that takes a connection, does something with it and
// gives it back, and that allocates nothing: PingContext. Its context leads the
// connection to the request, and the connection's Ping serves it. PingContext
// looks for another connection as long as taking one fails, and pings once: a
// statement is never run twice. While it runs, database/sql holds the lock of the
// connection: closing a *sql.Stmt that was prepared on it waits.
type request struct {
	acquire acquireCtx
	query   string
	one     string
	args    []sqldriver.NamedValue
	kinds   session.Kinds
	read    Reader // nil for a statement without rows

	// What came of it.
	stage    Stage
	result   Result
	n        int64
	err      error
	ended    bool
	panicked any
	rows     cellCursor
}

var requests = sync.Pool{New: func() any {
	r := &request{}
	r.acquire.request = r
	return r
}}

// take makes r the request of a statement. It reports false, and frees r, when
// sending the arguments may call methods of the program's own.
func (r *request) take(query string, args []any) bool {
	r.query = query
	if r.args, r.kinds = numbered(r.args, args); r.kinds&session.KindOther != 0 {
		r.free()
		return false
	}
	return true
}

// on has the request served on a connection. Its error says that none was had.
func (r *request) on(ctx context.Context, p *Pool, wait time.Duration) error {
	if err := ctx.Err(); err != nil {
		return &NotSentError{Err: err}
	}
	a := &r.acquire
	a.Context, a.wait = ctx, wait
	err := p.db.PingContext(a)
	switch {
	case !a.stopped:
		timedOut, waited := a.stop()
		return p.acquireError(ctx, err, wait, timedOut, waited)
	case !r.ended:
		panic(r.panicked)
	}
	return nil
}

// serve runs the request on the connection that was had for it. A panic waits in
// the request until the connection is back: database/sql would not release it.
func (r *request) serve(c *conn) {
	ctx := had(&r.acquire)
	defer func() {
		if !r.ended {
			c.broken.Store(true) // nobody knows what state it is in
			r.panicked = recover()
		}
	}()
	r.run(ctx, c)
	r.ended = true
}

func (r *request) run(ctx context.Context, c *conn) {
	r.stage = StageSend
	if r.err = c.convertAll(r.args, r.kinds); r.err != nil {
		return
	}
	if r.read == nil {
		r.result, r.err = c.exec(ctx, r.query, r.args)
		return
	}
	rows, err := r.ask(ctx, c)
	if err != nil {
		r.err = err
		return
	}
	r.stage = StageRead
	r.n, r.err = r.read.ReadRows(rows)
	if err := rows.Close(); r.err == nil {
		r.err = err
	}
}

func (r *request) ask(ctx context.Context, c *conn) (Rows, error) {
	if r.one != "" {
		if s, ok := c.s.(session.RowInserter); ok {
			if rows, err := c.insertRows(ctx, s, r.one, r.args, &r.rows); rows != nil || err != nil {
				return rows, err
			}
		}
	}
	return c.query(ctx, r.query, r.args, &r.rows)
}

// free gives the request back for another statement, unless something may still
// look at its context: the timer of a wait.
func (r *request) free() {
	a := &r.acquire
	if a.calls > 1 {
		return
	}
	a.Context, a.wait, a.calls, a.got, a.stopped = nil, 0, 0, nil, false
	r.query, r.one, r.args, r.read = "", "", emptied(r.args), nil
	r.result, r.n, r.err, r.ended = Result{}, 0, nil, false
	if r.rows.src != nil {
		r.rows = cellCursor{}
	}
	requests.Put(r)
}
