package dbfleet

import (
	"context"
	"database/sql"
	"runtime"

	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/rowmap"
)

// SQL that the caller wrote, by database/sql's four methods.

// ExecContext runs a statement that returns no rows, on the primary or in the
// transaction of ctx. It is sent once: if its answer is lost the error is
// ErrOutcomeUnknown. Statements that begin or end a transaction are refused:
// use Transaction. A zero time.Time among args is NULL, as everywhere.
func (db *DB) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if err := db.writes("ExecContext"); err != nil {
		return nil, err
	}
	var p place
	if err := db.place(ctx, &p, &noWish); err != nil {
		return nil, err
	}
	defer p.leave()
	return p.rawExec(ctx, query, args)
}

// writes refuses what a handle for reads does not do.
func (db *DB) writes(method string) error {
	if err := db.usable(); err != nil {
		return err
	}
	if db.read {
		return errorf("connection %q: %s: %w", db.name, method, ErrReadHandle)
	}
	return nil
}

// reads is the wish of a query of the caller's.
func (db *DB) reads() *wish {
	if db == nil || !db.read {
		return &wish{primary: true}
	}
	return &wish{read: true, replica: db.replica}
}

// QueryContext runs a query. The rows must be closed; what goes wrong while
// they are read is told by their Err, and is the driver's error.
func (db *DB) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	var p place
	if err := db.rawPlace(ctx, &p, query); err != nil {
		return nil, err
	}
	defer p.leave()
	return p.rawQuery(ctx, query, args)
}

// QueryRowContext runs a query for at most one row; its error comes from Scan.
func (db *DB) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	var p place
	if err := db.rawPlace(ctx, &p, query); err != nil {
		return failedRow(err)
	}
	defer p.leave()
	return p.rawQueryRow(ctx, query, args)
}

// rawPlace decides the place of a query in SQL. A handle for reads takes only what is
// known to be a plain read, the same in a transaction and without replicas, and has it
// run where writes are refused beside: what the text calls may be another thing on the
// server than it is known for.
func (db *DB) rawPlace(ctx context.Context, p *place, text string) error {
	if err := db.place(ctx, p, db.reads()); err != nil {
		return err
	}
	if !db.read {
		return nil
	}
	p.guarded = true
	err := db.reg.plain.refuse(db.name, text, p.e.dialect)
	if err != nil {
		p.leave()
	}
	return err
}

// PrepareContext prepares a statement on the primary's pool, or on the
// transaction's connection. It must be closed. Most callers need none:
// repeated statements are prepared once per connection anyway.
//
// A statement is where it was prepared: one of the pool is in no transaction, also with
// the context of one. It takes a connection of its own then, and on a pool of one it
// waits in vain, until its context ends. Prepare it in the transaction, or use
// ExecContext and QueryContext, which join.
//
// Its arguments go from database/sql to the driver: they are not written as models,
// ExecContext and QueryContext write them. The zero time.Time is no NULL there, for
// instance.
func (db *DB) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	if err := db.writes("PrepareContext"); err != nil {
		return nil, err
	}
	var p place
	if err := db.place(ctx, &p, &wish{primary: true}); err != nil {
		return nil, err
	}
	defer p.leave()
	return p.rawPrepare(ctx, query)
}

// ExecContext runs a statement in the transaction.
func (tx *Tx) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	var p place
	if err := tx.place(ctx, &p); err != nil {
		return nil, err
	}
	return p.rawExec(ctx, query, args)
}

// QueryContext runs a query in the transaction. Rows that are still open at
// the transaction's end are closed by it; while they are open, PostgreSQL and
// MySQL take no other statement (ErrBusy).
func (tx *Tx) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	var p place
	if err := tx.place(ctx, &p); err != nil {
		return nil, err
	}
	return p.rawQuery(ctx, query, args)
}

// QueryRowContext runs a query for at most one row in the transaction.
func (tx *Tx) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	var p place
	if err := tx.place(ctx, &p); err != nil {
		return failedRow(err)
	}
	return p.rawQueryRow(ctx, query, args)
}

// PrepareContext prepares a statement on the transaction's connection. The
// transaction's end closes it, and its rows.
func (tx *Tx) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	var p place
	if err := tx.place(ctx, &p); err != nil {
		return nil, err
	}
	return p.rawPrepare(ctx, query)
}

func (tx *Tx) place(ctx context.Context, p *place) error {
	if err := tx.usable(); err != nil {
		return err
	}
	if ctx == nil {
		return noContext(tx.st.e.name)
	}
	asked := txsOf(ctx).wants()
	if err := p.inTxFor(tx, "the transaction's handle", asked); err != nil {
		return err
	}
	p.asked, p.tellTo, p.in.session = asked, asked.route, asked.session
	return nil
}

// refuseControl refuses to turn a transaction behind the library's back. A Conn that
// is in none of the library's is its caller's own.
func (p *place) refuseControl(query string) error {
	if p.on != nil && p.tx == nil {
		return nil
	}
	return refuseControl(query, p.e.dialect)
}

func (p *place) rawExec(ctx context.Context, query string, args []any) (sql.Result, error) {
	if err := p.refuseControl(query); err != nil {
		return nil, errorf("connection %q: %w", p.e.name, err)
	}
	x := &rawExec{}
	s := statement{op: "exec", text: query, args: rowmap.RawArgs(args, p.e.dialect), write: true}
	if _, err := p.send(ctx, &s, x); err != nil {
		return nil, err
	}
	return x.res, nil
}

