package replicaset

import (
	"sync/atomic"
	"time"
)

// State is how a member is.
type State uint32

// The states.
const (
	StateUnknown State = iota
	StateHealthy
	StateSuspect
	StateEjected
	StateSlowStart
)

var stateNames = [...]string{"unknown", "healthy", "suspect", "ejected", "slow start"}

func (s State) String() string { return stateNames[s] }

// Change is a transition of a member's state.
type Change struct {
	Name     string
	From, To State
	Reason   string
}

// Flag is a condition beside the state, in which a member is not picked.
type Flag uint32

// The flags.
const (
	Lagging Flag = 1 << iota
	Draining
	RoleMismatch
)

// Member is one replica. It is safe for concurrent use.
type Member[N comparable] struct {
	set  *Set[N]
	node N
	spec Spec

	state    atomic.Uint32
	flags    atomic.Uint32
	inFlight atomic.Int64
	latency  atomic.Int64 // smoothed, ns
	answered atomic.Int64 // when it last answered, or was first asked since
	due      atomic.Int64
	fails    atomic.Int32
}

// Figures are what is known of a member.
type Figures struct {
	State      State
	Zone       string
	Weight     int
	InFlight   int
	Latency    time.Duration
	Bound      time.Duration
	Lagging    bool
	Draining   bool
	Mismatched bool
}

// Node is what the member stands for.
func (m *Member[N]) Node() N { return m.node }

// Name is the member's name.
func (m *Member[N]) Name() string { return m.spec.Name }

// State is how the member is now.
func (m *Member[N]) State() State { return State(m.state.Load()) }

// Figures are what is known now.
func (m *Member[N]) Figures() Figures {
	return Figures{State: m.State(), Zone: m.spec.Zone, Weight: max(1, m.spec.Weight), InFlight: int(m.inFlight.Load()), Latency: time.Duration(m.latency.Load()), Bound: m.Bound(),
		Lagging: m.Has(Lagging), Draining: m.Has(Draining), Mismatched: m.Has(RoleMismatch)}
}

// Set sets or clears a flag.
func (m *Member[N]) Set(f Flag, on bool) {
	if on {
		m.flags.Or(uint32(f))
	} else {
		m.flags.And(^uint32(f))
	}
}

// Has says whether a flag is set.
func (m *Member[N]) Has(f Flag) bool { return m.flags.Load()&uint32(f) != 0 }

func (m *Member[N]) resort() Resort {
	switch m.State() {
	case StateSuspect:
		return Suspected
	case StateEjected:
		return Ejected
	}
	return Well
}

// Attempt is one read at a member.
type Attempt[N comparable] struct {
	m     *Member[N]
	start time.Time
}

// Begin notes that a read is sent to the member.
func (m *Member[N]) Begin() Attempt[N] {
	now := m.set.o.Now()
	if m.inFlight.Add(1) == 1 {
		m.answered.Store(now.UnixNano())
	}
	return Attempt[N]{m, now}
}

// Answered says that the node answered, be it with an error of the statement.
func (a Attempt[N]) Answered() {
	if a.m == nil {
		return
	}
	a.m.inFlight.Add(-1)
	now := a.m.set.o.Now()
	a.m.answered.Store(now.UnixNano())
	took, old := int64(now.Sub(a.start)), a.m.latency.Load()
	if old != 0 {
		took = old + (took-old)/8
	}
	a.m.latency.Store(took)
}

// Failed says that the node cannot have served the read.
func (a Attempt[N]) Failed() {
	if a.m == nil {
		return
	}
	a.m.inFlight.Add(-1)
	if s := a.m.State(); s == StateHealthy || s == StateUnknown || s == StateSlowStart {
		a.m.turn(s, StateSuspect, "a read was not served")
		a.m.due.Store(0)
	}
}

// GaveUp says that nothing is known of the node.
func (a Attempt[N]) GaveUp() {
	if a.m != nil {
		a.m.inFlight.Add(-1)
	}
}

func (m *Member[N]) turn(from, to State, reason string) {
	if from != to && m.state.CompareAndSwap(uint32(from), uint32(to)) && m.set.o.Changed != nil {
		m.set.o.Changed(Change{m.spec.Name, from, to, reason})
	}
}

// Due is when the next probe is to be sent.
func (m *Member[N]) Due() time.Time { return time.Unix(0, m.due.Load()) }

// Bound is how long reads may go unanswered before the member is doubted.
func (m *Member[N]) Bound() time.Duration {
	floor, ceiling := m.set.o.Floor, m.set.o.Ceiling
	if floor <= 0 {
		floor = 100 * time.Millisecond
	}
	if ceiling <= 0 {
		ceiling = 500 * time.Millisecond
	}
	return min(max(4*time.Duration(m.latency.Load()), floor), ceiling)
}

// Doubt says that reads are under way, and that none was answered for Bound.
func (m *Member[N]) Doubt(now time.Time) bool {
	return m.inFlight.Load() > 0 && now.Sub(time.Unix(0, m.answered.Load())) > m.Bound()
}

// Probed says what came of a probe.
func (m *Member[N]) Probed(ok bool, reason string) {
	now, from := m.set.o.Now(), m.State()
	every := m.set.o.Every
	if every <= 0 {
		every = time.Second
	}
	if ok {
		m.fails.Store(0)
		m.due.Store(now.Add(every).UnixNano())
		m.turn(from, StateHealthy, "it answers")
		return
	}
	n := m.fails.Add(1)
	m.due.Store(now.Add(min(50*time.Millisecond<<min(n-1, 5), 500*time.Millisecond)).UnixNano())
	if from == StateSuspect || from == StateUnknown {
		m.turn(from, StateEjected, reason)
	} else if from != StateEjected {
		m.turn(from, StateSuspect, reason)
		m.due.Store(0)
	}
}
