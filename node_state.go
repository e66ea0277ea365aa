package dbfleet

import (
	"cmp"
	"database/sql"
	"slices"
	"time"

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
	// State says whether a replica, or one of several hosts, answers: ConditionUnknown,
	// ConditionHealthy, ConditionSuspect, ConditionEjected or ConditionSlowStart. It is ""
	// of a node that nobody watches: that of a connection without replicas and further
	// hosts.
	State NodeCondition
	// Since is when a replica has come into State, the zero time for other nodes.
	Since time.Time
	// Resting says that a replica does not answer: reads leave it out, unless nobody else
	// might answer. It is asked again and again, and back within a second of its return.
	Resting bool
	// InTurn says that a replica takes its turn of reads: it is not left out because it does
	// not answer or is doubted, because it is Lagging, or a standby of another database
	// cluster than the primary's (see ConditionForeign). One of PostgreSQL that has not been
	// asked yet is not in turn.
	InTurn bool
	// Lagging says that a replica is further behind than Reads.MaxLag, or that how far is
	// not known. Without MaxLag none is.
	Lagging bool
	// Lag is how far a replica is behind at most, and LagKnown whether that is known: as
	// old as the last position of the primary's is that it is known to have reached, by
	// this program's own clock. It grows while the primary does not answer.
	Lag      time.Duration
	LagKnown bool
	// InFlight is how many reads of the library's are under way on a replica, and Latency
	// how long one takes, smoothed; 0 before the first answer.
	InFlight int
	Latency  time.Duration
	// Zone and Weight are those of the configuration.
	Zone   string
	Weight int
	// LastProblem is what was last wrong with a node that is watched, in words, and
	// LastProblemAt when; "" if nothing was.
	LastProblem   string
	LastProblemAt time.Time
	// Transactions is how many transactions are open on the node.
	Transactions int
	// Pool are the pool's figures, zero until it is first used.
	Pool sql.DBStats
	// Tenants are the figures of a connection of AddTenants, which no node is; nil for a
	// node.
	Tenants *TenantsStats
}

// Nodes tells of every node of every connection, in order of connections' names,
// the primary first and the replicas in the order of the configuration. It does no
// I/O, so it may be called as often as figures are collected; Health asks the nodes.
//
// Tenants' databases of AddTenants, which come and go and may be thousands, are told by the
// name of their connection, all primaries as one and, once there was one, all replicas as
// another: "shops" and "shops/replicas". Transactions and Pool are sums of those that are
// open, with all their sessions. What Pool counts goes on counting when a tenant is closed;
// its MaxOpenConnections is TenantsConfig.MaxOpen for both together, and waits are also
// those for that. Tenants is set; what only a server has is zero.
func (r *Registry) Nodes() []NodeState {
	must("Registry.Nodes", r.usable())
	var out []NodeState
	r.entries.all(func(_ string, e *entry) { out = e.states(out) })
	slices.SortStableFunc(out, func(a, b NodeState) int { return cmp.Compare(a.Connection, b.Connection) })
	return out
}

// describe adds what is known of a replica.
func (s *NodeState) describe(m *replicaset.Member[*node], n *node) {
	f := m.Figures()
	s.State, s.Since, s.Resting, s.Lagging = conditionOf(f.State), f.Since, f.State == replicaset.StateEjected, f.Lagging
	s.InTurn = m.InTurn()
	s.Lag, s.LagKnown = n.staleness(time.Now())
	s.InFlight, s.Latency, s.Zone, s.Weight = f.InFlight, f.Latency, f.Zone, f.Weight
}

func (e *entry) states(out []NodeState) []NodeState {
	if e.tenants != nil {
		return e.tenants.states(out)
	}
	for _, n := range e.nodes() {
		s := NodeState{
			Connection: e.name, Node: n.name, Role: n.role(), Driver: Driver(e.dialect.Name), Database: n.database, Address: n.address,
			Transactions: int(n.transactions.Load()),
		}
		s.State = n.condition(e)
		if p := n.problem.Load(); p != nil {
			s.LastProblem, s.LastProblemAt = p.reason, p.at
		}
		if m := e.replicas.Of(n); m != nil && s.Role == RoleReplica {
			s.describe(m, n)
		}
		if p := n.inRole().pool.Load(); p != nil {
			s.Pool = p.Stats()
		}
		out = append(out, s)
	}
	return out
}

// condition is whether a node answers that may be the primary, "" if nobody asks it.
func (n *node) condition(e *entry) NodeCondition {
	if !e.monitor.needed() {
		return ""
	}
	switch {
	case n.heard.answers():
		return ConditionHealthy
	case n.heard.isDown():
		return ConditionEjected
	case n.heard.inVain() > 0:
		return ConditionSuspect
	}
	return ConditionUnknown
}
