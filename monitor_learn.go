package dbfleet

import (
	"fmt"
	"slices"
	"time"

	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/replicaset"
)

// startReplicas makes the replica set of a new entry, and what watches over it.
func (e *entry) startReplicas(nodes []*node) {
	reads := e.config.Reads
	e.replicas = replicaset.New[*node](replicaset.Settings{
		Policy: replicaset.Policy(reads.Balance), Zone: reads.Zone,
		Floor: reads.MinWait, Ceiling: reads.MaxWait, Every: reads.ProbeInterval, Changed: e.replicaChanged,
	})
	e.replicas.Replace(nodes, e.spec)
	e.monitor = newMonitor(e)
}

// gauge is what shows whether reads on the node are answered while it is the primary, where
// replicas may serve in its place.
func (n *node) gauge(e *entry) *replicaset.Member[*node] {
	if m := n.pulse.Load(); m != nil {
		return m
	}
	reads := e.config.Reads
	alone := replicaset.New[*node](replicaset.Settings{Floor: reads.MinWait, Ceiling: reads.MaxWait, Every: reads.ProbeInterval})
	alone.Replace([]*node{n}, func(n *node) replicaset.Spec { return replicaset.Spec{Name: n.name} })
	n.pulse.CompareAndSwap(nil, alone.Members()[0])
	return n.pulse.Load()
}

// spec is what the replica set must know of a node. The list of members is locked.
func (e *entry) spec(n *node) replicaset.Spec {
	return replicaset.Spec{Name: n.name, Zone: n.zone, Weight: n.weight, Unseen: e.tellsSystem()}
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
	n := m.Node()
	switch c.To {
	case replicaset.StateSuspect:
		if !n.slow.Load() {
			n.dropIdle()
		}
		n.problem.Store(&problem{c.Reason, time.Now()})
	case replicaset.StateEjected:
		switch {
		case n.refuses.Load():
		case n.role() == RolePrimary: // it was promoted
			n.interruptReads(&errSilent{c.Name, c.Reason})
		default:
			n.interrupt(&errSilent{c.Name, c.Reason})
		}
		n.problem.Store(&problem{c.Reason, time.Now()})
		e.monitor.discovery.lost.Store(true)
	}
	e.nodeTurned(n, conditionOf(c.From), conditionOf(c.To), c.Reason)
}

// hostTurned tells that a node which may be the primary and is no replica does not answer any
// more, or does again. That it answers at first is no news.
func (e *entry) hostTurned(n *node, before NodeCondition, reason string) {
	if n != e.primary() && !slices.Contains(e.hosts, n) || e.replicas.Of(n) != nil {
		return // the replica set tells it, or it has left
	}
	now := n.condition(e)
	switch {
	case reason != "":
		n.problem.Store(&problem{reason, time.Now()})
	case before == ConditionUnknown:
		return
	default:
		reason = "it answers"
	}
	if now != before {
		e.nodeTurned(n, before, now, reason)
	}
}

// problem is what was last wrong with a node.
type problem struct {
	reason string
	at     time.Time
}

// conditionOf is a state as others see it.
func conditionOf(s replicaset.State) NodeCondition { return NodeCondition(s.String()) }

// dropIdle keeps connections that are idle from being used again.
func (n *node) dropIdle() {
	n.eachPool((*driver.Pool).DropIdle)
}

// interruptReads ends the plain reads that wait for the node. What may have written waits
// on: its outcome would not be known, and the node may answer yet.
func (n *node) interruptReads(cause error) {
	n.cuts.end(cause)
	n.eachPool(func(p *driver.Pool) { p.InterruptReads(cause) })
}

// interrupt ends what waits for the node.
func (n *node) interrupt(cause error) {
	n.cuts.end(cause)
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
	w.open = a.err == nil
	silent := a.err != nil && a.took >= a.wait
	if silent && a.took > a.wait+a.wait/2+lookEvery && w.starved < maxStarved {
		// This machine was too busy to look at the answer: it says nothing of the node.
		w.starved, w.again = w.starved+1, true
		return
	}
	w.starved = 0
	w.heard, w.answers = a.asked, a.err == nil
	before := w.n.condition(m.e)
	now := time.Now()
	if a.err == nil {
		w.n.heard.answered()
		w.last, w.known = a.report, true
		w.n.saw(&a.report, a.asked)
		w.wasStandby = w.wasStandby || a.report.Role == driver.RoleStandby
		w.due = a.asked.Add(m.every())
		if a.dialled {
			w.learnDial(a.took)
		}
	} else {
		w.n.heard.missed()
		if w.n.heard.isDown() && w.n.role() == RolePrimary && !refused(a.err) {
			w.n.interruptReads(&errSilent{w.n.name, told(a.err).Error()})
		}
		w.due = now.Add(min(lookEvery<<min(w.n.heard.inVain()-1, 5), m.every()))
	}
	reason := ""
	if a.err != nil {
		reason = told(a.err).Error()
	}
	w.n.refuses.Store(refused(a.err))
	if pulse := w.n.pulse.Load(); pulse != nil {
		pulse.Probed(a.err == nil, reason)
		if w.silent(pulse) && w.n.role() == RolePrimary {
			w.n.gone(reason)
		}
	}
	m.e.hostTurned(w.n, before, reason)
	if member := m.e.replicas.Of(w.n); member != nil {
		ejected := member.State() == replicaset.StateEjected
		w.n.slow.Store(silent)
		member.Probed(a.err == nil, reason)
		w.n.slow.Store(false)
		if ejected && a.err != nil && !refused(a.err) && w.n.role() == RoleReplica {
			w.n.interrupt(&errSilent{w.n.name, reason}) // who came since, as by OnReplica
		}
	}
	m.decide()
	m.measure(a)
	m.compare()
	m.release(now)
}

// confirm leaves a node out that did not answer its last question, as soon as reads which
// wait for it are not answered either. The replica set tells of its members itself.
func (m *monitor) confirm(n *node, now time.Time) {
	member := m.gaugeOf(n)
	if member == nil || !member.Confirm(now) || n.role() != RolePrimary {
		return
	}
	before, reason := n.condition(m.e), member.Figures().Reason
	n.gone(reason)
	m.e.hostTurned(n, before, reason)
}

// gone notes that the primary does not answer reads, and ends those that wait for it. One that
// has refused the question does answer: what it works on may end well.
func (n *node) gone(reason string) {
	if n.refuses.Load() {
		return
	}
	n.heard.gone()
	n.interruptReads(&errSilent{n.name, reason})
}

// silent says that reads which wait for the node should end now: it was left out, a moment
// ago.
func (w *watch) silent(member *replicaset.Member[*node]) bool {
	switch {
	case member.State() != replicaset.StateEjected:
		w.cuts = 0
	case !w.answers && w.cuts < maxCuts:
		w.cuts++
		return true
	}
	return false
}

// refused says that the server has answered that it takes no connection: what it works on
// and what others dial may end well.
func refused(err error) bool { return err != nil && driver.Classify(err).Code != "" }

func (w *watch) learnDial(took time.Duration) {
	if w.dialled == 0 {
		w.dialled = took
		return
	}
	w.dialled += (took - w.dialled) / 4
}

// abort ends everything that runs on the node, and has nothing begin there any more.
func (n *node) abort(cause error) {
	n.cuts.end(cause)
	n.reads.abort(cause)
	n.writes.abort(cause)
}
