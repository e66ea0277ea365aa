package dbfleet

import (
	"database/sql"
	"errors"
	"net"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/replicaset"
)

// Role says what a node is to its connection.
type Role string

// The roles.
const (
	RolePrimary Role = "primary"
	RoleReplica Role = "replica"
)

// node is one server behind a connection. Its role may change. It is safe for
// concurrent use.
type node struct {
	name     string
	database string // as others see it
	address  string // of its server, "" for none

	zone   string        // protected by entry.listing, like the following
	weight int           // 0 is 1
	of     ReplicaConfig // that it was made of, as a replica
	left   bool          // it is drained

	heard        heard                   // by the monitor
	moved        atomic.Bool             // its name leads elsewhere since the monitor's connection was made
	slow         atomic.Bool             // a question of the monitor's has just had no answer in time
	refuses      atomic.Bool             // the last question was refused by the server
	problem      atomic.Pointer[problem] // the last, nil for none
	replica      atomic.Bool             // its role
	fresh        freshness               // of what it shows as a replica
	transactions atomic.Int64            // that are open
	sight        atomic.Pointer[sight]   // what sessions know of it, nil for nothing
	waited       waited                  // by sessions, for what it has not got
	demotions    demotions
	cuts         cuts                                     // of what waits for it
	pulse        atomic.Pointer[replicaset.Member[*node]] // of its reads as the primary, see gauge

	writes sessions // that may write: the primary's
	reads  sessions // that refuse writes, whatever the node's role
}

// nodeSettings is what a configuration says of one node.
type nodeSettings struct {
	zone   string
	weight int
	writes driver.Options
	reads  driver.Options
	// writesWait and readsWait are how long to wait for a free connection, 0 until the
	// context ends.
	writesWait, readsWait time.Duration
}

func newNode(s nodeSettings, role Role) *node {
	n := &node{name: s.writes.Name, database: s.writes.Database, address: addressOf(&s.writes), zone: s.zone, weight: s.weight}
	if s.writes.Dialect.Name == string(SQLite) {
		n.database = filepath.Base(s.writes.Database)
	}
	n.writes.node, n.writes.opts, n.writes.wait = n, s.writes, s.writesWait
	n.reads.node, n.reads.opts, n.reads.wait = n, s.reads, s.readsWait
	n.setRole(role)
	return n
}

// addressOf is where the server is, "" for a file.
func addressOf(o *driver.Options) string {
	switch {
	case o.Dialect.Name == string(SQLite):
		return ""
	case o.Socket != "":
		return o.Socket
	}
	return net.JoinHostPort(o.Host, strconv.Itoa(o.Port))
}

// role is what the node is now.
func (n *node) role() Role {
	if n.replica.Load() {
		return RoleReplica
	}
	return RolePrimary
}

func (n *node) setRole(r Role) {
	n.replica.Store(r == RoleReplica)
	n.reads.keepIdle(r)
}

// inRole is the sessions by which the node does what its role asks of it.
func (n *node) inRole() *sessions {
	if n.role() == RoleReplica {
		return &n.reads
	}
	return &n.writes
}

func (n *node) close() error { return errors.Join(n.reads.close(), n.writes.close()) }

// pools calls each for every pool of the node that is open, with the name that tells it.
func (n *node) pools(each func(name string, p *driver.Pool)) {
	own, other, what := &n.writes, &n.reads, "/read-only"
	if n.role() == RoleReplica {
		own, other, what = &n.reads, &n.writes, "/read-write"
	}
	if p := own.pool.Load(); p != nil {
		each(n.name, p)
	}
	if p := other.pool.Load(); p != nil {
		each(n.name+what, p)
	}
}

// sessions are connections to a node that are all alike, in a pool that opens on first
// use. They are safe for concurrent use.
type sessions struct {
	*node
	opts driver.Options
	wait time.Duration // for a free connection
	pool atomic.Pointer[driver.Pool]

	summed sql.DBStats // what tenantSums have counted of the pool, which protect it

	mu      sync.Mutex // protects following fields
	closed  bool
	aborted bool  // nothing is sent any more, for good
	refusal error // why nothing is sent, nil if something is
}

// open returns the pool, which is made on first use, once.
func (s *sessions) open() (*driver.Pool, error) {
	if p := s.pool.Load(); p != nil {
		return p, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.pool.Load(); p != nil {
		return p, nil
	}
	if s.closed {
		return nil, errorf("node %q: %w", s.name, ErrClosed)
	}
	p, err := driver.Open(s.opts)
	if err != nil {
		return nil, err
	}
	p.RefuseWaits(s.waitsForItself)
	p.Refuse(s.refusal)
	s.pool.Store(p)
	s.keepIdleLocked(s.role())
	return p, nil
}

func (s *sessions) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if p := s.pool.Load(); p != nil {
		return p.Close()
	}
	return nil
}

// refuse has nothing sent any more, because of err, until it is called with nil.
func (s *sessions) refuse(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.aborted || s.refusal == nil && err == nil {
		return
	}
	s.refusal = err
	if p := s.pool.Load(); p != nil {
		p.Refuse(err)
	}
}

// abort ends everything that runs, because of cause, and has nothing sent any more: what
// ends is asked elsewhere, where it must not begin anew when that has been aborted too.
func (s *sessions) abort(cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.aborted, s.refusal = true, cause
	if p := s.pool.Load(); p != nil {
		p.Abort(cause)
	}
}

// keepIdle bounds the unused connections as the node's role asks: the sessions of a
// primary that refuse writes are few.
func (s *sessions) keepIdle(r Role) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keepIdleLocked(r)
}

func (s *sessions) keepIdleLocked(r Role) {
	p := s.pool.Load()
	if p == nil || !s.opts.ReadOnly {
		return
	}
	keep := s.opts.MaxIdle
	if r == RolePrimary {
		keep = min(keep, maxGuardIdle)
	}
	p.KeepIdle(keep)
}
