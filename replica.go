package dbfleet

import (
	"context"
	"database/sql"

	"github.com/dbfleet/dbfleet/internal/replicaset"
)

// ReplicaPool lends the pool of the next replica in turn, or one of the primary when
// the connection has no replica fit to serve. In both cases its sessions refuse
// writes (but for PostgreSQL behind a Pooler). Everything said of Pool holds for it.
// Each call takes the next one; ReadPrimary does not reach it.
func (db *DB) ReplicaPool() *sql.DB {
	must("DB.ReplicaPool", db.usable())
	e, err := db.reg.lookup(db.name)
	if err != nil {
		return db.reg.failing(db.name, err)
	}
	e.monitor.begin()
	var tried replicaset.Tried[*node]
	if m, resort, ok := e.replicas.Pick(&place{e: e}, &tried); ok && resort != replicaset.Ejected {
		return e.handle(&m.Node().reads)
	}
	return e.handle(&e.primary().reads)
}

// Read returns a handle whose queries run on a replica, in turn, or on the
// primary when there is none fit to serve. It refuses ExecContext,
// PrepareContext and Transaction with ErrReadHandle. A query in SQL that writes is
// ErrReadOnly on either node: it runs on sessions that refuse writes, which the
// primary has for this purpose, bounded as ReadPool says and opened when the first
// such query comes. It is a guard against mistakes and no boundary: a text that
// itself switches its session to writing (SET TRANSACTION READ WRITE, set_config, SET
// STATEMENT, PRAGMA query_only) can write where the server lets its user. What cannot
// be told to a session stays open: PostgreSQL behind a Pooler, and a transaction that
// the context carries.
func (db *DB) Read() *DB {
	if db.usable() != nil {
		return db // which tells it
	}
	return &DB{reg: db.reg, name: db.name, read: true}
}

// Primary is the counterpart of Read: a handle whose tables are read from the
// primary, so that they show what was just written. Raw queries run there anyway.
func (db *DB) Primary() *DB {
	if db.usable() != nil {
		return db // which tells it
	}
	return &DB{reg: db.reg, name: db.name, primary: true}
}

// ReadPrimary returns a context whose reads all go to primaries, whatever reads
// with it and on whichever connection: a request that has just written, or that
// must not see a stale row, reads with it what replicas may not have yet. It wins
// over DB.Read. A transaction that a context carries still takes what is its own.
func ReadPrimary(ctx context.Context) context.Context {
	mustHave("ReadPrimary", "context", ctx != nil)
	return context.WithValue(ctx, readPrimaryKey{}, true)
}

// readPrimaryKey marks the contexts of ReadPrimary.
type readPrimaryKey struct{}
