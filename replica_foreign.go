package dbfleet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/dbfleet/dbfleet/internal/replicaset"
)

// A standby of PostgreSQL whose primary is another one than that of the connection shows
// other rows, however well it is. Each cluster has an identifier, which its standbys have
// as well. A replica is not in turn before it has told its own; one with another identifier
// than the primary's serves nothing. A server that takes writes from the start may be a
// replica on purpose, by logical replication, and is no standby.

// foreignError refuses what would go to a standby of another cluster. Nothing was sent.
type foreignError struct{ node, system, other string }

func (e *foreignError) Error() string {
	return fmt.Sprintf("node %q is a standby of another database cluster (system identifier %s) than the primary's (%s)", e.node, e.other, e.system)
}

func (e *foreignError) Unwrap() error { return ErrNoReplica }

// tellsSystem says that servers of the database tell whose data they have.
func (e *entry) tellsSystem() bool { return e.dialect.Name == string(Postgres) }

// compare keeps reads from replicas that are standbys of another cluster.
func (m *monitor) compare() {
	e := m.e
	if !e.tellsSystem() {
		return
	}
	system := m.knownSystem()
	if system == "" {
		w := m.watched[e.primary()]
		if w == nil || !w.known && !w.n.heard.isDown() {
			return // it will soon be known, or that it cannot be
		}
		system = w.last.System // of a standby in the primary's place
	}
	for _, member := range e.replicas.Members() {
		n := member.Node()
		w := m.watched[n]
		if w == nil || !w.known {
			continue
		}
		switch other := w.last.System; {
		case n.role() == RoleReplica && w.wasStandby && system != "" && other != "" && other != system:
			m.excludes(member, &foreignError{n.name, system, other})
		default:
			n.reads.refuse(nil) // also what it was refused when it was listed before
			if member.Set(replicaset.Foreign, false) {
				e.nodeTurned(n, ConditionForeign, conditionOf(member.State()), "its data is that of the primary")
			}
		}
		member.Set(replicaset.Unseen, false)
	}
}

// knownSystem is that of the primary, "" as long as none has told it.
func (m *monitor) knownSystem() string {
	m.measuring.Lock()
	defer m.measuring.Unlock()
	return m.system
}

// turnsTo compares replicas with the data of the next primary, before that takes writes: it
// may be of another cluster than the one before.
func (m *monitor) turnsTo(system string) {
	m.measuring.Lock()
	other := m.system != "" && system != "" && m.system != system
	if other {
		m.ruler.Forget()
		m.system = system
	}
	m.measuring.Unlock()
	if other {
		m.compare()
	}
}

// excludes has a replica serve nothing.
func (m *monitor) excludes(member *replicaset.Member[*node], err *foreignError) {
	if member.Has(replicaset.Foreign) {
		return
	}
	n := member.Node()
	n.reads.refuse(err) // before the flag: who sees that finds the reason
	member.Set(replicaset.Foreign, true)
	n.interruptReads(err)
	n.problem.Store(&problem{err.Error(), time.Now()})
	m.e.nodeTurned(n, "", ConditionForeign, err.Error())
}

// isForeign is why a replica serves nothing, nil if it may.
func (n *node) isForeign(m *replicaset.Member[*node]) error {
	if !m.Has(replicaset.Foreign) {
		return nil
	}
	n.reads.mu.Lock()
	defer n.reads.mu.Unlock()
	return n.reads.refusal
}

// sightWait is how long replicas are waited for, which are to say whose data they have, and
// the primary with which they are compared: longer than it takes to find that one is silent.
const sightWait = 5 * dialWait

// firstSight has a read wait, once for each list of replicas and at most for half of its
// time, until all of them have said whose data they have, or do not answer, and the primary
// has, or is down. Where a replica was compared already it does not wait.
func (e *entry) firstSight(ctx context.Context) {
	if slices.ContainsFunc(e.replicas.Members(), func(m *replicaset.Member[*node]) bool { return !m.Has(replicaset.Unseen) }) {
		e.sighted.Store(true)
		return
	}
	e.seesForRead(ctx)
	e.sighted.Store(true) // also if not all have answered in time
}

// seesForRead is sees for at most half of a read's time.
func (e *entry) seesForRead(ctx context.Context) {
	wait := sightWait
	if until, ok := ctx.Deadline(); ok {
		wait = min(wait, time.Until(until)/2)
	}
	e.sees(ctx, wait)
}

// sees waits until every node has been asked once, and the primary until it has answered or
// is down.
func (e *entry) sees(ctx context.Context, wait time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	l := &lookup{}
	for {
		_, err := e.monitor.looksUp(ctx, l)
		primary := &e.primary().heard
		if ctx.Err() != nil || errors.Is(err, ErrClosed) || primary.answers() || primary.isDown() {
			return // who does not answer is the last resort
		}
		l = &lookup{since: time.Now()}
	}
}

// someUnseen says that a replica has not been compared yet.
func (e *entry) someUnseen() bool {
	return slices.ContainsFunc(e.replicas.Members(), func(m *replicaset.Member[*node]) bool { return m.Has(replicaset.Unseen) })
}

// notCompared says that the primary, which has not answered yet, could not tell whose data
// replicas should have. They serve what it leaves then: it may be of another cluster, and
// is more likely to be its own.
func (e *entry) notCompared() bool {
	return e.primary().heard.inVain() > 0 && e.someUnseen() && e.monitor.knownSystem() == ""
}
