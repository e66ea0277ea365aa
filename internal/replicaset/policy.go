package replicaset

// Policy says how reads are spread over the members that may serve them.
type Policy string

// The policies; "" is RoundRobin.
const (
	// RoundRobin asks each in turn.
	RoundRobin Policy = "round-robin"
	// Weighted asks each in turn, one of weight 2 twice as often as one of weight 1 and
	// not twice in a row.
	Weighted Policy = "weighted"
	// Random asks any, by weight.
	Random Policy = "random"
	// LeastInFlight asks who has the fewest reads in flight in relation to its weight, and
	// those that are even in turn by weight.
	LeastInFlight Policy = "least-in-flight"
	// Latency draws two and asks the one whose smoothed latency, times the reads that it
	// would then have in flight, divided by its weight, is less.
	Latency Policy = "latency"
)

// Known says whether there is such a policy. "" is one.
func (p Policy) Known() bool {
	switch p {
	case "", RoundRobin, Weighted, Random, LeastInFlight, Latency:
		return true
	}
	return false
}