// rawExec is the exchange of ExecContext.
type rawExec struct{ res sql.Result }

func (x *rawExec) exchange(ctx context.Context, p *place, s *statement) (driver.Result, error) {
	c, err := p.hold(ctx)
	if err != nil {
		return unknownRows, err
	}
	defer p.letGo(c)
	for again := true; again; {
		if x.res, err = c.SQL().ExecContext(ctx, s.text, s.args...); err == nil {
			break
		}
		if again, err = c.BeginsElsewhere(ctx, err); !again {
			return unknownRows, err
		}
	}
	n, err := x.res.RowsAffected()
	if err != nil {
		n = -1
	}
	return driver.Result{RowsAffected: n}, nil
}

// lending is the exchange of what the caller gets to close.
type lending interface {
	exchange
	// takeBack closes it, if the caller never gets it.
	takeBack()
}

// raw sends a query of the caller's.
func (p *place) raw(ctx context.Context, op, query string, args []any, x lending) error {
	if err := p.refuseControl(query); err != nil {
		return errorf("connection %q: %w", p.e.name, err)
	}
	s := statement{op: op, text: query, args: rowmap.RawArgs(args, p.e.dialect), write: !p.guarded, raw: true}
	returned := false
	defer func() {
		if !returned { // a hook ended in a panic, or in runtime.Goexit
			x.takeBack()
		}
	}()
	_, err := p.send(ctx, &s, x)
	returned = true
	return err
}

func (p *place) rawQuery(ctx context.Context, query string, args []any) (*sql.Rows, error) {
	var x rawRows
	err := p.raw(ctx, "query", query, args, &x)
	return x.rows, err
}

// rawRows is the exchange of QueryContext.
type rawRows struct{ rows *sql.Rows }

func (x *rawRows) takeBack() {
	if x.rows != nil {
		_ = x.rows.Close()
	}
}

func (x *rawRows) exchange(ctx context.Context, p *place, s *statement) (driver.Result, error) {
	if p.on != nil {
		c, err := p.hold(ctx)
		if err != nil {
			return unknownRows, err
		}
		defer p.letGo(c)
		group, err := p.lent.of(ctx, c)
		if err == nil {
			x.rows, err = group.Query(ctx, s.text, s.args...)
		}
		return unknownRows, err
	}
	ctx = p.unseen(ctx, s)
	ctx, pool, err := p.pool(ctx)
	if err == nil {
		x.rows, err = pool.QueryContext(ctx, p.node.wait, s.text, s.args...)
	}
	return unknownRows, err
}

func (p *place) rawQueryRow(ctx context.Context, query string, args []any) *sql.Row {
	var x rawRow
	if err := p.raw(ctx, "query", query, args, &x); err != nil {
		return failedRow(err)
	}
	return x.row
}

// rawRow is the exchange of QueryRowContext.
type rawRow struct{ row *sql.Row }

func (x *rawRow) takeBack() {
	if x.row != nil {
		_ = x.row.Scan() // closes what it holds
	}
}

func (x *rawRow) exchange(ctx context.Context, p *place, s *statement) (driver.Result, error) {
	if p.on != nil {
		c, err := p.hold(ctx)
		if err != nil {
			return unknownRows, err
		}
		defer p.letGo(c)
		group, err := p.lent.of(ctx, c)
		if err != nil {
			return unknownRows, err
		}
		x.row = group.QueryRow(ctx, s.text, s.args...)
		return unknownRows, x.row.Err()
	}
	ctx = p.unseen(ctx, s)
	ctx, pool, err := p.pool(ctx)
	if err == nil {
		x.row, err = pool.QueryRowContext(ctx, p.node.wait, s.text, s.args...)
	}
	return unknownRows, err
}

func (p *place) rawPrepare(ctx context.Context, query string) (*sql.Stmt, error) {
	var x rawPrepare
	err := p.raw(ctx, "prepare", query, nil, &x)
	return x.stmt, err
}

// rawPrepare is the exchange of PrepareContext.
type rawPrepare struct{ stmt *sql.Stmt }

func (x *rawPrepare) takeBack() {
	if x.stmt != nil {
		_ = x.stmt.Close()
	}
}

func (x *rawPrepare) exchange(ctx context.Context, p *place, s *statement) (driver.Result, error) {
	if p.on != nil {
		c, err := p.hold(ctx)
		if err != nil {
			return unknownRows, err
		}
		defer p.letGo(c)
		group, err := p.lent.of(ctx, c)
		if err == nil {
			h, text := p.on, s.text
			x.stmt, err = group.Prepare(driver.WhenRun(ctx, func(ctx context.Context) { h.runsPrepared(ctx, text) }), text)
		}
		return unknownRows, err
	}
	ctx = p.unseen(ctx, s)
	ctx, pool, err := p.pool(ctx)
	if err == nil {
		pool.TellRuns(p.e.ranPrepared)
		x.stmt, err = pool.PrepareContext(ctx, p.node.wait, s.text)
		if p.e.of != nil && err == nil {
			p.e.prepared.Add(1)
			runtime.AddCleanup(x.stmt, func(e *entry) { e.prepared.Add(-1) }, p.e)
		}
	}
	return unknownRows, err
}
