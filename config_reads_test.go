package dbfleet

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// replicated is a configuration without a fault.
func replicated() ConnectionConfig {
	return ConnectionConfig{Driver: Postgres, Host: "db1", Database: "d", Username: "u", ReadHosts: []string{"r1"}}
}

func TestConfig_FaultsOfReplicasAndReads(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(c *ConnectionConfig){
		"replicas number 1 is neither a host's name nor an IP address":           func(c *ConnectionConfig) { c.Replicas = []ReplicaConfig{{}} },
		"replicas number 1 (R1:5432) is the same as number 1 of read_hosts (r1)": func(c *ConnectionConfig) { c.Replicas = []ReplicaConfig{{Host: "R1:5432"}} },
		"replicas number 2 (a) is the same as number 1 (a)":                      func(c *ConnectionConfig) { c.Replicas = []ReplicaConfig{{Host: "a"}, {Host: "a"}} },
		`replicas number 2 has the same name as number 1 ("x")`: func(c *ConnectionConfig) {
			c.Replicas = []ReplicaConfig{{Host: "a", Name: "x"}, {Host: "b", Name: "x"}}
		},
		`replicas number 1 has the same name as number 1 of read_hosts ("replica-1")`: func(c *ConnectionConfig) { c.Replicas = []ReplicaConfig{{Host: "a", Name: "replica-1"}} },
		`replicas number 1 has the name of one of hosts ("host-2")`: func(c *ConnectionConfig) {
			c.Hosts, c.Replicas = []string{"b"}, []ReplicaConfig{{Host: "a", Name: "host-2"}}
		},
		"replicas number 1 has a fault: name has a control character":     func(c *ConnectionConfig) { c.Replicas = []ReplicaConfig{{Host: "a", Name: "x\n"}} },
		"replicas number 1 has a fault: name has a slash":                 func(c *ConnectionConfig) { c.Replicas = []ReplicaConfig{{Host: "a", Name: "x/y"}} },
		"replicas number 1 has a fault: name begins or ends with a space": func(c *ConnectionConfig) { c.Replicas = []ReplicaConfig{{Host: "a", Name: "x "}} },
		"reads.stale_limit is 1s, less than max_lag, which is 2s: nothing would be left for it to allow": func(c *ConnectionConfig) {
			c.Reads.WhenStale, c.Reads.MaxLag, c.Reads.StaleLimit = FallbackStale, 2*time.Second, time.Second
		},
		"replicas number 1 has a fault: zone has a control character":      func(c *ConnectionConfig) { c.Replicas = []ReplicaConfig{{Host: "a", Zone: "x\n"}} },
		"replicas number 1 has a fault: weight must be between 1 and 1000": func(c *ConnectionConfig) { c.Replicas = []ReplicaConfig{{Host: "a", Weight: 1001}} },
		"replicas number 2 has a fault: weight must be between 1 and 1000": func(c *ConnectionConfig) {
			c.Replicas = []ReplicaConfig{{Host: "a", Weight: 1}, {Host: "b", Weight: -1}}
		},
		"replicas number 1 has a fault: pool.max_open is negative: only -1 has a meaning": func(c *ConnectionConfig) { c.Replicas = []ReplicaConfig{{Host: "a", Pool: &PoolConfig{MaxOpen: -2}}} },
		"replicas number 1 has a fault: params has a name that is not letters, digits, _ and dots: \"a b\"": func(c *ConnectionConfig) {
			c.Replicas = []ReplicaConfig{{Host: "a", Params: map[string]string{"a b": "x"}}}
		},
		"hosts number 1 (db1:5432) is the same as host":           func(c *ConnectionConfig) { c.Hosts = []string{"db1:5432"} },
		"hosts number 2 (b) is the same as number 1 (b)":          func(c *ConnectionConfig) { c.Hosts = []string{"b", "b"} },
		"hosts number 1 is not host, host:port or [IPv6]:port":    func(c *ConnectionConfig) { c.Hosts = []string{"a:b:c"} },
		"hosts is set beside socket, which names the one primary": func(c *ConnectionConfig) { c.Host, c.Socket, c.Hosts = "", "/run", []string{"b"} },
		"hosts is set, but sqlite has no server": func(c *ConnectionConfig) {
			*c = ConnectionConfig{Driver: SQLite, Database: "a.db", Hosts: []string{"b"}}
		},
		"replicas number 1 is empty": func(c *ConnectionConfig) {
			*c = ConnectionConfig{Driver: SQLite, Database: "a.db", Replicas: []ReplicaConfig{{}}}
		},
		"replicas number 1 (./a.db) is the database itself": func(c *ConnectionConfig) {
			*c = ConnectionConfig{Driver: SQLite, Database: "a.db", Replicas: []ReplicaConfig{{Host: "./a.db"}}}
		},
		"replicas is set, but a database in memory has no copies in files": func(c *ConnectionConfig) {
			*c = ConnectionConfig{Driver: SQLite, Database: ":memory:", Replicas: []ReplicaConfig{{Host: "a"}}}
		},
		"reads.balance is not round-robin, weighted, random, least-in-flight or latency": func(c *ConnectionConfig) { c.Reads.Balance = "best" },
		"reads.when_stale is not primary, error or stale":                                func(c *ConnectionConfig) { c.Reads.WhenStale = "best" },
		"reads.zone has a control character":                                             func(c *ConnectionConfig) { c.Reads.Zone = "a\tb" },
		"reads.primary_reads is negative: only -1 has a meaning":                         func(c *ConnectionConfig) { c.Reads.PrimaryReads = -2 },
		"reads.max_lag must not be negative":                                             func(c *ConnectionConfig) { c.Reads.MaxLag = -1 },
		"reads.stale_limit must not be negative":                                         func(c *ConnectionConfig) { c.Reads.WhenStale, c.Reads.StaleLimit = FallbackStale, -1 },
		"reads.min_wait must not be negative":                                            func(c *ConnectionConfig) { c.Reads.MinWait = -1 },
		"reads.max_wait must not be negative":                                            func(c *ConnectionConfig) { c.Reads.MaxWait = -1 },
		"reads.probe_interval must not be negative":                                      func(c *ConnectionConfig) { c.Reads.ProbeInterval = -1 },
		"reads.hedge_after must not be negative":                                         func(c *ConnectionConfig) { c.Reads.HedgeAfter = -1 },
		"reads.discover_every must not be negative":                                      func(c *ConnectionConfig) { c.Reads.DiscoverEvery = -1 },
		"reads.max_lag is 8760h0m0.000000001s, more than 8760h0m0s":                      func(c *ConnectionConfig) { c.Reads.MaxLag = 365*24*time.Hour + 1 },
		"reads.max_lag is 2562047h47m16.854775807s, more than 8760h0m0s":                 func(c *ConnectionConfig) { c.Reads.MaxLag = math.MaxInt64 },
		"reads.max_wait is 2562047h47m16.854775807s, more than 8760h0m0s":                func(c *ConnectionConfig) { c.Reads.MaxWait = math.MaxInt64 },
		"reads.probe_interval is 2562047h47m16.854775807s, more than 8760h0m0s":          func(c *ConnectionConfig) { c.Reads.ProbeInterval = math.MaxInt64 },
		"reads.discover_every is 2562047h47m16.854775807s, more than 8760h0m0s":          func(c *ConnectionConfig) { c.Reads.DiscoverEvery = math.MaxInt64 },
		"sqlite.busy_timeout is 1440h0m0s, more than 596h31m23.647s": func(c *ConnectionConfig) {
			*c = ConnectionConfig{Driver: SQLite, Database: "a.db", SQLite: SQLiteConfig{BusyTimeout: 60 * 24 * time.Hour}}
		},
		"reads.min_wait is 2s, more than max_wait, which is 1s":            func(c *ConnectionConfig) { c.Reads.MinWait, c.Reads.MaxWait = 2*time.Second, time.Second },
		`reads.stale_limit is set, but when_stale is "primary", not stale`: func(c *ConnectionConfig) { c.Reads.StaleLimit = time.Second },
	} {
		c := replicated()
		change(&c)
		_, err := c.prepare("main")
		require.EqualError(t, err, `dbfleet: connection "main": `+want)
	}
}

