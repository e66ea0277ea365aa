package dbfleet

import (
	"context"
	"database/sql"
	"errors"
	"strconv"

	"github.com/dbfleet/dbfleet/internal/driver"
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
	if n, _, ok := e.replicas.Pick(0, (*node).servesReads); ok {
		return e.handle(n)
	}
	return e.handle(e.primary().reader())
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

// toReplica takes the next replica in turn, or the primary when none is fit.
func (p *place) toReplica() {
	n, i, ok := p.e.replicas.Pick(p.tried, (*node).servesReads)
	if !ok {
		p.toPrimary("; no replica is fit")
		return
	}
	p.node, p.index = n, i
	if i < 64 {
		p.tried |= 1 << i
	}
	p.route.Node, p.route.Role, p.route.more = n.name, n.role(), "; a replica in turn"
}

// answered tells the replica set how the node did. A caller who did not wait says
// nothing about it; one whose deadline passed in silence, a little.
func (p *place) answered(err error) {
	if p.index < 0 {
		return
	}
	if err == nil {
		p.e.replicas.Answered(p.index)
		return
	}
	problem := driver.Classify(err)
	switch {
	case isAcquireTimeout(err):
	case unreachable(err):
		p.e.replicas.Failed(p.index)
	case problem.Class == driver.Timeout && (problem.Unanswered || isConnectError(err)):
		p.e.replicas.Silent(p.index)
	case !problem.NotSent && !problem.Unanswered:
		p.e.replicas.Answered(p.index) // with an error of the statement
	}
}

func isAcquireTimeout(err error) bool {
	var a *driver.AcquireTimeoutError
	return errors.As(err, &a)
}

func isConnectError(err error) bool {
	var c *driver.ConnectError
	return errors.As(err, &c)
}

// unreachable says that the node cannot serve, whoever asks.
func unreachable(err error) bool {
	var silence *driver.SilenceError
	switch driver.Classify(err).Class {
	case driver.Connection, driver.TooManyConnections:
		return true
	case driver.Auth: // not of a table
		return isConnectError(err)
	case driver.Timeout:
		return errors.As(err, &silence)
	}
	return false
}

// failover decides whether a statement that err ended may be asked again, and
// where: the next replica, the primary when all have been tried, and once more the
// primary itself if a connection of it was lost. again remembers that.
//
// Only a plain read is asked again, or what a replica was asked, whose session
// refuses writes.
func (p *place) failover(ctx context.Context, s *statement, err error, again *bool) bool {
	if p.on != nil || s.write && p.route.Role == RolePrimary || ctx.Err() != nil || !unreachable(err) {
		return false
	}
	if p.index >= 0 {
		if p.index >= 64 {
			return false
		}
		p.route.Reason = "failover from " + strconv.Quote(p.route.Node)
		p.toReplica()
		return true
	}
	problem := driver.Classify(err)
	if *again || problem.Class != driver.Connection || isConnectError(err) {
		return false
	}
	*again = true
	return true
}
