package dbfleet

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/driver"
)

// configFaults returns the faults in err, flattened; anything else fails the test.
func configFaults(t testing.TB, err error) []*ConfigError {
	t.Helper()
	var list []*ConfigError
	var walk func(error)
	walk = func(err error) {
		if fault, ok := any(err).(*ConfigError); ok {
			list = append(list, fault)
			return
		}
		joined, ok := any(err).(interface{ Unwrap() []error })
		require.True(t, ok, "not a *ConfigError: %v", err)
		for _, err := range joined.Unwrap() {
			walk(err)
		}
	}
	if err != nil {
		walk(err)
	}
	return list
}

// faultKeys returns the keys of the faults in err, in their order.
func faultKeys(t testing.TB, err error) []string {
	t.Helper()
	keys := []string{}
	for _, fault := range configFaults(t, err) {
		keys = append(keys, fault.Key)
	}
	return keys
}

func postgresConfig() ConnectionConfig {
	return ConnectionConfig{Driver: Postgres, Host: "db.example.com", Database: "app", Username: "app"}
}

func TestConnectionConfig_ZeroMeansTheDocumentedDefault(t *testing.T) {
	t.Parallel()
	pool := PoolConfig{
		MaxOpen: 10, MaxIdle: 10, MaxLifetime: 30 * time.Minute, MaxIdleTime: 5 * time.Minute,
		AcquireTimeout: 10 * time.Second, StatementCache: 128,
	} // hazard 179
	c, err := postgresConfig().prepare("x")
	require.NoError(t, err)
	require.Equal(t, ConnectionConfig{
		Driver: Postgres, Host: "db.example.com", Port: 5432, Database: "app", Username: "app",
		Pool: pool, ReadPool: &pool, ConnectTimeout: 5 * time.Second, StatementTimeout: 5 * time.Minute, // hazard 173
		Reads: ReadsConfig{
			Balance: BalanceRoundRobin, WhenStale: FallbackPrimary, PrimaryReads: 5, MinWait: 100 * time.Millisecond, MaxWait: 500 * time.Millisecond,
			ProbeInterval: time.Second, DiscoverEvery: 10 * time.Second,
		},
	}, c)

	c, err = ConnectionConfig{Driver: "MariaDB", Host: "h", Database: "d"}.prepare("x")
	require.NoError(t, err)
	require.Equal(t, MySQL, c.Driver)
	require.Equal(t, 3306, c.Port)
	require.NotEmpty(t, c.Username, "the operating system's user")

	c, err = ConnectionConfig{Driver: "sqlite3", Database: "../a?b#c%20.db"}.prepare("x")
	require.NoError(t, err)
	require.Equal(t, SQLiteConfig{JournalMode: "WAL", Synchronous: "NORMAL", BusyTimeout: 5 * time.Second}, c.SQLite)
	require.Equal(t, "../a?b#c%20.db", c.Database)
	require.Empty(t, c.Username)
}

func TestDriver_AliasesInAnyCase(t *testing.T) {
	t.Parallel()
	for alias, want := range map[Driver]Driver{
		"postgres": Postgres, "PostgreSQL": Postgres, "pgx": Postgres, "PG": Postgres,
		"MySQL": MySQL, "MARIADB": MySQL, "sqlite": SQLite, "SQLite3": SQLite,
	} {
		require.Equal(t, want, ConnectionConfig{Driver: alias}.withDefaults().Driver)
	}
}

func TestConfig_DefaultsAreACopy(t *testing.T) {
	t.Parallel()
	in := postgresConfig()
	in.URL = "postgres://db.example.com/app?application_name=x&read_pool_max_idle=3"
	in.ReadPool, in.Params, in.ReadHosts = &PoolConfig{MaxOpen: 7}, map[string]string{}, []string{"r1"}
	out, err := in.prepare("x")
	require.NoError(t, err)
	require.Equal(t, &PoolConfig{MaxOpen: 7}, in.ReadPool)
	require.Empty(t, in.Params)
	require.Equal(t, 3, out.ReadPool.MaxIdle)
	require.Equal(t, "x", out.Params["application_name"])
	out.ReadHosts[0] = "changed"
	require.Equal(t, "r1", in.ReadHosts[0])
}

func TestConfig_Default(t *testing.T) {
	t.Parallel()
	one := map[string]ConnectionConfig{"main": postgresConfig()}
	two := map[string]ConnectionConfig{"main": postgresConfig(), "other": postgresConfig()}

	c, err := Config{Connections: one}.prepare()
	require.NoError(t, err)
	require.Equal(t, "main", c.Default, "the only one")

	c, err = Config{Connections: two}.prepare()
	require.NoError(t, err)
	require.Empty(t, c.Default)

	_, err = Config{Default: "nain", Connections: two}.prepare()
	require.EqualError(t, err, `dbfleet: default names "nain", which is not a connection (known: "main", "other")`)
}

