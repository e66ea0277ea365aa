package dbfleet

import (
	"database/sql"
	"sync"
)

// groupNode is what all nodes of one role of a group's databases are called together.
func groupNode(group string, role Role) string {
	if role == RoleReplica {
		return group + "/replicas"
	}
	return group
}

// tenantSums are what the pools of a group's databases have counted, also those that are
// closed, so that no figure falls when a tenant is closed. They are safe for concurrent use.
type tenantSums struct {
	mu       sync.Mutex // protects following fields, and sessions.summed
	primary  sql.DBStats
	replicas sql.DBStats
	replica  bool // there was one
}

// ofLocked are the sums of a role.
func (s *tenantSums) ofLocked(r Role) *sql.DBStats {
	if r == RoleReplica {
		s.replica = true
		return &s.replicas
	}
	return &s.primary
}

// count adds what the pools of an entry have counted since the last time.
func (s *tenantSums) count(e *entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range e.nodes() {
		s.countLocked(n, n.role(), nil)
	}
}

// countLocked counts a node, and adds what it has at present to a state that is not nil.
func (s *tenantSums) countLocked(n *node, r Role, to *NodeState) {
	sum := s.ofLocked(r)
	for _, side := range []*sessions{&n.writes, &n.reads} {
		p := side.pool.Load()
		if p == nil {
			continue
		}
		now, old := p.Stats(), side.summed
		sum.WaitCount += now.WaitCount - old.WaitCount
		sum.WaitDuration += now.WaitDuration - old.WaitDuration
		sum.MaxIdleClosed += now.MaxIdleClosed - old.MaxIdleClosed
		sum.MaxIdleTimeClosed += now.MaxIdleTimeClosed - old.MaxIdleTimeClosed
		sum.MaxLifetimeClosed += now.MaxLifetimeClosed - old.MaxLifetimeClosed
		side.summed = now
		if to != nil {
			to.Pool.OpenConnections += now.OpenConnections
			to.Pool.InUse += now.InUse
			to.Pool.Idle += now.Idle
		}
	}
	if to != nil {
		to.Transactions += int(n.transactions.Load())
	}
}

// toldLocked is a state with what was counted.
func (s *tenantSums) toldLocked(state NodeState, counted sql.DBStats) NodeState {
	counted.OpenConnections, counted.InUse, counted.Idle = state.Pool.OpenConnections, state.Pool.InUse, state.Pool.Idle
	counted.MaxOpenConnections = max(state.Tenants.MaxOpen, 0)
	state.Pool = counted
	return state
}

// states are what Registry.Nodes tells of the group.
func (g *tenantGroup) states(out []NodeState) []NodeState {
	stats := g.stats()
	of := func(r Role) NodeState {
		return NodeState{Connection: g.name, Node: groupNode(g.name, r), Role: r, Driver: g.template.Driver, Tenants: &stats}
	}
	primary, replicas := of(RolePrimary), of(RoleReplica)
	g.mu.RLock()
	list := make([]*entry, 0, len(g.open)+len(g.leaving))
	for _, t := range g.open {
		if t.e != nil {
			list = append(list, t.e)
		}
	}
	for e := range g.leaving {
		list = append(list, e)
	}
	g.mu.RUnlock()

	s := &g.sums
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range list {
		for _, n := range e.nodes() {
			if r := n.role(); r == RoleReplica {
				s.countLocked(n, r, &replicas)
			} else {
				s.countLocked(n, r, &primary)
			}
		}
	}
	out = append(out, s.toldLocked(primary, s.primary))
	if s.replica {
		out = append(out, s.toldLocked(replicas, s.replicas))
	}
	return out
}
