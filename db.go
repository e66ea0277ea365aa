package dbfleet

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// DB is the handle of one named connection: a primary and its replicas. It is
// safe for concurrent use, costs nothing to make and stays valid when the
// connection is replaced.
//
// ExecContext, QueryContext, QueryRowContext and PrepareContext have
// database/sql's signatures and take the database's own SQL and placeholders.
// They run in the transaction that ctx carries for this connection, else on
// the primary; on the handle that Read gives, queries run on a replica. The
// SQL text is not guessed at.
//
// A statement that changes its session (SET, PRAGMA, a temporary table, a
// BEGIN through Primary) costs its connection, so that nobody else meets the
// change; where a function does that (set_config, GET_LOCK) it is not noticed.
type DB struct {
	reg  *Registry
	name string
	read bool
}

// Name is the connection's name.
func (db *DB) Name() string { return db.name }

// Driver is the kind of database, "" for an unknown connection.
func (db *DB) Driver() Driver {
	e, err := db.reg.lookup(db.name)
	if err != nil {
		return ""
	}
	return Driver(e.dialect.Name)
}

// String tells the name.
func (db *DB) String() string { return fmt.Sprintf("dbfleet.DB(%q)", db.name) }

// GoString is String: nothing of the configuration is shown.
func (db *DB) GoString() string { return db.String() }

// Format writes String for every verb.
func (db *DB) Format(f fmt.State, _ rune) { fmt.Fprint(f, db.String()) }

// Primary returns the pool of the primary, for what wants a *sql.DB. It
// belongs to the registry: do not close it. Its sessions are pinned like all
// others; hooks and transactions in a context do not reach what runs through
// it, and a pool that was replaced or removed is closed. With an unknown or
// closed connection, every use of the result fails.
func (db *DB) Primary() *sql.DB {
	e, err := db.reg.lookup(db.name)
	if err != nil {
		return db.reg.failing(db.name, err)
	}
	return e.handle(e.primary)
}

// Replica returns the pool of the next replica in turn, or the primary's when
// the connection has no replica fit to serve. Everything said of Primary holds
// for it.
func (db *DB) Replica() *sql.DB {
	e, err := db.reg.lookup(db.name)
	if err != nil {
		return db.reg.failing(db.name, err)
	}
	if n, _, ok := e.replicas.Pick(0); ok {
		return e.handle(n)
	}
	return e.handle(e.primary)
}

func (e *entry) handle(n *node) *sql.DB {
	p, err := n.open()
	if err != nil {
		return e.reg.failing(e.name, err)
	}
	return p.DB()
}

// Read returns a handle whose queries run on a replica, in turn, or on the
// primary when there is none fit to serve. It refuses ExecContext,
// PrepareContext and Transaction with ErrReadHandle; replicas' sessions refuse
// writes by themselves.
func (db *DB) Read() *DB { return &DB{reg: db.reg, name: db.name, read: true} }

// Ping asks the primary for an answer, or the replica in turn on the handle
// that Read gives.
func (db *DB) Ping(ctx context.Context) error {
	var t target
	err := db.reg.target(ctx, &t, db.name, "named by the handle", &place{primary: !db.read}, false)
	if err != nil {
		return err
	}
	defer t.leave()
	return t.ping(ctx)
}

func (t *target) ping(ctx context.Context) error {
	if t.tx != nil {
		t = &target{e: t.e, node: t.node, index: -1, route: t.route}
	}
	p, err := t.node.open()
	if err != nil {
		return err
	}
	conn, err := p.Acquire(ctx, t.node.wait)
	if err == nil {
		err = conn.Ping(ctx)
		conn.Release()
	}
	t.answered(err)
	return t.route.wrap("ping", "", nil, false, err)
}

// ExecContext runs a statement that returns no rows, on the primary or in the
// transaction of ctx. It is sent once: if its answer is lost the error is
// ErrOutcomeUnknown. Statements that begin or end a transaction are refused:
// use Transaction.
func (db *DB) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if db.read {
		return nil, fmt.Errorf("dbfleet: connection %q: ExecContext: %w", db.name, ErrReadHandle)
	}
	var t target
	err := db.reg.target(ctx, &t, db.name, "named by the handle", &place{}, true)
	if err != nil {
		return nil, err
	}
	defer t.leave()
	return t.rawExec(ctx, query, args)
}