// promise: configuration faults are reported at once; hazard 337
func TestConnectionConfig_FaultsNameTheirKeys(t *testing.T) {
	t.Parallel()
	with := func(change func(*ConnectionConfig)) ConnectionConfig {
		c := postgresConfig()
		change(&c)
		return c
	}
	sqlite := ConnectionConfig{Driver: SQLite, Database: ":memory:"}
	for name, tc := range map[string]struct {
		config ConnectionConfig
		keys   []string
	}{
		"nothing":           {ConnectionConfig{}, []string{"driver", "database"}},
		"unknown driver":    {ConnectionConfig{Driver: "oracle", Database: "d"}, []string{"driver"}},
		"only a driver":     {ConnectionConfig{Driver: MySQL}, []string{"host", "database"}},
		"host with port":    {with(func(c *ConnectionConfig) { c.Host = "db:5432" }), []string{"host"}},
		"host with at":      {with(func(c *ConnectionConfig) { c.Host = "u@db" }), []string{"host"}},
		"host with newline": {with(func(c *ConnectionConfig) { c.Host = "db\nx" }), []string{"host"}},
		"several hosts":     {with(func(c *ConnectionConfig) { c.Host = "a,b" }), []string{"host"}},
		"host is a path":    {with(func(c *ConnectionConfig) { c.Host = "/run/x" }), []string{"host"}},
		"IPv6":              {with(func(c *ConnectionConfig) { c.Host = "2001:db8::1" }), nil},
		"IPv6 in brackets":  {with(func(c *ConnectionConfig) { c.Host = "[::1]" }), nil},
		"host and socket":   {with(func(c *ConnectionConfig) { c.Socket = "/run/x" }), []string{"socket"}},
		"relative socket":   {with(func(c *ConnectionConfig) { c.Host, c.Socket = "", "run/x" }), []string{"socket"}},
		"socket file":       {with(func(c *ConnectionConfig) { c.Host, c.Socket = "", "/run/.s.PGSQL.5432" }), []string{"socket"}},
		"socket":            {with(func(c *ConnectionConfig) { c.Host, c.Socket = "", "/run/postgresql" }), nil},
		"port":              {with(func(c *ConnectionConfig) { c.Port = 70000 }), []string{"port"}},
		"negative port":     {with(func(c *ConnectionConfig) { c.Port = -1 }), []string{"port"}},
		"NUL in password":   {with(func(c *ConnectionConfig) { c.Password = "a\x00b" }), []string{"password"}},
		"any password":      {with(func(c *ConnectionConfig) { c.Password = " '\"\\@:/?#[]%\n\t=&ü" }), nil},
		"redacted password": {with(func(c *ConnectionConfig) { c.Password = "[redacted]" }), []string{"password"}},
		"NUL in database":   {with(func(c *ConnectionConfig) { c.Database = "a\x00b" }), []string{"database"}},
		"newline in user":   {with(func(c *ConnectionConfig) { c.Username = "a\nb" }), []string{"username"}},

		"bad read hosts":  {with(func(c *ConnectionConfig) { c.ReadHosts = []string{"r1", "", "r2:x", "::1", "[r3]", "r4:0"} }), []string{"read_hosts", "read_hosts", "read_hosts", "read_hosts", "read_hosts"}},
		"same read hosts": {with(func(c *ConnectionConfig) { c.ReadHosts = []string{"r1", "R1:5432"} }), []string{"read_hosts"}},
		"read hosts": {with(func(c *ConnectionConfig) {
			c.ReadHosts = []string{"r1", "r1:5433", "[::1]", "[::1]:1", "db.example.com"}
		}), nil},

		"idle over open":    {with(func(c *ConnectionConfig) { c.Pool = PoolConfig{MaxOpen: 5, MaxIdle: 6} }), []string{"pool.max_idle"}},
		"idle over default": {with(func(c *ConnectionConfig) { c.Pool = PoolConfig{MaxIdle: 11} }), []string{"pool.max_idle"}},
		"no bounds":         {with(func(c *ConnectionConfig) { c.Pool = PoolConfig{-1, -1, -1, -1, -1, -1} }), nil},
		"negative pool":     {with(func(c *ConnectionConfig) { c.Pool = PoolConfig{-2, -2, -2, -2, -2, -2} }), []string{"pool.max_open", "pool.max_idle", "pool.statement_cache", "pool.max_lifetime", "pool.max_idle_time", "pool.acquire_timeout"}},
		"read pool":         {with(func(c *ConnectionConfig) { c.ReadPool = &PoolConfig{MaxOpen: 1, MaxIdle: 2} }), []string{"read_pool.max_idle"}},
		"negative timeouts": {with(func(c *ConnectionConfig) {
			c.ConnectTimeout, c.StatementTimeout, c.LongTransaction = -1, -time.Second, -1
		}), []string{"connect_timeout", "statement_timeout", "long_transaction"}},
		"no statement timeout": {with(func(c *ConnectionConfig) { c.StatementTimeout = -1 }), nil},

		"params": {with(func(c *ConnectionConfig) {
			c.Params = map[string]string{"a b": "1", "application_name": "a\nb", "options": "-c x", "x.y": "ok", "DateStyle": "x"}
		}), []string{"params.DateStyle", "params", "params.application_name", "params.options"}}, // hazard 373
		"mysql params": {ConnectionConfig{Driver: MySQL, Host: "h", Database: "d", Params: map[string]string{
			"sql_mode": "", "charset": "gbk", "multiStatements": "maybe", "allowAllFiles": "true", "wait_timeout": "5",
		}}, []string{"params.allowAllFiles", "params.charset", "params.multiStatements", "params.sql_mode"}}, // hazards 7, 24, 354
		"strict sql_mode": {ConnectionConfig{Driver: MySQL, Host: "h", Database: "d", Params: map[string]string{
			"sql_mode": "'ANSI_QUOTES,STRICT_ALL_TABLES'",
		}}, nil},

		"sqlite with a server": {ConnectionConfig{
			Driver: SQLite, Database: "x", Host: "h", Port: 1, Username: "u", Password: "p", SSL: true,
			TLS: TLSConfig{CAFile: "x"}, Pooler: true,
		}, []string{"host", "port", "username", "password", "tls.ca_file", "pooler", "ssl"}},
		"sqlite with copies": {ConnectionConfig{Driver: SQLite, Database: "x", ReadHosts: []string{"a copy:1.db", "/b.db"}}, nil},
		"sqlite with files that are no copies": {ConnectionConfig{
			Driver: SQLite, Database: "x", ReadHosts: []string{"", ":memory:", "dir/", "./x", "y", "./y"},
		}, []string{"read_hosts", "read_hosts", "read_hosts", "read_hosts", "read_hosts"}},
		"sqlite in memory with copies": {ConnectionConfig{Driver: SQLite, Database: ":memory:", ReadHosts: []string{"x"}}, []string{"read_hosts"}},
		"sqlite":                       {sqlite, nil},
		"sqlite without path":          {ConnectionConfig{Driver: SQLite}, []string{"database"}},
		"sqlite settings": {ConnectionConfig{
			Driver: SQLite, Database: "x",
			SQLite: SQLiteConfig{JournalMode: "x; drop", Synchronous: "x", BusyTimeout: -2},
		}, []string{"sqlite.journal_mode", "sqlite.synchronous", "sqlite.busy_timeout"}},
		"pragmas": {ConnectionConfig{Driver: SQLite, Database: "x", Params: map[string]string{
			"cache_size": "-2000", "temp_store": "1; ATTACH 'x'", "main.page_size": "1", "foreign_keys": "0",
		}}, []string{"params.foreign_keys", "params.main.page_size", "params.temp_store"}}, // hazard 355
		"server with sqlite settings": {with(func(c *ConnectionConfig) { c.SQLite.JournalMode = "WAL" }), []string{"sqlite.journal_mode"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := tc.config.prepare("some db")
			if tc.keys == nil {
				require.NoError(t, err)
				return
			}
			require.Equal(t, tc.keys, faultKeys(t, err), "%v", err)
			for _, fault := range configFaults(t, err) {
				require.Equal(t, "some db", fault.Connection)
				require.Contains(t, fault.Error(), `dbfleet: connection "some db": `+fault.Key+" ")
			}
		})
	}
}

