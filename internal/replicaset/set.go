// Package replicaset decides which replica serves the next read, who is well, and how far
// behind one is. It knows no SQL, opens no connection and starts no goroutine: it is told
// how a node answered, and by what clock.
package replicaset

import (
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"
)

// Settings of a Set. The zero value of each field has a meaning.
type Settings struct {
	// Policy says how reads are spread; "" is RoundRobin.
	Policy Policy
	// Zone is served from first; "" is none.
	Zone string
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Rand draws what is random; nil is math/rand/v2's.
	Rand func() uint64
	// Floor and Ceiling bound Member.Bound; 0 is 100 ms and 500 ms.
	Floor, Ceiling time.Duration
	// Every is the time between two probes of a member that is well; 0 is a second.
	Every time.Duration
	// Changed is told of each transition of a member, by whoever caused it, without locks
	// held; nil is nobody.
	Changed func(Change)
}

func (o Settings) withDefaults() Settings {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Rand == nil {
		o.Rand = rand.Uint64
	}
	if o.Floor <= 0 {
		o.Floor = 100 * time.Millisecond
	}
	if o.Ceiling <= 0 {
		o.Ceiling = max(500*time.Millisecond, o.Floor)
	}
	if o.Every <= 0 {
		o.Every = time.Second
	}
	return o
}

// Spec is what the configuration says of a member.
type Spec struct {
	Name, Zone string
	Weight     int // 0 is 1
}

// Set holds the replicas of one connection. It is safe for concurrent use; only Replace
// may be called by one at a time. Picking takes no lock and allocates nothing.
type Set[N comparable] struct {
	o       Settings
	members atomic.Pointer[[]*Member[N]]
	turn    atomic.Uint64
}

// New returns an empty set.
func New[N comparable](o Settings) *Set[N] {
	s := &Set[N]{o: o.withDefaults()}
	s.members.Store(new([]*Member[N]))
	return s
}

// Replace makes list the members. One whose node stays keeps its state and figures; what
// spec says of it counts anew.
func (s *Set[N]) Replace(list []N, spec func(N) Spec) {
	next := make([]*Member[N], len(list))
	for i, n := range list {
		if next[i] = s.Of(n); next[i] == nil {
			next[i] = &Member[N]{set: s, node: n}
			next[i].since.Store(s.o.Now().UnixNano())
		}
		of := spec(n)
		of.Weight = max(1, of.Weight)
		next[i].spec.Store(&of)
	}
	s.members.Store(&next)
}

// Len is the number of members, well or not.
func (s *Set[N]) Len() int { return len(*s.members.Load()) }

// Members returns all members in the order of the list. It is not to be changed.
func (s *Set[N]) Members() []*Member[N] { return *s.members.Load() }

// Find returns the member of a name, nil for none.
func (s *Set[N]) Find(name string) *Member[N] {
	return find(s.Members(), func(m *Member[N]) bool { return m.Name() == name })
}

// Of returns the member that a node is, nil for none.
func (s *Set[N]) Of(node N) *Member[N] {
	return find(s.Members(), func(m *Member[N]) bool { return m.node == node })
}

func find[N comparable](list []*Member[N], is func(*Member[N]) bool) *Member[N] {
	if i := slices.IndexFunc(list, is); i >= 0 {
		return list[i]
	}
	return nil
}