// QueryContext runs a query. The rows must be closed; what goes wrong while
// they are read is told by their Err, and is the driver's error.
func (db *DB) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	var t target
	err := db.reg.target(ctx, &t, db.name, "named by the handle", &place{primary: !db.read}, false)
	if err != nil {
		return nil, err
	}
	defer t.leave()
	return t.rawQuery(ctx, query, args)
}

// QueryRowContext runs a query for at most one row; its error comes from Scan.
func (db *DB) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	var t target
	err := db.reg.target(ctx, &t, db.name, "named by the handle", &place{primary: !db.read}, false)
	if err != nil {
		return failedRow(err)
	}
	defer t.leave()
	return t.rawQueryRow(ctx, query, args)
}

// PrepareContext prepares a statement on the primary's pool, or on the
// transaction's connection. It must be closed. Most callers need none:
// repeated statements are prepared once per connection anyway.
func (db *DB) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	if db.read {
		return nil, fmt.Errorf("dbfleet: connection %q: PrepareContext: %w", db.name, ErrReadHandle)
	}
	var t target
	err := db.reg.target(ctx, &t, db.name, "named by the handle", &place{primary: true}, false)
	if err != nil {
		return nil, err
	}
	defer t.leave()
	return t.rawPrepare(ctx, query)
}

// ExecContext runs a statement in the transaction.
func (tx *Tx) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	var t target
	if err := tx.target(&t); err != nil {
		return nil, err
	}
	return t.rawExec(ctx, query, args)
}

// QueryContext runs a query in the transaction. Rows that are still open at
// the transaction's end are closed by it; while they are open, PostgreSQL and
// MySQL take no other statement (ErrBusy).
func (tx *Tx) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	var t target
	if err := tx.target(&t); err != nil {
		return nil, err
	}
	return t.rawQuery(ctx, query, args)
}

// QueryRowContext runs a query for at most one row in the transaction.
func (tx *Tx) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	var t target
	if err := tx.target(&t); err != nil {
		return failedRow(err)
	}
	return t.rawQueryRow(ctx, query, args)
}

// PrepareContext prepares a statement on the transaction's connection. The
// transaction's end closes it, and its rows.
func (tx *Tx) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	var t target
	if err := tx.target(&t); err != nil {
		return nil, err
	}
	return t.rawPrepare(ctx, query)
}

func (tx *Tx) target(t *target) error {
	if err := tx.usable(); err != nil {
		return err
	}
	t.inTx(tx.st, "the transaction's handle")
	return nil
}

func (t *target) rawExec(ctx context.Context, query string, args []any) (res sql.Result, err error) {
	if err := refuseControl(query, t.e.dialect); err != nil {
		return nil, err
	}
	c := t.begin(ctx, "exec", query, args)
	n := int64(-1)
	err = errPanicked // unless it returns
	defer func() { c.end(&t.route, n, err) }()
	if res, err = t.rawExecOnce(ctx, query, args); err != nil {
		return nil, err
	}
	if affected, affectedErr := res.RowsAffected(); affectedErr == nil {
		n = affected
	}
	return res, nil
}

func (t *target) rawExecOnce(ctx context.Context, query string, args []any) (sql.Result, error) {
	if t.tx != nil {
		t.tx.mu.Lock()
		defer t.tx.mu.Unlock()
		if err := t.tx.ready(); err != nil {
			return nil, err
		}
		res, err := t.tx.conn.SQL().ExecContext(ctx, query, args...)
		return res, t.route.wrap("exec", query, args, false, err)
	}
	conn, err := t.acquire(ctx)
	if err != nil {
		return nil, t.route.wrap("exec", query, args, false, err)
	}
	defer conn.Release()
	res, err := conn.SQL().ExecContext(ctx, query, args...)
	return res, t.route.wrap("exec", query, args, true, err)
}

func (t *target) rawQuery(ctx context.Context, query string, args []any) (rows *sql.Rows, err error) {
	if err := refuseControl(query, t.e.dialect); err != nil {
		return nil, err
	}
	again := false
	for {
		rows, err = t.rawQueryOnce(ctx, query, args)
		if err == nil || t.tx != nil || t.route.Role == RolePrimary || !t.failover(ctx, err, &again) {
			return rows, err
		}
	}
}