func TestConfig_ReportsTheFaultsOfAllConnections(t *testing.T) {
	t.Parallel()
	_, err := Config{Default: "x", Connections: map[string]ConnectionConfig{
		"b": {Driver: MySQL, Database: "d"}, "a": {Driver: "oracle"}, "": postgresConfig(), "n\nl": postgresConfig(),
	}}.prepare()
	require.Equal(t, []string{"connections", "driver", "database", "host", "connections", "default"}, faultKeys(t, err))
	require.Equal(t, 5, strings.Count(err.Error(), "\n"), "one line each: %v", err)
}

func TestConfigError_IsATypeWithItsCause(t *testing.T) {
	t.Parallel()
	cause := errors.New("cause")
	err := error(&ConfigError{Connection: "a", Key: "tls.ca_file", Variable: "DB_A_TLS_CA_FILE", Reason: "cannot be read", Err: cause})
	require.EqualError(t, err, `dbfleet: connection "a": DB_A_TLS_CA_FILE (tls.ca_file) cannot be read: cause`)
	require.ErrorIs(t, err, cause)
	require.EqualError(t, &ConfigError{Connection: "a\nb", Reason: "is bad"}, `dbfleet: connection "a\nb": is bad`) // hazard 358
}

func TestNodeOptions_DescribeEachNode(t *testing.T) {
	t.Parallel()
	c, err := ConnectionConfig{
		Driver: "pg", Host: "[::1]", Port: 5433, Database: "app", Username: "u", Password: "s",
		ReadHosts: []string{"r1", "[2001:db8::1]:6000", "127.0.0.1"},
		Pool:      PoolConfig{MaxOpen: 3, MaxLifetime: -1}, ReadPool: &PoolConfig{MaxOpen: -1, MaxIdleTime: -1},
		StatementTimeout: -1, Params: map[string]string{"application_name": "x"},
	}.prepare("users_db")
	require.NoError(t, err)
	primary, replicas, err := nodeOptions(c, "users_db")
	require.NoError(t, err)

	require.Equal(t, "users_db", primary.Name)
	require.Equal(t, "postgres", primary.Dialect.Name)
	require.Equal(t, "::1", primary.Host)
	require.Equal(t, 5433, primary.Port)
	require.Equal(t, "s", primary.Password())
	require.Equal(t, map[string]string{"application_name": "x"}, primary.Params)
	require.Equal(t, []int{3, 3, 128}, []int{primary.MaxOpen, primary.MaxIdle, primary.StatementCache})
	require.Zero(t, primary.MaxLifetime)
	require.Equal(t, 5*time.Minute, primary.MaxIdleTime)
	require.Zero(t, primary.StatementTimeout)
	require.False(t, primary.ReadOnly)
	require.Nil(t, primary.TLS, "this machine")

	require.Len(t, replicas, 3)
	names, hosts, ports := []string{}, []string{}, []int{}
	for _, r := range replicas {
		names, hosts, ports = append(names, r.Name), append(hosts, r.Host), append(ports, r.Port)
		require.True(t, r.ReadOnly)
		require.Equal(t, []int{0, math.MaxInt32}, []int{r.MaxOpen, r.MaxIdle})
		require.Zero(t, r.MaxIdleTime)
	}
	require.Equal(t, []string{"users_db/replica-1", "users_db/replica-2", "users_db/replica-3"}, names)
	require.Equal(t, []string{"r1", "2001:db8::1", "127.0.0.1"}, hosts)
	require.Equal(t, []int{5433, 6000, 5433}, ports)
	require.Equal(t, "r1", replicas[0].TLS.ServerName)
	require.Equal(t, "2001:db8::1", replicas[1].TLS.ServerName)
	require.Nil(t, replicas[2].TLS)
}