// A list of servers with URLs in it is told so, and no text of them, which may hold a password.
func TestConfig_AsksForAHostWhereAURLIsGiven(t *testing.T) {
	t.Parallel()
	for _, given := range []string{
		"postgres://a/b", "postgres://u:hunter2@a:5432/b", "mysql://u:hunter2@tcp(a:3306)/b", "postgres://u:hun ter2@[::1", "://hunter2",
		"jdbc:postgresql://u:hunter2@a/b",
	} {
		for key, change := range map[string]func(c *ConnectionConfig){
			"read_hosts number 2": func(c *ConnectionConfig) { c.ReadHosts = append(c.ReadHosts, given) },
			"replicas number 1":   func(c *ConnectionConfig) { c.Replicas = []ReplicaConfig{{Host: given}} },
			"hosts number 1":      func(c *ConnectionConfig) { c.Hosts = []string{given} },
			"host":                func(c *ConnectionConfig) { c.Host = given },
		} {
			c := replicated()
			change(&c)
			_, err := c.prepare("main")
			require.ErrorContains(t, err, `connection "main": `+key+" is a URL")
			require.ErrorContains(t, err, "host")
			require.NotContains(t, err.Error(), "ter2")
		}
	}
}

func TestConfig_DefaultsOfReads(t *testing.T) {
	t.Parallel()
	c, err := replicated().prepare("main")
	require.NoError(t, err)
	require.Equal(t, ReadsConfig{
		Balance: BalanceRoundRobin, WhenStale: FallbackPrimary, PrimaryReads: 5, MinWait: 100 * time.Millisecond, MaxWait: 500 * time.Millisecond,
		ProbeInterval: time.Second, DiscoverEvery: 10 * time.Second,
	}, c.Reads)

	for _, one := range []struct {
		given, want ReadsConfig
		open, reads int
	}{
		{ReadsConfig{MinWait: time.Second}, ReadsConfig{MinWait: time.Second, MaxWait: time.Second}, 3, 2},
		{ReadsConfig{MaxWait: 50 * time.Millisecond}, ReadsConfig{MinWait: 50 * time.Millisecond, MaxWait: 50 * time.Millisecond}, -1, -1},
		{ReadsConfig{MaxWait: 2 * time.Second}, ReadsConfig{MinWait: 100 * time.Millisecond, MaxWait: 2 * time.Second}, 1, 1},
	} {
		c := replicated()
		c.Reads, c.Pool.MaxOpen = one.given, one.open
		c, err := c.prepare("main")
		require.NoError(t, err)
		require.Equal(t, one.want.MinWait, c.Reads.MinWait)
		require.Equal(t, one.want.MaxWait, c.Reads.MaxWait)
		require.Equal(t, one.reads, c.Reads.PrimaryReads)
	}
}

