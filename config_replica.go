package dbfleet

import "time"

// ReplicaConfig describes one replica. What it does not say is as on the primary. A replica
// that ConnectionConfig.Hosts names too is one node with that host, which may be the primary
// one day: it has the host's name ("host-2"), pool and parameters, and takes Weight and Zone
// alone from here.
type ReplicaConfig struct {
	// Host is the replica's host: "host" or "host:port", IPv6 in brackets; on SQLite the
	// path of the copy. It may be the primary's own (not on SQLite), as where tests have one
	// server: the two are different nodes then. Required.
	Host string `json:"host" yaml:"host" mapstructure:"host" toml:"host,omitempty"`
	// Name is what the replica is called behind the connection's name and a slash, as
	// routes, hooks and figures tell it. Two of a connection may not share one. It has no
	// slash, no control character, and no space at its ends.
	//
	// Defaults to "replica-1" and so on, in the order of ReadHosts and then Replicas.
	Name string `json:"name" yaml:"name" mapstructure:"name" toml:"name,omitempty"`
	// Weight is its share of the reads, beside the weights of the others, where
	// Reads.Balance looks at weights: from 1 to 1000.
	//
	// Defaults to 1.
	Weight int `json:"weight" yaml:"weight" mapstructure:"weight" toml:"weight,omitzero"`
	// Zone is where it stands; see ReadsConfig.Zone.
	Zone string `json:"zone" yaml:"zone" mapstructure:"zone" toml:"zone,omitempty"`
	// Pool bounds the connections to it; its own zero fields have the defaults of
	// PoolConfig.
	//
	// Defaults to ReadPool.
	Pool *PoolConfig `json:"pool" yaml:"pool" mapstructure:"pool" toml:"pool,omitempty"`
	// Params are added to the connection's Params, and win over them.
	Params map[string]string `json:"params" yaml:"params" mapstructure:"params" toml:"params,omitempty"`
}

// Balance says how reads are spread over the replicas that are fit to serve.
type Balance string

// The ways to spread reads.
const (
	// BalanceRoundRobin takes one after the other. It is the default.
	BalanceRoundRobin Balance = "round-robin"
	// BalanceWeighted takes turns too, and each as often as its weight says.
	BalanceWeighted Balance = "weighted"
	// BalanceRandom draws one, by weight.
	BalanceRandom Balance = "random"
	// BalanceLeastInFlight takes the one with the fewest reads under way, by weight.
	BalanceLeastInFlight Balance = "least-in-flight"
	// BalanceLatency draws two and takes the one whose answers come sooner, by its
	// smoothed latency and its reads under way: a slow replica gets fewer reads.
	BalanceLatency Balance = "latency"
)

// Fallback says where a read goes that no replica is fresh enough for.
type Fallback string

// The fallbacks.
const (
	// FallbackPrimary reads from the primary, where at most ReadsConfig.PrimaryReads do so
	// at a time. It is the default.
	FallbackPrimary Fallback = "primary"
	// FallbackError fails with ErrStale.
	FallbackError Fallback = "error"
	// FallbackStale reads from the freshest replica within ReadsConfig.StaleLimit, and
	// fails with ErrStale beyond it.
	FallbackStale Fallback = "stale"
)

