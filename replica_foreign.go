package dbfleet

import (
	"context"
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
	m.measuring.Lock()
	system := m.system
	m.measuring.Unlock()
	if w := m.watched[e.primary()]; system == "" && (w == nil || w.heard.IsZero()) {
		return // it will soon be known, or that it cannot be
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
		case member.Set(replicaset.Foreign, false):
			n.reads.refuse(nil)
			e.nodeTurned(n, ConditionForeign, conditionOf(member.State()), "its data is that of the primary")
		}
		member.Set(replicaset.Unseen, false)
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
// the primary with which they are compared: longer than who is silent is asked at first.
const sightWait = 2 * dialWait

// firstSight has a read wait, once for each list of replicas and at most for half of its
// time, until all of them have said whose data they have, or do not answer. Where one has
// already it does not wait.
func (e *entry) firstSight(ctx context.Context) {
	if slices.ContainsFunc(e.replicas.Members(), func(m *replicaset.Member[*node]) bool { return !m.Has(replicaset.Unseen) }) {
		e.sighted.Store(true)
		return
	}
	wait := sightWait
	if until, ok := ctx.Deadline(); ok {
		wait = min(wait, time.Until(until)/2)
	}
	e.sees(ctx, wait)
	e.sighted.Store(true) // also if not all have answered in time
}

// sees waits until every node has been asked once.
func (e *entry) sees(ctx context.Context, wait time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	_, _ = e.monitor.looksUp(ctx, &lookup{}) // who does not answer is the last resort
}
