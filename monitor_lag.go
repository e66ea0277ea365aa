package dbfleet

import (
	"time"

	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/replicaset"
)

// Staleness is measured on this program's own clock. The primary is asked for its position
// again and again; a replica that has reached what the primary was at some moment shows
// all that was committed before that. So it is at most as stale as that moment is long
// ago: on an idle primary as long as the last question, with a replica that is cut off,
// a primary that does not answer, or another history for ever longer.

// leastEvery bounds how often nodes are asked because of MaxLag.
const leastEvery = 50 * time.Millisecond

// withinFor is after which time it is asked anew how fresh replicas must be.
const withinFor = time.Minute

// every is how often a node is asked that answers.
func (m *monitor) every() time.Duration {
	reads := &m.e.config.Reads
	every := reads.ProbeInterval
	if reads.MaxLag > 0 {
		every = min(every, reads.MaxLag/3)
	}
	if within := time.Duration(m.within.Load()); within > 0 {
		every = min(every, within/3)
	}
	return max(every, min(leastEvery, reads.ProbeInterval))
}

// wantsWithin notes that reads ask for replicas that are at most d behind, so that they
// are measured often enough for that.
func (m *monitor) wantsWithin(d time.Duration) {
	for {
		now := m.within.Load()
		if d <= 0 || now > 0 && now <= int64(d) {
			return
		}
		if m.within.CompareAndSwap(now, int64(d)) {
			m.look()
			return
		}
	}
}

// measure learns from an answer how far the replicas are behind.
func (m *monitor) measure(a answer) {
	if a.err != nil {
		return
	}
	if a.w.n != m.e.primary() {
		m.gauge(a.w)
		return
	}
	if !m.e.found.Load() || a.report.Role == driver.RoleStandby {
		return
	}
	m.sample(&a)
	a.w.n.fresh.reached(a.asked, a.report.Server)
	for _, w := range m.watched {
		if w != a.w && w.known {
			m.gauge(w)
		}
	}
}

// sample notes where the primary was.
func (m *monitor) sample(a *answer) {
	m.measuring.Lock()
	defer m.measuring.Unlock()
	if m.system != "" && a.report.System != "" && m.system != a.report.System {
		m.ruler.Forget()
	}
	if a.report.System != "" {
		m.system = a.report.System
	}
	m.ruler.Sampled(a.asked, a.report.Position)
}

// gauge notes how fresh a replica is known to be.
func (m *monitor) gauge(w *watch) {
	if t, known := m.reached(&w.last); known {
		w.n.fresh.reached(t, w.last.Server)
	} else {
		w.n.fresh.forget()
	}
}

// reached is the last time of which a replica that has answered with r is known to have all
// that the primary had. Of one with another history it is not. It is safe for concurrent use.
func (m *monitor) reached(r *driver.Report) (t time.Time, known bool) {
	m.measuring.Lock()
	defer m.measuring.Unlock()
	if other := m.system != "" && r.System != "" && m.system != r.System; other || m.e.dialect.Name == string(Postgres) && r.Role != driver.RoleStandby {
		return time.Time{}, false
	}
	return m.ruler.Reached(r.Position)
}

// judge raises and lowers the flags of replicas that are too far behind.
func (m *monitor) judge(now time.Time) {
	limit := m.e.config.Reads.MaxLag
	if limit <= 0 {
		return
	}
	for _, member := range m.e.replicas.Members() {
		n := member.Node()
		w := m.watched[n]
		if w == nil || !w.known || n.role() == RolePrimary {
			continue // nothing is known, so reads do not take it; or it is no replica now
		}
		atMost, known := n.staleness(now)
		switch {
		case !known || atMost > limit:
			w.fresh = 0
			if !member.Has(replicaset.Lagging) {
				why := lagReason(atMost, known, limit)
				n.problem.Store(&problem{why, now}) // before the flag: who sees that finds the reason
				member.Set(replicaset.Lagging, true)
				m.e.nodeTurned(n, ConditionFresh, ConditionLagging, why)
			}
		case w.heard.After(w.judged):
			w.judged = w.heard
			if w.fresh++; atMost > limit*3/4 {
				w.fresh = 0
			}
			if w.fresh >= 2 && member.Set(replicaset.Lagging, false) {
				m.e.nodeTurned(n, ConditionLagging, ConditionFresh, lagReason(atMost, known, limit))
			}
		}
	}
}

func lagReason(atMost time.Duration, known bool, limit time.Duration) string {
	switch {
	case !known:
		return "how far it is behind is not known"
	case atMost > limit:
		return "it may be " + forPeople(atMost) + " behind, more than " + limit.String()
	}
	return "it is at most " + forPeople(atMost) + " behind"
}
