package dbfleet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/replicaset"
)

// TwoPrimariesError says that several servers claim to be the primary of a connection:
// one was promoted, and the other takes writes still. None of them is chosen: what is
// written to the wrong one would be lost. It is ErrTwoPrimaries, and ends when one is
// left.
type TwoPrimariesError struct {
	Connection string
	Nodes      []string // in the order of the configuration
}

// Error names the connection and the nodes.
func (e *TwoPrimariesError) Error() string {
	return fmt.Sprintf("dbfleet: connection %q: %s claim to be the primary; nothing is written until one is left", e.Connection, strings.Join(e.Nodes, " and "))
}

// Is reports whether target is ErrTwoPrimaries.
func (e *TwoPrimariesError) Is(target error) bool { return target == ErrTwoPrimaries }

// lookupWait bounds a search for the primary where the context does not.
const lookupWait = 2 * time.Second

// atPrimary is the node that serves as the primary. Where several hosts may, it waits
// until it is known which does; and, once, until the others have said that they do not
// claim it too.
func (e *entry) atPrimary(ctx context.Context) (*node, error) {
	if !e.looked.Load() {
		if err := e.monitor.firstLook(ctx); err != nil {
			return nil, errorf("connection %q: looking for the primary: %w", e.name, err)
		}
	}
	if claim := e.claim.Load(); claim != nil {
		return nil, claim
	}
	if e.found.Load() {
		return e.primary(), nil
	}
	if _, err := e.monitor.lookup(ctx); err != nil && (ctx.Err() != nil || errors.Is(err, ErrClosed)) { // else the search itself has had its time
		return nil, errorf("connection %q: looking for the primary: %w", e.name, err)
	}
	if claim := e.claim.Load(); claim != nil {
		return nil, claim
	}
	if !e.found.Load() {
		return nil, errorf("connection %q: none of its %d hosts answers as the primary: %w", e.name, len(e.hosts), ErrNoPrimary)
	}
	return e.primary(), nil
}

// mayCommit refuses to commit on a server that is not the one primary any more, as far as
// is known: what it has written would be lost.
func (st *txState) mayCommit() error {
	if st.options.ReadOnly {
		return nil
	}
	if claim := st.e.claim.Load(); claim != nil {
		return claim
	}
	if n := st.node.node; st.e.primary() != n {
		return errorf("transaction on connection %q: node %q is not the primary any more: %w", st.e.name, n.name, ErrTxLost)
	}
	return nil
}

// notPrimaryError refuses what would go to a node by a pool or a statement of before it
// was demoted.
type notPrimaryError struct{ node, now string }

func (e *notPrimaryError) Error() string {
	return fmt.Sprintf("node %q is not the primary any more; %q is", e.node, e.now)
}

// follow makes n the primary, unless it has just left: then its connections are closed. It
// is called by the monitor's goroutine.
func (e *entry) follow(n *node, why string) (followed bool) {
	e.listing.Lock()
	defer e.listing.Unlock()
	if n.left {
		return false
	}
	old := e.primary()
	n.writes.refuse(nil)
	n.reads.refuse(nil) // of one that was foreign as a replica
	first := !e.found.Swap(true)
	if old == n && n.role() == RolePrimary {
		return true
	}
	n.setRole(RolePrimary)
	e.leader.Store(n)
	if old != n {
		old.setRole(RoleReplica)
		old.writes.refuse(&notPrimaryError{old.name, n.name})
		old.dropIdle()
	}
	if !first {
		e.promoted(n, old, why)
	}
	return true
}

// decide looks at what is known of all nodes, and follows the primary.
func (m *monitor) decide() {
	e := m.e
	var claims []claim
	for _, n := range e.nodes() {
		if w := m.watched[n]; w != nil && w.known {
			claims = append(claims, w.claim(slices.Contains(e.hosts, n)))
		}
	}
	now := e.primary()
	c := chooseLeader(claims, now)
	w := m.watched[now]
	m.leaderless = c.leader == nil && w != nil && !w.heard.IsZero() && w.last.Role != driver.RoleUnknown
	switch {
	case len(c.claim) > 1 && c.leader == nil:
		err := &TwoPrimariesError{Connection: e.name}
		for _, n := range c.claim {
			err.Nodes = append(err.Nodes, n.name)
		}
		if old := e.claim.Swap(err); old == nil {
			for _, n := range c.claim {
				n.writes.refuse(err)
				e.nodeChanged(n, ConditionTwoPrimaries, "it claims to be the primary")
			}
		}
	case c.leader != nil:
		e.claim.Store(nil)
		if now != c.leader {
			m.turnsTo(m.watched[c.leader].last.System)
		}
		if !e.follow(c.leader, "it answers as the primary") {
			m.look() // without it
			return
		}
		if now != c.leader && w != nil && !w.answers {
			// What waits there cannot count any more, whether or not it was done.
			now.interrupt(&errSilent{now.name, "the primary is " + c.leader.name + " now"})
		}
		m.takesPlace(c.leader)
		if now != c.leader {
			e.leavesUnlisted(now)
		}
	}
}

// leavesUnlisted has a node go that was the primary, if it is none of Hosts and whoever
// lists the replicas has left it out meanwhile: nothing leads to it any more.
func (e *entry) leavesUnlisted(n *node) {
	e.listing.Lock()
	defer e.listing.Unlock()
	if n.left || slices.Contains(e.members.nodes, n) || slices.Contains(e.hosts, n) {
		return
	}
	n.left = true
	e.nodeChanged(n, ConditionRemoved, "it is not the primary any more, and not listed")
	e.drain(n, nil)
}

func (w *watch) claim(host bool) claim {
	r := w.last
	return claim{
		n: w.n, answered: w.answers, writable: r.Role == driver.RoleWritable, system: r.System, server: r.Server, group: r.Group,
		timeline: r.Position.Timeline(), host: host, wasStandby: w.wasStandby,
	}
}

// takesPlace keeps the number of readers when a replica was promoted: a configured host
// that is a standby by now serves in its place.
func (m *monitor) takesPlace(leader *node) {
	e := m.e
	e.listing.Lock()
	defer e.listing.Unlock()
	list := e.members.nodes
	if slices.Contains(list, leader) {
		for _, n := range e.hosts {
			if w := m.watched[n]; n != leader && !slices.Contains(list, n) && w != nil && w.answers && w.last.Role == driver.RoleStandby {
				list = append(list[:len(list):len(list)], n)
			}
		}
	}
	if !slices.EqualFunc(list, e.replicas.Members(), func(n *node, m *replicaset.Member[*node]) bool { return m.Node() == n }) {
		e.replicas.Replace(list, e.spec)
	}
}

// promoted tells that n is the primary in the place of old, which may be n.
func (e *entry) promoted(n, old *node, why string) {
	if old != n {
		e.nodeChanged(old, ConditionDemoted, "the primary is "+n.name+" now")
	}
	e.nodeChanged(n, ConditionPromoted, why)
}
