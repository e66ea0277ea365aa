package dbfleet

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/dbfleet/dbfleet/internal/replicaset"
)

// ReplicaPool lends the pool of the next replica in turn, or one of the primary when
// the connection has no replica fit to serve. In both cases its sessions refuse
// writes (but for PostgreSQL behind a Pooler). Everything said of Pool holds for it.
// Each call takes the next one; ReadPrimary does not reach it. ReadsConfig.MaxLag and
// WhenStale hold for the moment of the call, and of a name with several servers behind it
// for the one that the library asks: where they allow no node, every use of the result
// fails with ErrStale or ErrNoReplica. Of PostgreSQL the first call waits up to five seconds
// until replicas have told whose data they have, as the first read does.
//
// A replica that is known not to answer is not lent while another node may serve: take
// it anew for each piece of work instead of keeping it. What was lent stays at its node,
// whatever becomes of that: what goes through it is not asked elsewhere, is not bounded
// but by its context, and teaches nothing about the node, which the library's own
// questions watch over. Those end what waits for a node that is silent, on a lent pool
// too.
func (db *DB) ReplicaPool() *sql.DB {
	must("DB.ReplicaPool", db.usable())
	var p place
	e, err := db.reg.lookup(db.name)
	if err == nil {
		err = e.oneForAll("DB.ReplicaPool")
	}
	if err == nil {
		p = place{e: e, guarded: true, maxLag: e.config.Reads.MaxLag}
		e.monitor.begin()
		switch {
		case db.replica != "":
			if p.only, err = e.replicaNamed(db.replica); err == nil {
				err = p.toOnly(context.Background())
			}
			if err != nil {
				return db.reg.failing(db.name+"/"+db.replica, err)
			}
		case e.replicas.Len() == 0:
			err = p.toPrimary(context.Background(), "")
		default:
			err = p.toReplica(context.Background())
		}
	}
	switch { // one of each kind is kept, whose figures would not be those of the next
	case errors.Is(err, ErrStale):
		return db.reg.failing(db.name+"/stale", errorf("connection %q: %w", db.name, ErrStale))
	case errors.Is(err, ErrNoReplica):
		return db.reg.failing(db.name+"/none", errorf("connection %q: %w", db.name, ErrNoReplica))
	case err != nil:
		return db.reg.failing(db.name, err)
	}
	return e.handle(p.node)
}

// Read returns a handle whose queries run on a replica, in turn, or on the
// primary when there is none fit to serve. It refuses ExecContext,
// PrepareContext and Transaction with ErrReadHandle.
//
// SQL of the caller's own is refused with ErrReadHandle too where it is not known to be a
// plain read, before it is sent, the same with and without replicas and in a transaction:
// what writes or locks, SELECT … INTO, several statements, EXPLAIN ANALYZE, a function
// that is not known to be without effect (nextval, pg_advisory_lock, GET_LOCK, one of the
// program's own). The error names the word or the function; send such SQL by the handle
// itself. What is sent runs on sessions that refuse writes, which the primary has for
// this purpose too, bounded as ReadPool says and opened when the first such query comes;
// PostgreSQL behind a Pooler has none. All this is a guard against mistakes and no
// security boundary: a function that looks harmless may write, as may one of the program's
// own that has the name of one of the database's. For a boundary use an account that has no
// right to write.
func (db *DB) Read() *DB {
	if db.usable() != nil {
		return db // which tells it
	}
	return &DB{reg: db.reg, name: db.name, read: true}
}

// OnReplica is Read for the replica of that name, and no other node; see Query.OnReplica.
// A connection that has no such replica is told when the handle is used, by an
// *UnknownReplicaError. It panics if name is empty.
func (db *DB) OnReplica(name string) *DB {
	if db.usable() != nil {
		return db // which tells it
	}
	if name == "" {
		panic(prefix + "DB.OnReplica: the name of the replica is empty")
	}
	return &DB{reg: db.reg, name: db.name, read: true, replica: name}
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
// over DB.Read, not over OnReplica. A transaction that a context carries still takes what
// is its own.
func ReadPrimary(ctx context.Context) context.Context {
	mustHave("ReadPrimary", "context", ctx != nil)
	return askingFor(ctx, func(a *asked) { a.primary = true })
}

// MaxLag returns a context whose reads show no older rows than those of d ago, on whichever
// connection; see Query.MaxLag, which counts more, and ReadsConfig.MaxLag, which counts
// less. It panics if d is not more than 0, or ctx is nil.
func MaxLag(ctx context.Context, d time.Duration) context.Context {
	mustHave("MaxLag", "context", ctx != nil)
	if d <= 0 {
		panic(prefix + "MaxLag: it takes how stale a replica may be, more than nothing; ReadPrimary reads what is fresh")
	}
	return askingFor(ctx, func(a *asked) { a.maxLag = d })
}

var _ replicaset.Wants[*node] = (*place)(nil)
