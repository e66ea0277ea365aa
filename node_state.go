package dbfleet

import (
	"cmp"
	"database/sql"
	"slices"

	"github.com/dbfleet/dbfleet/internal/replicaset"
)

// NodeState tells how a node is, as far as that is known without asking it.
type NodeState struct {
	Connection string
	Node       string
	Role       Role
	Driver     Driver
	// Database and Address are as in QueryEvent.
	Database string
	Address  string
	// Resting says that a replica did not answer: reads leave it out, until one of
	// them tries it again after a while and has an answer.
	Resting bool
	// Transactions is how many transactions are open on the node.
	Transactions int
	// Pool are the pool's figures, zero until it is first used.
	Pool sql.DBStats
}

// Nodes tells of every node of every connection, in order of connections' names,
// the primary first and the replicas in the order of the configuration. It does no
// I/O, so it may be called as often as figures are collected; Health asks the nodes.
func (r *Registry) Nodes() []NodeState {
	must("Registry.Nodes", r.usable())
	var out []NodeState
	r.entries.all(func(_ string, e *entry) { out = e.states(out) })
	slices.SortStableFunc(out, func(a, b NodeState) int { return cmp.Compare(a.Connection, b.Connection) })
	return out
}

func (e *entry) states(out []NodeState) []NodeState {
	for _, n := range e.nodes() {
		s := NodeState{
			Connection: e.name, Node: n.name, Role: n.role(), Driver: Driver(e.dialect.Name), Database: n.database, Address: n.address,
			Transactions: int(n.transactions.Load()),
		}
		if m := e.replicas.Of(n); m != nil && s.Role == RoleReplica {
			s.Resting = m.State() == replicaset.StateEjected
		}
		if p := n.inRole().pool.Load(); p != nil {
			s.Pool = p.DB().Stats()
		}
		out = append(out, s)
	}
	return out
}
