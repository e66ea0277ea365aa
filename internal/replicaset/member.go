package replicaset

import (
	"sync/atomic"
	"time"
)

// Member is one replica of a Set. It is safe for concurrent use.
type Member[N comparable] struct {
	set  *Set[N]
	node N
	spec atomic.Pointer[Spec]

	state     atomic.Uint32
	flags     atomic.Uint32
	incident  atomic.Uint32 // counts the transitions
	ejections atomic.Uint32
	since     atomic.Int64 // the last transition, unix nanoseconds like the following
	due       atomic.Int64 // the next probe
	rests     atomic.Int32 // probes in vain, in a row
	inFlight  atomic.Int64
	latency   atomic.Int64 // smoothed
	heard     atomic.Int64 // its last answer, or when the first read since began
}

// Figures are what is known of a member.
type Figures struct {
	State     State
	Since     time.Time // of State
	Zone      string
	Weight    int
	InFlight  int           // reads under way
	Latency   time.Duration // smoothed; 0 before the first answer
	Bound     time.Duration // see Member.Bound
	Ejections int           // so far
	Lagging   bool
	Draining  bool
	Mismatch  bool // RoleMismatch
}

// Node is what the member stands for.
func (m *Member[N]) Node() N { return m.node }

// Name is the member's name.
func (m *Member[N]) Name() string { return m.spec.Load().Name }

// State is how the member is now.
func (m *Member[N]) State() State { return State(m.state.Load()) }

// Figures are what is known now.
func (m *Member[N]) Figures() Figures {
	spec := m.spec.Load()
	return Figures{
		State: m.State(), Since: time.Unix(0, m.since.Load()), Zone: spec.Zone, Weight: spec.Weight, InFlight: int(m.inFlight.Load()),
		Latency: time.Duration(m.latency.Load()), Bound: m.Bound(), Ejections: int(m.ejections.Load()),
		Lagging: m.Has(Lagging), Draining: m.Has(Draining), Mismatch: m.Has(RoleMismatch),
	}
}

// InFlight is how many reads are under way.
func (m *Member[N]) InFlight() int { return int(m.inFlight.Load()) }

// Attempt is one read at a member. Exactly one of its methods ends it, once; those of the
// zero value do nothing.
type Attempt[N comparable] struct {
	m        *Member[N]
	start    int64
	incident uint32
}

// Begin notes that a read is sent to the member.
func (m *Member[N]) Begin() Attempt[N] {
	now := m.set.o.Now().UnixNano()
	if m.inFlight.Add(1) == 1 {
		m.heard.Store(now)
	}
	return Attempt[N]{m, now, m.incident.Load()}
}

// Answered says that the node answered, be it with an error of the statement. Its latency
// is learned.
func (a Attempt[N]) Answered() {
	if a.m == nil {
		return
	}
	now := a.m.set.o.Now().UnixNano()
	a.m.heard.Store(now)
	took := now - a.start
	if old := a.m.latency.Load(); old != 0 {
		took = old + (took-old)/8
	}
	a.m.latency.Store(max(took, 1))
	a.m.inFlight.Add(-1)
}

// Failed says that the node cannot have served the read. An incident counts once: of
// reads that began before the member's last transition nothing new is learned.
func (a Attempt[N]) Failed() {
	if a.m == nil {
		return
	}
	a.m.inFlight.Add(-1)
	if a.incident != a.m.incident.Load() {
		return
	}
	switch from := a.m.State(); from {
	case StateUnknown, StateHealthy, StateSlowStart:
		a.m.due.Store(a.start)
		a.m.turns(from, StateSuspect, "a read was not served")
	}
}

// GaveUp says that nothing is known of the node: the caller had no patience left, or the
// pool was full.
func (a Attempt[N]) GaveUp() {
	if a.m != nil {
		a.m.inFlight.Add(-1)
	}
}
