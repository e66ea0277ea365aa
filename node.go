package dbfleet

import (
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
	name string
	wait time.Duration // for a free connection
	opts driver.Options

	replica atomic.Bool // its role, which may change
	pool    atomic.Pointer[driver.Pool]

	mu     sync.Mutex // protects following fields
	closed bool
}

func newNode(opts driver.Options, wait time.Duration, role Role) *node {
	n := &node{name: opts.Name, wait: wait, opts: opts}
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
	n.pool.Store(p)
	return p, nil
}

func (n *node) close() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.closed = true
	if p := n.pool.Load(); p != nil {
		return p.Close()
	}
	return nil
}