func TestNodeOptions_SQLiteAndPooler(t *testing.T) {
	t.Parallel()
	c, err := ConnectionConfig{Driver: SQLite, Database: ":memory:", SQLite: SQLiteConfig{
		JournalMode: "delete", BusyTimeout: -1, DisableForeignKeys: true, DeferredTransactions: true, DoubleQuotedStrings: true,
	}}.prepare("x")
	require.NoError(t, err)
	o, replicas, err := nodeOptions(c, "x")
	require.NoError(t, err)
	require.Empty(t, replicas)
	require.Equal(t, "DELETE", o.SQLite.JournalMode)
	require.Equal(t, "NORMAL", o.SQLite.Synchronous)
	require.Zero(t, o.SQLite.BusyTimeout)
	require.True(t, o.SQLite.NoForeignKeys && o.SQLite.DeferredWrites && o.SQLite.DoubleQuotedStr)
	require.Nil(t, o.TLS)

	p := postgresConfig()
	p.Pooler = true
	p, err = p.prepare("x")
	require.NoError(t, err)
	o, _, err = nodeOptions(p, "x")
	require.NoError(t, err)
	require.True(t, o.Pooler)
	require.Zero(t, o.StatementCache)
}

// nodeOptions are the options of the sessions by which each node serves.
func nodeOptions(c ConnectionConfig, name string) (primary driver.Options, replicas []driver.Options, err error) {
	all, err := c.nodes(name)
	for _, r := range all.replicas {
		replicas = append(replicas, r.reads)
	}
	return all.primary.writes, replicas, err
}
