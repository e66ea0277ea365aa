package dbfleet

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/dbfleet/dbfleet/internal/driver"
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
// BEGIN through Pool) costs its connection, so that nobody else meets the
// change; where a function does that (set_config, GET_LOCK) it is not noticed.
type DB struct {
	reg     *Registry
	name    string
	read    bool   // Read or OnReplica gave it
	primary bool   // Primary gave it
	replica string // OnReplica gave it
}

// Name is the connection's name.
func (db *DB) Name() string {
	must("DB.Name", db.usable())
	return db.name
}

// Driver is the kind of database, "" for an unknown connection.
func (db *DB) Driver() Driver {
	must("DB.Driver", db.usable())
	e, err := db.reg.lookup(db.name)
	if err != nil {
		return ""
	}
	return Driver(e.dialect.Name)
}

// String tells the name.
func (db *DB) String() string {
	if db == nil {
		return "dbfleet.DB(nil)"
	}
	return fmt.Sprintf("dbfleet.DB(%q)", db.name)
}

// GoString is String: nothing of the configuration is shown.
func (db *DB) GoString() string { return db.String() }

// Format writes String for every verb.
func (db *DB) Format(f fmt.State, _ rune) { fmt.Fprint(f, db.String()) }

// Pool lends the pool of the primary to what wants a *sql.DB. It is that of the server
// which is the primary at the time of the call, so with Hosts or Replicas, where another
// may become it, Pool is called anew for each piece of work. (With Hosts the first call
// may take up to two seconds, in which the primary is looked for.) What runs through it
// behaves as with the database's own driver, but for what docs/pools.md lists: its
// sessions are pinned like all others. Hooks and transactions in a context do not
// reach it.
//
// It is the same *sql.DB each time, and takes its connections out of the connection's
// pool for as long as each is used: Config's bounds hold for all together, and who
// waits for one waits at most AcquireTimeout. What its user sets on it bounds only
// what goes through it; its Stats count only that. Its user may close it, and so may
// what it was given to, such as a migration tool: the connection and this handle go
// on, and the next call gives another *sql.DB. A connection that is held (a *sql.Conn)
// without a transaction, open rows or statements does not hold up the end of the
// registry. What is lent of a connection that was replaced or removed is closed. With
// an unknown or closed connection, every use of the result fails.
func (db *DB) Pool() *sql.DB {
	must("DB.Pool", db.usable())
	var n *node
	e, err := db.reg.lookup(db.name)
	if err == nil {
		err = e.oneForAll("DB.Pool")
	}
	if err == nil {
		n, err = e.atPrimary(context.Background())
	}
	if err != nil {
		return db.reg.failing(db.name, err)
	}
	return e.handle(&n.writes)
}

// Ping asks the primary for an answer, or the replica in turn on the handle
// that Read gives. In a transaction that ctx carries for this connection it asks that
// one's: the answer is ErrTxLost when the transaction is lost, and ErrBusy while rows
// are open on PostgreSQL and MySQL.
func (db *DB) Ping(ctx context.Context) error {
	var p place
	if err := db.place(ctx, &p, db.reads()); err != nil {
		return err
	}
	defer p.leave()
	return p.ping(ctx)
}

// ping asks the place's node for an answer. No hook is told.
func (p *place) ping(ctx context.Context) error {
	p.in.session = nil // it reads nothing
	if err := p.choose(ctx, false); err != nil {
		return err
	}
	return p.ask(ctx, pinging{})
}

// ask asks the place's node, which is chosen. No hook is told.
func (p *place) ask(ctx context.Context, x exchange) error {
	s := statement{op: "ping"}
	p.asks(&s)
	_, err := x.exchange(ctx, p, &s)
	return p.ended(&s, nil, unknownRows, err)
}

// pinging is the exchange of a ping.
type pinging struct{}

func (pinging) exchange(ctx context.Context, p *place, _ *statement) (driver.Result, error) {
	c, err := p.hold(ctx)
	if err == nil {
		err = c.Ping(ctx)
		p.letGo(c)
	}
	return unknownRows, err
}

// place decides the place of a call of the handle.
func (db *DB) place(ctx context.Context, p *place, w *wish) error {
	if err := db.usable(); err != nil {
		return err
	}
	return db.reg.place(ctx, p, destination{db.name, "named by the handle"}, w, false)
}

// Stats returns the pool figures of every node of the connection whose pool
// has been opened, by the node's name. The primary's sessions that refuse writes, see
// Read, have a pool of their own, whose name ends in "/read-only".
func (db *DB) Stats() map[string]sql.DBStats {
	must("DB.Stats", db.usable())
	out := map[string]sql.DBStats{}
	if e, err := db.reg.lookup(db.name); err == nil {
		e.stats(out)
	}
	return out
}
