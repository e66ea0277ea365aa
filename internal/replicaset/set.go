// Package replicaset decides which replica serves the next read, who is well, and how far
// behind one is. It knows no SQL, opens no connection and starts no goroutine: it is told
// how a node answered, and by what clock.
package replicaset

import (
	"slices"
	"sync/atomic"
	"time"
)

// Policy says how reads are spread.
type Policy string

// The policies. "" is RoundRobin.
const (
	RoundRobin    Policy = "round-robin"
	Weighted      Policy = "weighted"
	Random        Policy = "random"
	LeastInFlight Policy = "least-in-flight"
	Latency       Policy = "latency"
)

// Settings of a Set. The zero value of each field has a meaning.
type Settings struct {
	Policy         Policy
	Zone           string           // is served from first
	Now            func() time.Time // nil is time.Now
	Rand           func() uint64    // nil is math/rand's
	Floor, Ceiling time.Duration    // of Member.Bound; 0 is 100 ms and 500 ms
	Every          time.Duration    // between the probes of a well member; 0 is 1 s
	Changed        func(Change)     // is told of each transition, without locks held
}

// Spec is what a Set knows of a member from the configuration.
type Spec struct {
	Name, Zone string
	Weight     int // 0 is 1
}

// Set holds the replicas of one connection. It is safe for concurrent use.
type Set[N comparable] struct {
	o       Settings
	members atomic.Pointer[[]*Member[N]]
	turn    atomic.Uint64
}

// New returns an empty set.
func New[N comparable](o Settings) *Set[N] {
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Set[N]{o: o}
	s.members.Store(new([]*Member[N]))
	return s
}

// Replace makes list the members. One whose node stays keeps its state.
func (s *Set[N]) Replace(list []N, spec func(N) Spec) {
	old := *s.members.Load()
	next := make([]*Member[N], len(list))
	for i, n := range list {
		at := slices.IndexFunc(old, func(m *Member[N]) bool { return m.node == n })
		if at >= 0 {
			next[i] = old[at]
			continue
		}
		next[i] = &Member[N]{set: s, node: n, spec: spec(n)}
	}
	s.members.Store(&next)
}

// Len is the number of members, well or not.
func (s *Set[N]) Len() int { return len(*s.members.Load()) }

// Members returns all members in the order of the list, which is not to be changed.
func (s *Set[N]) Members() []*Member[N] { return *s.members.Load() }

// Find returns the member of a name, nil for none.
func (s *Set[N]) Find(name string) *Member[N] {
	for _, m := range s.Members() {
		if m.spec.Name == name {
			return m
		}
	}
	return nil
}

// Of returns the member that a node is, nil for none.
func (s *Set[N]) Of(node N) *Member[N] {
	for _, m := range s.Members() {
		if m.node == node {
			return m
		}
	}
	return nil
}

// Wants says which members one read may be served by.
type Wants[N comparable] interface{ Fits(m *Member[N]) bool }

// Resort says how good a pick is.
type Resort uint8

// The resorts, the best first.
const (
	Well Resort = iota
	Suspected
	Ejected
)

// Tried holds the members that a read has asked.
type Tried[N comparable] struct {
	few  [4]*Member[N]
	n    int
	more []*Member[N]
}

// Add notes that m was asked.
func (t *Tried[N]) Add(m *Member[N]) {
	if t.n < len(t.few) {
		t.few[t.n] = m
		t.n++
		return
	}
	t.more = append(t.more, m)
}

// Has says whether m was asked.
func (t *Tried[N]) Has(m *Member[N]) bool {
	return slices.Contains(t.few[:t.n], m) || slices.Contains(t.more, m)
}

// Pick returns the next member for a read that has asked those of tried: one that is well,
// else one under suspicion, else, for there is nobody better, one that was ejected.
func (s *Set[N]) Pick(w Wants[N], tried *Tried[N]) (*Member[N], Resort, bool) {
	members := s.Members()
	if len(members) == 0 {
		return nil, 0, false
	}
	start := s.turn.Add(1) - 1
	var best *Member[N]
	worst := Ejected + 1
	for i := range uint64(len(members)) {
		m := members[(start+i)%uint64(len(members))]
		if r := m.resort(); r < worst && !tried.Has(m) && w.Fits(m) {
			if best, worst = m, r; r == Well {
				break
			}
		}
	}
	return best, worst, best != nil
}

// Peek is what Pick would return. It changes nothing.
func (s *Set[N]) Peek(w Wants[N]) (*Member[N], Resort, bool) {
	turn := s.turn.Load()
	m, r, ok := s.Pick(w, &Tried[N]{})
	s.turn.Store(turn)
	return m, r, ok
}
