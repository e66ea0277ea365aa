package dbfleet

import (
	"cmp"
	"maps"
	"os/user"
	"slices"
	"strings"
	"time"

	"github.com/dbfleet/dbfleet/internal/config"
)

// withDefaults returns a copy with the default connection's name filled in and
// the defaults of every connection applied.
func (c Config) withDefaults() Config {
	connections := make(map[string]ConnectionConfig, len(c.Connections))
	for name, conn := range c.Connections {
		connections[name] = conn.withDefaults()
		if c.Default == "" && len(c.Connections) == 1 {
			c.Default = name
		}
	}
	c.Connections = connections
	return c
}

// withDefaults returns a deep copy of c with defaults applied and the driver's
// canonical name. It does not look at URL.
func (c ConnectionConfig) withDefaults() ConnectionConfig {
	c.Driver = c.Driver.canonical()
	c.Host = strings.TrimSuffix(strings.TrimPrefix(c.Host, "["), "]")
	c.Port = cmp.Or(c.Port, config.WellKnownPort(string(c.Driver)))
	if c.Username == "" && c.envPrefix == "" && (c.Driver == Postgres || c.Driver == MySQL) {
		if u, err := user.Current(); err == nil {
			c.Username = u.Username
		}
	}
	c.ConnectTimeout = cmp.Or(c.ConnectTimeout, 5*time.Second)
	c.StatementTimeout = cmp.Or(c.StatementTimeout, 5*time.Minute)
	c.ReadHosts, c.Hosts, c.Replicas = slices.Clone(c.ReadHosts), slices.Clone(c.Hosts), cloneReplicas(c.Replicas)
	c.Params = maps.Clone(c.Params)
	c.Pool = c.Pool.withDefaults()
	read := c.Pool
	if c.ReadPool != nil {
		read = c.ReadPool.withDefaults()
	}
	c.ReadPool = &read
	c.Reads = c.Reads.withDefaults(c.Pool)
	if c.Driver == SQLite {
		c.SQLite = c.SQLite.withDefaults()
	}
	if c.Tenants != nil {
		tenants := c.Tenants.withDefaults()
		c.Tenants = &tenants
	}
	return c
}

// cloneReplicas returns a deep copy.
func cloneReplicas(list []ReplicaConfig) []ReplicaConfig {
	list = slices.Clone(list)
	for i := range list {
		list[i].Params = maps.Clone(list[i].Params)
		if list[i].Pool != nil {
			pool := *list[i].Pool
			list[i].Pool = &pool
		}
	}
	return list
}

// withDefaults returns a copy with defaults applied; pool is the primary's.
func (r ReadsConfig) withDefaults(pool PoolConfig) ReadsConfig {
	r.Balance = cmp.Or(r.Balance, BalanceRoundRobin)
	r.WhenStale = cmp.Or(r.WhenStale, FallbackPrimary)
	if r.PrimaryReads == 0 {
		r.PrimaryReads = config.Unbounded
		if pool.MaxOpen > 0 {
			r.PrimaryReads = (pool.MaxOpen + 1) / 2
		}
	}
	switch {
	case r.MinWait == 0 && r.MaxWait > 0:
		r.MinWait = min(100*time.Millisecond, r.MaxWait)
	case r.MaxWait == 0 && r.MinWait > 0:
		r.MaxWait = max(500*time.Millisecond, r.MinWait)
	}
	r.MinWait = cmp.Or(r.MinWait, 100*time.Millisecond)
	r.MaxWait = cmp.Or(r.MaxWait, 500*time.Millisecond)
	r.ProbeInterval = cmp.Or(r.ProbeInterval, time.Second)
	r.DiscoverEvery = cmp.Or(r.DiscoverEvery, 10*time.Second)
	return r
}

func (p PoolConfig) withDefaults() PoolConfig {
	p.MaxOpen = cmp.Or(p.MaxOpen, 10)
	p.MaxIdle = cmp.Or(p.MaxIdle, max(p.MaxOpen, config.Unbounded))
	p.MaxLifetime = cmp.Or(p.MaxLifetime, 30*time.Minute)
	p.MaxIdleTime = cmp.Or(p.MaxIdleTime, 5*time.Minute)
	p.AcquireTimeout = cmp.Or(p.AcquireTimeout, 10*time.Second)
	p.StatementCache = cmp.Or(p.StatementCache, 128)
	return p
}

func (c TenantsConfig) withDefaults() TenantsConfig {
	c.Driver = c.Driver.canonical()
	c.MaxOpen = cmp.Or(c.MaxOpen, 100)
	c.MaxTenants = cmp.Or(c.MaxTenants, 1000)
	c.IdleClose = cmp.Or(c.IdleClose, 5*time.Minute)
	return c
}

func (s SQLiteConfig) withDefaults() SQLiteConfig {
	s.JournalMode = cmp.Or(strings.ToUpper(s.JournalMode), "WAL")
	s.Synchronous = cmp.Or(strings.ToUpper(s.Synchronous), "NORMAL")
	s.BusyTimeout = cmp.Or(s.BusyTimeout, 5*time.Second)
	return s
}

// acquireWait is how long to wait for a connection, 0 until the context ends.
func (p PoolConfig) acquireWait() time.Duration {
	return max(p.AcquireTimeout, 0)
}
