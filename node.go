package dbfleet

import (
	"errors"
	"net"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dbfleet/dbfleet/internal/driver"
)

// Role says what a node is to its connection.
type Role string

// The roles.
const (
	RolePrimary Role = "primary"
	RoleReplica Role = "replica"
)

// node is one server behind a connection, with a pool of its own that opens on
// first use. It is safe for concurrent use.
type node struct {
	name     string
	database string        // as others see it
	address  string        // of its server, "" for none
	wait     time.Duration // for a free connection
	opts     driver.Options

	transactions atomic.Int64 // that are open
	// guard is the same node by sessions that refuse writes; nil on a replica, whose
	// own do.
	guard *node

	replica atomic.Bool // its role, which may change
	pool    atomic.Pointer[driver.Pool]

	mu     sync.Mutex // protects following fields
	closed bool
}

func newNode(opts driver.Options, wait time.Duration, role Role) *node {
	n := &node{name: opts.Name, database: opts.Database, wait: wait, opts: opts}
	switch {
	case opts.Dialect.Name == string(SQLite):
		n.database = filepath.Base(opts.Database)
	case opts.Socket != "":
		n.address = opts.Socket
	default:
		n.address = net.JoinHostPort(opts.Host, strconv.Itoa(opts.Port))
	}
	n.setRole(role)
	return n
}

// role is what the node is now.
func (n *node) role() Role {
	if n.replica.Load() {
		return RoleReplica
	}
	return RolePrimary
}

// reader is the node by sessions that refuse writes.
func (n *node) reader() *node {
	if n.guard != nil {
		return n.guard
	}
	return n
}

// servesReads says whether reads may go to the node as a replica.
func (n *node) servesReads() bool { return n.role() == RoleReplica }

func (n *node) setRole(r Role) { n.replica.Store(r == RoleReplica) }

// open returns the node's pool, which is made on first use, once.
func (n *node) open() (*driver.Pool, error) {
	if p := n.pool.Load(); p != nil {
		return p, nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if p := n.pool.Load(); p != nil {
		return p, nil
	}
	if n.closed {
		return nil, errorf("node %q: %w", n.name, ErrClosed)
	}
	p, err := driver.Open(n.opts)
	if err != nil {
		return nil, err
	}
	p.RefuseWaits(n.waitsForItself)
	n.pool.Store(p)
	return p, nil
}

func (n *node) close() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.closed = true
	var err error
	if n.guard != nil {
		err = n.guard.close()
	}
	if p := n.pool.Load(); p != nil {
		err = errors.Join(err, p.Close())
	}
	return err
}
