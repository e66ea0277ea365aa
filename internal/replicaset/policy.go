package replicaset

// Policy says how reads are spread over the members that are fit.
type Policy string

// The policies.
const (
	// RoundRobin takes turns.
	RoundRobin Policy = "round-robin"
	// Weighted takes turns, each member as often as its weight says.
	Weighted Policy = "weighted"
	// Random draws by weight.
	Random Policy = "random"
	// LeastInFlight takes the member with the fewest reads under way for its weight.
	LeastInFlight Policy = "least-in-flight"
	// Latency draws two members and takes the one whose smoothed latency times the reads
	// under way, for its weight, is less.
	Latency Policy = "latency"
)

func (s *Set[N]) byPolicy(fit []*Member[N], takesTurn bool) *Member[N] {
	if len(fit) == 1 {
		return fit[0]
	}
	switch s.o.Policy {
	case Weighted:
		// Multiples of the golden ratio's fraction fill the circle evenly, however many
		// they are: each member's part of it is met as often as it is large, and in turn.
		return byWeight(fit, s.next(takesTurn)*0x9E3779B97F4A7C15)
	case Random:
		return byWeight(fit, s.o.Rand())
	case LeastInFlight:
		return s.least(fit, takesTurn)
	case Latency:
		return s.sooner(fit)
	}
	return fit[s.next(takesTurn)%uint64(len(fit))]
}

// next is the number of the turn. A read that takes none gets one by chance.
func (s *Set[N]) next(takesTurn bool) uint64 {
	if takesTurn {
		return s.turn.Add(1) - 1
	}
	return s.o.Rand()
}

// byWeight is the member in whose part of a circle the point at lies.
func byWeight[N comparable](fit []*Member[N], at uint64) *Member[N] {
	total := uint64(0)
	for _, m := range fit {
		total += uint64(m.spec.Load().Weight)
	}
	at = (at >> 32) * total >> 32
	for _, m := range fit {
		weight := uint64(m.spec.Load().Weight)
		if at < weight {
			return m
		}
		at -= weight
	}
	return fit[len(fit)-1]
}

// least is the member with the fewest reads under way for its weight; of several, the
// next in turn.
func (s *Set[N]) least(fit []*Member[N], takesTurn bool) *Member[N] {
	start := s.next(takesTurn)
	var best *Member[N]
	var load, weight int64
	for i := range uint64(len(fit)) {
		m := fit[(start+i)%uint64(len(fit))]
		l, w := m.inFlight.Load(), int64(m.spec.Load().Weight)
		if best == nil || l*weight < load*w {
			best, load, weight = m, l, w
		}
	}
	return best
}

// sooner draws two members and takes the one that will answer sooner. Of one whose
// latency is not known yet nothing speaks against it.
func (s *Set[N]) sooner(fit []*Member[N]) *Member[N] {
	n := uint64(len(fit))
	r := s.o.Rand()
	i := r % n
	j := (i + 1 + (r>>32)%(n-1)) % n
	a, b := fit[i], fit[j]
	if b.cost() < a.cost() {
		return b
	}
	return a
}

func (m *Member[N]) cost() float64 {
	return float64(m.latency.Load()) * float64(m.inFlight.Load()+1) / float64(m.spec.Load().Weight)
}
