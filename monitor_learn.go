package dbfleet

import (
	"fmt"
	"time"

	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/replicaset"
)

// startReplicas makes the replica set of a new entry, and what watches over it.
func (e *entry) startReplicas(nodes []*node) {
	reads := e.config.Reads
	e.replicas = replicaset.New[*node](replicaset.Settings{
		Policy: replicaset.Policy(reads.Balance), Zone: reads.Zone, Now: time.Now,
		Floor: reads.MinWait, Ceiling: reads.MaxWait, Every: reads.ProbeInterval, Changed: e.replicaChanged,
	})
	e.replicas.Replace(nodes, (*node).spec)
	e.monitor = newMonitor(e)
}

// spec is what the replica set must know of a node.
func (n *node) spec() replicaset.Spec {
	return replicaset.Spec{Name: n.name, Zone: n.zone, Weight: n.weight}
}

// errSilent ends what waits for a node that was found silent.
type errSilent struct {
	node   string
	reason string
}

func (e *errSilent) Error() string {
	return fmt.Sprintf("node %q does not answer: %s", e.node, e.reason)
}

// replicaChanged is called at each transition of a replica's state.
func (e *entry) replicaChanged(c replicaset.Change) {
	m := e.replicas.Find(c.Name)
	if m == nil {
		return
	}
	switch c.To {
	case replicaset.StateSuspect:
		m.Node().dropIdle()
	case replicaset.StateEjected:
		m.Node().interrupt(&errSilent{c.Name, c.Reason})
	}
}

// dropIdle keeps connections that are idle from being used again.
func (n *node) dropIdle() {
	n.eachPool((*driver.Pool).DropIdle)
}

// interrupt ends what waits for the node.
func (n *node) interrupt(cause error) {
	n.eachPool(func(p *driver.Pool) { p.Interrupt(cause) })
}

func (n *node) eachPool(do func(*driver.Pool)) {
	n.pools(func(_ string, p *driver.Pool) { do(p) })
}

// learn takes what a node has answered.
func (m *monitor) learn(a answer) {
	if m.ctx.Err() != nil {
		return
	}
	w := a.w
	w.heard, w.answers = a.asked, a.err == nil
	if a.err == nil {
		w.last, w.known = a.report, true
		w.wasStandby = w.wasStandby || a.report.Role == driver.RoleStandby
	}
	w.due = time.Now().Add(m.e.config.Reads.ProbeInterval)
	if member := m.e.replicas.Of(w.n); member != nil {
		reason := ""
		if a.err != nil {
			reason = told(a.err).Error()
		}
		member.Probed(a.err == nil, reason)
	}
	m.decide()
	if w.n == m.e.primary() {
		m.learnPrimary(a)
	}
	m.release()
}

// learnPrimary takes a sample of the primary's position.
func (m *monitor) learnPrimary(a answer) {
	if a.err == nil && a.report.Role != driver.RoleStandby {
		m.ruler.Sampled(a.asked, a.report.Position)
	}
}
