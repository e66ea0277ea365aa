package dbfleet

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"sync/atomic"

	"github.com/dbfleet/dbfleet/internal/driver"
)

// Conn is one connection to a server that its holder has alone, for what belongs to
// a session: LISTEN and NOTIFY, COPY, advisory locks, temporary tables, variables.
// DB.Conn gives it.
//
// Its methods may be called by several goroutines; statements run one at a time, and
// get ErrBusy while Raw runs or, on PostgreSQL and MySQL, rows are open. Once the
// function that got it has returned, every method fails with sql.ErrConnDone.
type Conn struct {
	place   place       // where its statements go
	tx      *Tx         // the transaction that it is part of, nil outside of one
	read    bool        // of a handle for reads
	session *Session    // of the context that it was asked for with, nil for none
	done    atomic.Bool // the function has returned
	lent    lent        // what it gave out, for its end to close
}

// Conn takes a connection out of the pool, as AcquireTimeout and ctx allow, and gives
// it to fn: one to the primary, or on the handle that Read gives to a replica in turn.
// The context that fn gets ends when fn returns. What runs with it through other
// handles takes connections of its own: with a pool of one it waits in vain. Close
// and Remove of the registry wait for fn.
//
// In a transaction on the same connection, which ctx carries, c is that
// transaction's own: what it does is part of it, COPY through Raw too, and is undone
// with it. Statements that begin or end a transaction are refused then. Otherwise
// they are sent: BEGIN and COMMIT are the caller's.
//
//	err := db.Conn(ctx, func(ctx context.Context, c *dbfleet.Conn) error {
//		if _, err := c.ExecContext(ctx, "LISTEN jobs"); err != nil {
//			return err
//		}
//		return c.Raw(func(driverConn any) error {
//			told, err := driverConn.(*pgx.Conn).WaitForNotification(ctx)
//			…
//
// When fn returns, panics or ends its goroutine, rows that it has left open are
// closed, and the connection goes back to the pool only if it is known to be as it
// was: plain reads alone were sent. After anything else it is closed, and an open
// transaction is rolled back by that: it cannot be seen what Raw, a statement or a
// function that it calls has left in the session.
func (db *DB) Conn(ctx context.Context, fn func(ctx context.Context, c *Conn) error) error {
	if err := db.usable(); err != nil {
		return err
	}
	if fn == nil {
		return errorf("connection %q: Conn: the function is nil", db.name)
	}
	if tx := txOf(ctx, db.reg, db.name); tx != nil {
		return tx.conn(ctx, fn, db.read)
	}
	var p place
	if err := db.place(ctx, &p, db.reads()); err != nil {
		return err
	}
	defer p.leave()
	p.guarded = db.read
	conn, err := p.pin(ctx)
	if err != nil {
		return err
	}
	conn.Keep()
	h := &held{e: p.e, node: p.node, conn: conn, pinned: true}
	defer h.giveBack(ctx)
	c := &Conn{read: db.read, session: SessionOf(ctx), place: place{e: p.e, on: h, node: p.node, route: p.route}}
	c.place.lent = &c.lent
	return c.lend(ctx, fn)
}

// conn is DB.Conn on the connection of the transaction.
func (tx *Tx) conn(ctx context.Context, fn func(context.Context, *Conn) error, read bool) error {
	if err := tx.usable(); err != nil {
		return err
	}
	c := &Conn{tx: tx, read: read, session: SessionOf(ctx)}
	if err := c.place.inTxFor(tx, "the transaction in the context", txsOf(ctx).wants()); err != nil {
		return err
	}
	c.place.lent = &c.lent
	return c.lend(ctx, fn)
}

// lend gives c to fn until that returns.
func (c *Conn) lend(ctx context.Context, fn func(context.Context, *Conn) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // last: what is still read would end with its context
	defer c.endLent()
	defer c.done.Store(true)
	return fn(ctx, c)
}

// endLent closes the rows and statements that fn has left open.
func (c *Conn) endLent() {
	h := c.place.on
	h.gate.LockAnyway()
	defer h.gate.Unlock()
	if h.pinned && h.conn.OpenRows() > 0 {
		h.conn.Spoil() // where a transaction would go on is not known
	}
	c.lent.finish(connDone(c.place.e))
}

// pin takes a connection to the place's node, or to another that may take its turn.
func (p *place) pin(ctx context.Context) (*driver.Conn, error) {
	s := statement{op: "connect"}
	for again := false; ; {
		if err := p.chooses(ctx, false); err != nil {
			return nil, err
		}
		p.asks(&s)
		c, err := p.hold(ctx)
		if err = p.ended(&s, nil, unknownRows, err); err == nil {
			return c, nil
		}
		if p.refind(ctx, &s, err) {
			continue
		}
		if err = p.failover(ctx, &s, err, &again); err != nil {
			return nil, err
		}
	}
}

// giveBack releases the connection of a Conn.
func (h *held) giveBack(ctx context.Context) {
	h.gate.LockAnyway()
	defer h.gate.Unlock()
	h.learn(ctx, nil)
	h.mu.Lock()
	h.done = true
	h.mu.Unlock()
	h.conn.Release()
}