func (t *target) rawQueryOnce(ctx context.Context, query string, args []any) (rows *sql.Rows, err error) {
	c := t.begin(ctx, "query", query, args)
	err = errPanicked // unless it returns
	defer func() { c.end(&t.route, -1, err) }()
	if t.tx != nil {
		t.tx.mu.Lock()
		defer t.tx.mu.Unlock()
		if err = t.tx.ready(); err != nil {
			return nil, err
		}
		err = errPanicked
		rows, err = t.tx.conn.SQL().QueryContext(ctx, query, args...)
		if err == nil {
			t.tx.keep(openRows{rows})
		}
		return rows, t.route.wrap("query", query, args, false, err)
	}
	pool, err := t.node.open()
	if err == nil {
		err = errPanicked
		rows, err = pool.QueryContext(ctx, t.node.wait, query, args...)
	}
	t.answered(err)
	return rows, t.route.wrap("query", query, args, true, err)
}

func (t *target) rawQueryRow(ctx context.Context, query string, args []any) *sql.Row {
	if err := refuseControl(query, t.e.dialect); err != nil {
		return failedRow(err)
	}
	again := false
	for {
		row, err := t.rawQueryRowOnce(ctx, query, args)
		if err == nil {
			return row
		}
		if t.tx != nil || t.route.Role == RolePrimary || !t.failover(ctx, err, &again) {
			return failedRow(err)
		}
	}
}

func (t *target) rawQueryRowOnce(ctx context.Context, query string, args []any) (row *sql.Row, err error) {
	c := t.begin(ctx, "query", query, args)
	err = errPanicked // unless it returns
	defer func() { c.end(&t.route, -1, err) }()
	if t.tx != nil {
		t.tx.mu.Lock()
		defer t.tx.mu.Unlock()
		if err = t.tx.ready(); err != nil {
			return nil, err
		}
		err = errPanicked
		row = t.tx.conn.SQL().QueryRowContext(ctx, query, args...)
		t.tx.keep(openRow{row})
		return row, t.route.wrap("query", query, args, false, row.Err())
	}
	pool, err := t.node.open()
	if err == nil {
		err = errPanicked
		row, err = pool.QueryRowContext(ctx, t.node.wait, query, args...)
	}
	t.answered(err)
	return row, t.route.wrap("query", query, args, true, err)
}

func (t *target) rawPrepare(ctx context.Context, query string) (stmt *sql.Stmt, err error) {
	if err := refuseControl(query, t.e.dialect); err != nil {
		return nil, err
	}
	c := t.begin(ctx, "prepare", query, nil)
	defer func() { c.end(&t.route, -1, err) }()
	if t.tx != nil {
		t.tx.mu.Lock()
		defer t.tx.mu.Unlock()
		if err = t.tx.ready(); err != nil {
			return nil, err
		}
		stmt, err = t.tx.conn.Prepare(ctx, query)
		return stmt, t.route.wrap("prepare", query, nil, false, err)
	}
	pool, err := t.node.open()
	if err == nil {
		stmt, err = pool.PrepareContext(ctx, t.node.wait, query)
	}
	return stmt, t.route.wrap("prepare", query, nil, false, err)
}

type openRows struct{ rows *sql.Rows }

func (o openRows) end() { _ = o.rows.Close() }

type openRow struct{ row *sql.Row }

// end closes what the row holds if it was never scanned.
func (o openRow) end() { _ = o.row.Scan() }

// keep remembers what a raw method gave out. st.mu is held.
func (st *txState) keep(o endable) {
	if st.conn.OpenRows() <= 1 { // all earlier ones are closed by now
		st.open = st.open[:0]
	}
	st.open = append(st.open, o)
}

// Stats returns the pool figures of every node of the connection whose pool
// has been opened, by the node's name.
func (db *DB) Stats() map[string]sql.DBStats {
	out := map[string]sql.DBStats{}
	if e, err := db.reg.lookup(db.name); err == nil {
		e.stats(out)
	}
	return out
}

// Stats returns the pool figures of every node of every connection whose pool
// has been opened, by the node's name.
func (r *Registry) Stats() map[string]sql.DBStats {
	out := map[string]sql.DBStats{}
	for _, e := range r.entries.Load().byName {
		e.stats(out)
	}
	return out
}

func (e *entry) stats(out map[string]sql.DBStats) {
	for _, n := range e.nodes() {
		if p := n.pool.Load(); p != nil {
			out[n.name] = p.DB().Stats()
		}
	}
}

// now is the time that records are stamped with: UTC, as precise as every
// database keeps it.
func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }
