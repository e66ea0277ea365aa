// Package replicaset decides which replica serves the next read, who is well, and how far
// behind one is. It knows no SQL, opens no connection and starts no goroutine: it is told
// how a node answered, and by what clock.
package replicaset

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Settings of a Set. The zero value of each field has a meaning.
type Settings struct {
	// Policy is how reads are spread; RoundRobin by default.
	Policy Policy
	// Zone is served from first: members of others are picked only when none of it may
	// serve. "" makes no difference between zones.
	Zone string
	// Now is the clock, time.Now by default.
	Now func() time.Time
	// Rand gives random numbers to several goroutines at once, math/rand/v2's by default.
	Rand func() uint64
	// Floor and Ceiling bound Member.Bound; 100 and 500 ms by default.
	Floor, Ceiling time.Duration
	// Every is the time between two probes of a member that is well, 1 s by default.
	Every time.Duration
	// Changed is told of each transition, of one member in order, with no lock held. It may
	// run on the goroutine of another call than the one that caused the transition, and
	// after that one has returned.
	Changed func(Change)
}

// Spec is what a Set knows of a member from the configuration.
type Spec struct {
	Name, Zone string
	Weight     int // how much it serves in relation to others; what is below 1 is 1
	// Unseen has a member that is new begin with that flag.
	Unseen bool
}

// Set holds the replicas of one connection. It is safe for concurrent use, and readers
// take no lock.
type Set[N comparable] struct {
	o     Settings
	epoch time.Time // the clock counts from it
	list  atomic.Pointer[list[N]]
	// next is the random number of the next pick, which Peek looks at.
	next atomic.Uint64
	// virtual is how far the lanes are; see turn.
	virtual [lanes]atomic.Uint64

	mu         sync.Mutex // protects following fields, and those of members that say so
	changes    []Change   // not told yet
	delivering bool
}

// list is one generation of the members.
type list[N comparable] struct {
	members []*Member[N]
	slots   []slot[N]
}

// slot is a member as the policies see it.
type slot[N comparable] struct {
	m       *Member[N]
	stride  uint64 // of its turns
	weight  uint64
	distant bool // in another zone
}

// New returns an empty set.
func New[N comparable](o Settings) *Set[N] {
	if o.Rand == nil {
		o.Rand = rand.Uint64
	}
	o.Policy = cmp.Or(o.Policy, RoundRobin)
	o.Floor = cmp.Or(max(0, o.Floor), 100*time.Millisecond)
	o.Ceiling = max(o.Floor, cmp.Or(max(0, o.Ceiling), 500*time.Millisecond))
	o.Every = cmp.Or(max(0, o.Every), time.Second)
	s := &Set[N]{o: o, epoch: time.Now()}
	if o.Now != nil {
		s.epoch = o.Now()
	}
	s.epoch = s.epoch.Add(-1) // so that the clock is never 0
	s.next.Store(o.Rand())
	s.list.Store(&list[N]{})
	return s
}

// Replace makes nodes the members, in their order. One whose node stays is the same
// Member with its state and figures, be its spec another. A node that is named twice is
// one member. Attempts at members that go may end at any time.
func (s *Set[N]) Replace(nodes []N, spec func(N) Spec) {
	defer s.deliver()
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.list.Load()
	old := before.members
	next := &list[N]{members: make([]*Member[N], 0, len(nodes))}
	for _, n := range nodes {
		is := func(m *Member[N]) bool { return m.node == n }
		if slices.ContainsFunc(next.members, is) {
			continue
		}
		now := spec(n)
		now.Weight = max(1, now.Weight)
		var m *Member[N]
		if at := slices.IndexFunc(old, is); at >= 0 {
			m = old[at]
		} else {
			m = &Member[N]{set: s, node: n}
			m.since.Store(s.clock())
			m.Set(Unseen, now.Unseen)
		}
		m.spec.Store(&now)
		next.members = append(next.members, m)
	}
	for _, m := range old {
		m.gone = !slices.Contains(next.members, m)
	}
	next.slots = s.slots(next.members)
	for _, was := range before.slots {
		if slices.ContainsFunc(next.slots, func(is slot[N]) bool { return is.m == was.m && is.stride != was.stride }) {
			was.m.evenTurn()
		}
	}
	s.list.Store(next)
	s.settle()
}

func (s *Set[N]) slots(members []*Member[N]) []slot[N] {
	out := make([]slot[N], len(members))
	least := uint64(1)
	for i, m := range members {
		spec := m.spec.Load()
		out[i] = slot[N]{m: m, weight: 1, distant: s.o.Zone != "" && spec.Zone != s.o.Zone}
		if s.o.Policy != RoundRobin {
			out[i].weight = uint64(spec.Weight)
		}
		if least = min(least, out[i].weight); i == 0 {
			least = out[i].weight
		}
	}
	for i := range out {
		out[i].stride = max(1, (fullStride*least+out[i].weight/2)/out[i].weight)
	}
	return out
}

// Len is the number of members, well or not.
func (s *Set[N]) Len() int { return len(s.list.Load().members) }

// Members returns all members in the order of the list. The slice is not to be changed.
func (s *Set[N]) Members() []*Member[N] { return s.list.Load().members }

// Find returns the member of a name, nil for none.
func (s *Set[N]) Find(name string) *Member[N] {
	for _, m := range s.Members() {
		if m.Name() == name {
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

// clock is the time in nanoseconds since the set was made, above 0.
func (s *Set[N]) clock() int64 {
	if s.o.Now == nil {
		return int64(time.Since(s.epoch)) // which is quicker than time.Now
	}
	return s.instant(s.o.Now())
}

func (s *Set[N]) instant(t time.Time) int64 { return int64(t.Sub(s.epoch)) }

// jitter is d, or up to a fifth more or less.
func (s *Set[N]) jitter(d time.Duration) int64 {
	return int64(d) - int64(d)/5 + int64(s.o.Rand()%uint64(int64(d)*2/5+1))
}