// ReadsConfig says how a connection's reads are spread over its replicas, and what
// happens when one of them, or the primary, cannot serve. It has no meaning without
// replicas. None of its durations may be negative, or longer than 365 days.
type ReadsConfig struct {
	// Balance says how reads are spread.
	//
	// Defaults to BalanceRoundRobin.
	Balance Balance `json:"balance" yaml:"balance" mapstructure:"balance" toml:"balance,omitempty"`
	// Zone is where this program runs. Replicas of the same Zone are read first, others
	// only when none of them is fit, and of what those leave that have just come back, all
	// at once. Empty takes all alike.
	Zone string `json:"zone" yaml:"zone" mapstructure:"zone" toml:"zone,omitempty"`
	// MaxLag is how far behind the primary a replica may be that serves reads. It is an
	// upper bound: the primary's position is looked up at least three times as often (at
	// most each 50 ms), and a replica is as stale as the last position that it is known to
	// have reached is old. One of which nothing is known is not fresh. Of a name that leads
	// to several servers each is measured: which one a connection leads to is asked once,
	// and one that the library does not ask anyway is asked before each read.
	//
	// Defaults to 0: replicas are read however far behind they are.
	MaxLag time.Duration `json:"max_lag" yaml:"max_lag" mapstructure:"max_lag" toml:"max_lag,omitzero"`
	// WhenStale says where reads go when no replica is within MaxLag.
	//
	// Defaults to FallbackPrimary.
	WhenStale Fallback `json:"when_stale" yaml:"when_stale" mapstructure:"when_stale" toml:"when_stale,omitempty"`
	// StaleLimit is the bound of FallbackStale, not below MaxLag; 0 is none.
	StaleLimit time.Duration `json:"stale_limit" yaml:"stale_limit" mapstructure:"stale_limit" toml:"stale_limit,omitzero"`
	// PrimaryReads is how many reads may be under way on the primary at a time because no
	// replica could serve them; others wait for their turn as they do for a connection.
	// -1 is no bound.
	//
	// Defaults to half of Pool.MaxOpen, rounded up, where that is bounded.
	PrimaryReads int `json:"primary_reads" yaml:"primary_reads" mapstructure:"primary_reads" toml:"primary_reads,omitzero"`
	// WhenPrimaryDown lets replicas serve what asked for the primary (ReadPrimary,
	// DB.Primary, a session) or would fall back to it when the primary does not answer. Such
	// reads may be stale, also beyond this MaxLag; one that a call asks for holds all the
	// same. A plain read that waits for a primary when that falls silent ends as soon as it
	// is known to be (by two questions in vain, a second or two, or by one and reads that go
	// unanswered as those on a replica that is doubted), and goes to a replica; without
	// replicas it fails then. What may have written, and what a transaction does,
	// waits until its context ends or another node is the primary.
	WhenPrimaryDown bool `json:"when_primary_down" yaml:"when_primary_down" mapstructure:"when_primary_down" toml:"when_primary_down,omitempty"`
	// MinWait and MaxWait bound how long reads on a replica go unanswered before it is
	// doubted; in between it follows the replica's own latency. One that is doubted is
	// asked on a connection of its own: where that is answered, the reads go on, for they
	// are slow by themselves. Where it is not, they end and go to another node.
	//
	// Default to 100 and 500 milliseconds.
	MinWait time.Duration `json:"min_wait" yaml:"min_wait" mapstructure:"min_wait" toml:"min_wait,omitzero"`
	MaxWait time.Duration `json:"max_wait" yaml:"max_wait" mapstructure:"max_wait" toml:"max_wait,omitzero"`
	// ProbeInterval is how often each node is asked on a connection of its own, which is
	// kept for it. At least 10 milliseconds.
	//
	// Defaults to 1 second.
	ProbeInterval time.Duration `json:"probe_interval" yaml:"probe_interval" mapstructure:"probe_interval" toml:"probe_interval,omitzero"`
	// HedgeAfter has a read that is not answered for so long, and for longer than the
	// node's usual, asked at a second node as well; the first answer counts, and the other
	// statement is cancelled on its server. At most one read in twenty is. Reads whose rows
	// are given out one by one are not, nor is what may write.
	//
	// Defaults to 0: none is.
	HedgeAfter time.Duration `json:"hedge_after" yaml:"hedge_after" mapstructure:"hedge_after" toml:"hedge_after,omitzero"`
	// DiscoverEvery is how often ConnectionConfig.Discover is asked for the replicas, and
	// the names of hosts are looked up: what a connection was made to whose address is not
	// among those of its host any more is not used again. At least 10 milliseconds.
	//
	// Defaults to 10 seconds.
	DiscoverEvery time.Duration `json:"discover_every" yaml:"discover_every" mapstructure:"discover_every" toml:"discover_every,omitzero"`
}