func TestConfig_TheFirstOfHostsStandsInForHost(t *testing.T) {
	t.Parallel()
	c := replicated()
	c.Host, c.Hosts, c.ReadHosts = "", []string{"a:5433", "b"}, []string{"r"}
	c, err := c.prepare("main")
	require.NoError(t, err)
	all, err := c.nodes("main")
	require.NoError(t, err)
	require.Equal(t, "main", all.primary.writes.Name)
	require.Equal(t, "a:5433", addressOf(&all.primary.writes))
	require.Len(t, all.hosts, 1)
	require.Equal(t, "main/host-2", all.hosts[0].writes.Name)
	require.Equal(t, "b:5432", addressOf(&all.hosts[0].writes))
	require.Equal(t, "r:5432", addressOf(&all.replicas[0].reads))
}

func TestConfig_ReplicasAndReadsDecodeAlone(t *testing.T) {
	t.Parallel()
	var r ReplicaConfig
	require.NoError(t, json.Unmarshal([]byte(`{"host": "h", "weight": "3", "pool": {"max_open": 2}, "params": {"api_token": "x"}}`), &r))
	require.Equal(t, ReplicaConfig{Host: "h", Weight: 3, Pool: &PoolConfig{MaxOpen: 2}, Params: map[string]string{"api_token": "x"}}, r)
	data, err := json.Marshal(r)
	require.NoError(t, err)
	require.JSONEq(t, `{"host": "h", "weight": 3, "pool": {"max_open": 2}, "params": {"api_token": "[redacted]"}}`, string(data))
	require.Error(t, json.Unmarshal([]byte(`{"hots": "h"}`), &r))

	var reads ReadsConfig
	require.NoError(t, json.Unmarshal([]byte(`{"max_lag": "2s", "when_primary_down": true}`), &reads))
	require.Equal(t, ReadsConfig{MaxLag: 2 * time.Second, WhenPrimaryDown: true}, reads)
	data, err = json.Marshal(reads)
	require.NoError(t, err)
	require.JSONEq(t, `{"max_lag": "2s", "when_primary_down": true}`, string(data))
}

func TestConfigFromEnv_ReadsReplicasAndHosts(t *testing.T) {
	t.Parallel()
	c, err := fromEnviron([]string{
		"DB_MAIN_DRIVER=pg", "DB_MAIN_HOSTS=a, b:5433", "DB_MAIN_DATABASE=d", "DB_MAIN_USERNAME=u", "DB_MAIN_REPLICAS=r1,r2:5434",
		"DB_MAIN_READS_BALANCE=latency", "DB_MAIN_READS_MAX_LAG=2s", "DB_MAIN_READS_WHEN_PRIMARY_DOWN=on",
	})
	require.NoError(t, err)
	main := c.Connections["main"]
	require.Equal(t, []string{"a", "b:5433"}, main.Hosts)
	require.Equal(t, []ReplicaConfig{{Host: "r1"}, {Host: "r2:5434"}}, main.Replicas)
	require.Equal(t, ReadsConfig{Balance: BalanceLatency, MaxLag: 2 * time.Second, WhenPrimaryDown: true}, main.Reads)
}

// What a program does with its configuration afterwards is its own business.
func TestConfig_IsCopiedDeeply(t *testing.T) {
	t.Parallel()
	given := replicated()
	given.Hosts = []string{"b"}
	given.Replicas = []ReplicaConfig{{Host: "r2", Pool: &PoolConfig{MaxOpen: 2}, Params: map[string]string{"role": "r"}}}
	c, err := given.prepare("main")
	require.NoError(t, err)
	given.Hosts[0], given.Replicas[0].Host, given.Replicas[0].Pool.MaxOpen, given.Replicas[0].Params["role"] = "x", "x", 9, "x"
	require.Equal(t, []string{"b"}, c.Hosts)
	require.Equal(t, []ReplicaConfig{{Host: "r2", Pool: &PoolConfig{MaxOpen: 2}, Params: map[string]string{"role": "r"}}}, c.Replicas)
}