// begin decides the place of a statement.
func (c *Conn) begin(ctx context.Context, p *place, query string) error {
	if err := c.given(); err != nil {
		return err
	}
	if ctx == nil {
		return noContext(c.place.e.name)
	}
	if c.done.Load() {
		return connDone(c.place.e)
	}
	if c.tx != nil {
		if err := c.tx.usable(); err != nil {
			return err
		}
	}
	asked := txsOf(ctx).wants()
	if err := c.serves(asked); err != nil {
		return err
	}
	*p = c.place
	p.tellTo = asked.route
	session := cmp.Or(SessionOf(ctx), c.session)
	if what, plain := notPlainOn(query, p.e.dialect); !plain {
		if c.read {
			return notPlain(p.e.name, what)
		}
		p.on.spoil()
		c.writesIn(session)
	}
	if session != nil && p.on.node.role() == RolePrimary {
		p.on.readsIn(session)
	}
	return nil
}

// serves refuses the context of another tenant than that with which it was asked for.
func (c *Conn) serves(a *asked) error {
	switch of := c.place.route.Tenant; {
	case a.tenantFault != nil:
		return a.tenantFault
	case of != "" && (a.across || a.tenant != "" && a.tenant != of):
		return errorf("connection %q: the Conn is the tenant %q's, the context is not: %w", c.place.e.name, of, ErrOtherTenant)
	}
	return nil
}

// writesIn notes that what follows may write, for a session; nil is none.
func (c *Conn) writesIn(s *Session) {
	h := c.place.on
	if s == nil || c.read {
		return
	}
	h.writesIn(s)
	if h.pinned {
		s.pin(h.e, false) // until it ends
	}
}

// connDone is the error of a Conn whose function has returned.
func connDone(e *entry) error {
	return &endedError{e.name, "Conn on connection", sql.ErrConnDone, nil}
}

// spoil keeps the connection from going back to its pool.
func (h *held) spoil() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.done {
		h.conn.Spoil()
	}
}

// refuse refuses what a handle for reads does not have.
func (c *Conn) refuse(method string) error {
	if c.given() == nil && c.read {
		return errorf("connection %q: Conn.%s: %w", c.place.e.name, method, ErrReadHandle)
	}
	return nil
}

// ExecContext runs a statement that returns no rows. A Conn of a handle for reads
// refuses it with ErrReadHandle.
func (c *Conn) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if err := c.refuse("ExecContext"); err != nil {
		return nil, err
	}
	var p place
	if err := c.begin(ctx, &p, query); err != nil {
		return nil, err
	}
	return p.rawExec(ctx, query, args)
}

// QueryContext runs a query. The rows must be closed before the next statement on
// PostgreSQL and MySQL.
func (c *Conn) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	var p place
	if err := c.begin(ctx, &p, query); err != nil {
		return nil, err
	}
	return p.rawQuery(ctx, query, args)
}

// QueryRowContext runs a query for at most one row; its error comes from Scan.
func (c *Conn) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	var p place
	if err := c.begin(ctx, &p, query); err != nil {
		return failedRow(err)
	}
	return p.rawQueryRow(ctx, query, args)
}

// PrepareContext prepares a statement on the connection, for as long as Conn has it.
// A Conn of a handle for reads refuses it with ErrReadHandle.
func (c *Conn) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	if err := c.refuse("PrepareContext"); err != nil {
		return nil, err
	}
	var p place
	if err := c.begin(ctx, &p, query); err != nil {
		return nil, err
	}
	return p.rawPrepare(ctx, query)
}

// Raw calls fn with the driver's own connection: a *pgx.Conn on PostgreSQL, the
// database/sql/driver.Conn of go-sql-driver/mysql or modernc.org/sqlite elsewhere, or
// the Connector's. It is fn's until fn returns; other statements of the Conn get
// ErrBusy meanwhile, those of a transaction that it is part of too. No hook sees what
// fn sends, and nothing bounds it but the context that fn gives to the driver. In a
// transaction a savepoint is set before fn and released after it: a transaction that fn
// ends, also if it begins another one, is lost to the library (ErrTxLost), with
// ErrTxCommitted or ErrOutcomeUnknown where something of it is written or may be.
// Savepoints that fn leaves open end with that, and what PostgreSQL refuses behind a
// savepoint (SET TRANSACTION, exporting a snapshot) it refuses fn in a transaction.
//
// Raw returns the error of fn as it is. It fails with ErrBusy while rows are open
// on PostgreSQL and MySQL.
func (c *Conn) Raw(fn func(driverConn any) error) error {
	if err := c.given(); err != nil {
		return err
	}
	if fn == nil {
		return errorf("connection %q: Conn.Raw: the function is nil", c.place.e.name)
	}
	driverConn, back, err := c.raw()
	if err != nil {
		return err
	}
	defer back()
	return fn(driverConn)
}

func (c *Conn) raw() (driverConn any, back func(), err error) {
	var p place
	if err := c.begin(context.Background(), &p, ""); err != nil {
		return nil, nil, err
	}
	p.on.wrote.Store(true)
	c.writesIn(c.session)
	conn, err := p.hold(context.Background())
	if err == nil {
		driverConn, back, err = conn.Lend()
		p.letGo(conn)
	}
	return driverConn, back, p.wrap(&statement{op: "raw"}, err)
}

// String tells the connection.
func (c *Conn) String() string {
	if c.given() != nil {
		return "dbfleet.Conn(nil)"
	}
	return fmt.Sprintf("dbfleet.Conn(%q)", c.place.e.name)
}

// Format writes String for every verb.
func (c *Conn) Format(f fmt.State, _ rune) { fmt.Fprint(f, c.String()) }
