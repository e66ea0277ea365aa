package dbfleet

import (
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestConfig_TenantsComeFromAFileAndTheEnvironmentAlike(t *testing.T) {
	t.Parallel()
	want := ConnectionConfig{
		Driver: Postgres, Host: "db1", Database: "shop_{tenant}", Username: "app", Pool: PoolConfig{MaxOpen: 4},
		Tenants: &TenantsConfig{MaxOpen: 200, MaxTenants: 50, IdleClose: time.Minute},
	}
	var file Config
	text := `{"connections": {"shops": {"driver": "postgres", "host": "db1", "database": "shop_{tenant}", "username": "app", "pool": {"max_open": 4},
		"tenants": {"max_open": 200, "max_tenants": 50, "idle_close": "1m"}}}}`
	require.NoError(t, json.Unmarshal([]byte(text), &file))
	require.Equal(t, want, file.Connections["shops"])

	env, err := fromEnviron([]string{
		"DB_SHOPS_DRIVER=postgres", "DB_SHOPS_HOST=db1", "DB_SHOPS_DATABASE=shop_{tenant}", "DB_SHOPS_USERNAME=app", "DB_SHOPS_POOL_MAX_OPEN=4",
		"DB_SHOPS_TENANTS_MAX_OPEN=200", "DB_SHOPS_TENANTS_MAX_TENANTS=50", "DB_SHOPS_TENANTS_IDLE_CLOSE=1m",
	})
	require.NoError(t, err)
	want.envPrefix = "DB_SHOPS_"
	require.Equal(t, want, env.Connections["shops"])

	data, err := json.Marshal(file)
	require.NoError(t, err)
	require.Contains(t, string(data), `"tenants":{"idle_close":"1m0s","max_open":200,"max_tenants":50}`)
	require.Contains(t, want.String(), "Tenants:{MaxOpen:200 MaxTenants:50 IdleClose:1m0s}")
	require.NotContains(t, string(mustJSON(t, ConnectionConfig{Driver: SQLite})), "tenants")

	// A section without a key is one: all is as it is by default.
	var one ConnectionConfig
	require.NoError(t, json.Unmarshal([]byte(`{"url": "postgres://app@db1/shop_{tenant}", "tenants": {}}`), &one))
	require.Equal(t, &TenantsConfig{}, one.Tenants)
	require.JSONEq(t, `{}`, string(mustJSON(t, one.Tenants)))
	one, err = one.prepare("shops")
	require.NoError(t, err)
	require.Equal(t, &TenantsConfig{MaxOpen: 100, MaxTenants: 1000, IdleClose: 5 * time.Minute}, one.Tenants)
	require.Equal(t, "shop_{tenant}", one.Database)

	// Alone, and by the other decoders' methods.
	alone := TenantsConfig{MaxOpen: 7, IdleClose: -1}
	tree := map[string]any{"max_open": 7, "idle_close": -1}
	for _, decode := range []func(*TenantsConfig) error{
		func(c *TenantsConfig) error { return json.Unmarshal([]byte(`{"max_open": 7, "idle_close": -1}`), c) },
		func(c *TenantsConfig) error { return c.UnmarshalTOML(tree) },
		func(c *TenantsConfig) error { return c.UnmarshalMapstructure(tree) },
		func(c *TenantsConfig) error {
			return c.UnmarshalYAML(func(to any) error { *to.(*any) = tree; return nil })
		},
	} {
		var got TenantsConfig
		require.NoError(t, decode(&got))
		require.Equal(t, alone, got)
	}
	written, err := alone.MarshalYAML()
	require.NoError(t, err)
	require.Equal(t, map[string]any{"max_open": 7, "idle_close": "-1"}, written)
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	require.NoError(t, err)
	return data
}

func TestConfig_FaultsOfTenantsNameTheKeyAndTheVariable(t *testing.T) {
	t.Parallel()
	const file = `"driver": "postgres", "host": "db1", "username": "app"`
	for tenants, want := range map[string]string{
		`{"max_opne": 5}`:             `tenants.max_opne is not a key of a connection: did you mean tenants.max_open?`,
		`{"connect": "x"}`:            `tenants.connect is not a key of a connection`,
		`{"driver": "sqlite"}`:        `tenants.driver is not a key of a connection`,
		`{"max_open": 1.5}`:           `tenants.max_open is not a whole number`,
		`{"max_open": 0}`:             `tenants.max_open is 0: leave it out for the default, or write -1 for no bound`,
		`{"max_open": -2}`:            `tenants.max_open is negative: only -1 has a meaning`,
		`{"max_tenants": -1}`:         `tenants.max_tenants must be positive`,
		`{"idle_close": "5"}`:         `tenants.idle_close is not a duration with its unit, such as "30s", "5m" or "1h30m"`,
		`{"idle_close": 5}`:           `tenants.idle_close is not a text with a duration and its unit, such as "30s"`,
		`{"idle_close": "-3m"}`:       `tenants.idle_close is negative: only -1 has a meaning`,
		`[]`:                          `tenants is not an object`,
		`"5"`:                         `tenants is not an object`,
		`{"max_open":1,"max_open":2}`: `tenants.max_open is given twice`,
	} {
		var c Config
		err := json.Unmarshal([]byte(`{"connections": {"shops": {`+file+`, "database": "shop_{tenant}", "tenants": `+tenants+`}}}`), &c)
		if err == nil {
			_, err = Open(c)
		}
		require.EqualError(t, err, `dbfleet: connection "shops": `+want, tenants)
	}
	base := []string{"DB_SHOPS_DRIVER=postgres", "DB_SHOPS_HOST=db1", "DB_SHOPS_USERNAME=app", "DB_SHOPS_DATABASE=shop_{tenant}"}
	for variable, want := range map[string]string{
		"DB_SHOPS_TENANTS_MAX_OPNE=5":     `dbfleet: DB_SHOPS_TENANTS_MAX_OPNE is not a variable of a connection: did you mean DB_SHOPS_TENANTS_MAX_OPEN?`,
		"DB_SHOPS_TENANTS_CONNECT=x":      `dbfleet: DB_SHOPS_TENANTS_CONNECT is not a variable of a connection`,
		"DB_SHOPS_TENANTS_MAX_OPEN=many":  `dbfleet: connection "shops": DB_SHOPS_TENANTS_MAX_OPEN (tenants.max_open) is not a whole number`,
		"DB_SHOPS_TENANTS_MAX_OPEN=":      `dbfleet: connection "shops": DB_SHOPS_TENANTS_MAX_OPEN (tenants.max_open) is set, but empty: remove it to leave it out`,
		"DB_SHOPS_TENANTS_MAX_OPEN=-2":    `dbfleet: connection "shops": DB_SHOPS_TENANTS_MAX_OPEN (tenants.max_open) is negative: only -1 has a meaning`,
		"DB_SHOPS_TENANTS_MAX_TENANTS=-1": `dbfleet: connection "shops": DB_SHOPS_TENANTS_MAX_TENANTS (tenants.max_tenants) must be positive`,
		"DB_SHOPS_TENANTS_MAX_TENANTS=0":  `dbfleet: connection "shops": DB_SHOPS_TENANTS_MAX_TENANTS (tenants.max_tenants) is 0: leave it out for the default, or write -1 for no bound`,
		"DB_SHOPS_TENANTS_IDLE_CLOSE=5":   `dbfleet: connection "shops": DB_SHOPS_TENANTS_IDLE_CLOSE (tenants.idle_close) is not a duration with its unit, such as "30s", "5m" or "1h30m"`,
		"DB_SHOPS_TENANTS_IDLE_CLOSE=-5m": `dbfleet: connection "shops": DB_SHOPS_TENANTS_IDLE_CLOSE (tenants.idle_close) is negative: only -1 has a meaning`,
	} {
		_, err := fromEnviron(append(base[:4:4], variable))
		require.ErrorContains(t, err, want, variable)
	}
}

// What a template must say, and what only Connect may leave out.
func TestConfig_ATemplateOfTenantsSharesNoNode(t *testing.T) {
	t.Parallel()
	server := ConnectionConfig{Driver: Postgres, Host: "db1", Database: "shop_{tenant}", Username: "app"}
	file := ConnectionConfig{Driver: SQLite, Database: "tenants/{tenant}.db"}
	with := func(c ConnectionConfig, change func(*ConnectionConfig)) ConnectionConfig {
		c.Tenants = &TenantsConfig{}
		change(&c)
		return c
	}
	byHost := func(c *ConnectionConfig) { c.Database, c.Host = "shop", "{tenant}.db" }
	discover := func(context.Context) ([]ReplicaConfig, error) { return nil, nil }
	connect := func(context.Context, string) (ConnectionConfig, error) { return ConnectionConfig{}, nil }
	for name, tc := range map[string]struct {
		config ConnectionConfig
		want   string // key and a part of the reason, nothing for none
	}{
		"by database":                    {with(server, func(*ConnectionConfig) {}), ""},
		"by database, with replicas":     {with(server, func(c *ConnectionConfig) { c.ReadHosts, c.Discover = []string{"r1"}, discover }), ""},
		"by URL":                         {with(ConnectionConfig{URL: "mysql://app@db1/shop_{tenant}"}, func(*ConnectionConfig) {}), ""},
		"by escaped URL":                 {with(ConnectionConfig{URL: "mysql://app@db1/shop_%7Btenant%7D"}, func(*ConnectionConfig) {}), ""},
		"by host":                        {with(server, byHost), ""},
		"by socket":                      {with(server, func(c *ConnectionConfig) { c.Database, c.Host, c.Socket = "shop", "", "/run/{tenant}" }), ""},
		"by host, with replicas":         {with(server, func(c *ConnectionConfig) { byHost(c); c.ReadHosts = []string{"{tenant}.r1"} }), ""},
		"by file":                        {with(file, func(*ConnectionConfig) {}), ""},
		"by folder":                      {with(file, func(c *ConnectionConfig) { c.Database = "tenants/{tenant}/shop.db" }), ""},
		"by nothing":                     {with(server, func(c *ConnectionConfig) { c.Database = "shop" }), "database has no {tenant}"},
		"by username only":               {with(server, func(c *ConnectionConfig) { c.Database, c.Username = "shop", "{tenant}" }), "database has no {tenant}"},
		"without a database":             {with(server, func(c *ConnectionConfig) { c.Database = "" }), "database is missing"},
		"one file":                       {with(file, func(c *ConnectionConfig) { c.Database = "shop.db" }), "database has no {tenant}"},
		"in memory":                      {with(file, func(c *ConnectionConfig) { c.Database = ":memory:" }), "database has no {tenant}"},
		"nothing behind the name":        {with(file, func(c *ConnectionConfig) { c.Database = "tenants/{tenant}" }), `database has nothing behind {tenant}`},
		"the end of a journal's name":    {with(file, func(c *ConnectionConfig) { c.Database = "tenants/{tenant}al" }), `and "-wal"`},
		"a copy of all":                  {with(file, func(c *ConnectionConfig) { c.ReadHosts = []string{"copy.db"} }), "read_hosts has no {tenant}"},
		"by host, a replica of all":      {with(server, func(c *ConnectionConfig) { byHost(c); c.Replicas = []ReplicaConfig{{Host: "r1"}} }), "replicas has no {tenant}"},
		"by host, another host of all":   {with(server, func(c *ConnectionConfig) { byHost(c); c.Hosts = []string{"db2"} }), "hosts has no {tenant}"},
		"by host, discovered replicas":   {with(server, func(c *ConnectionConfig) { byHost(c); c.Discover = discover }), "discover is set"},
		"another driver":                 {with(server, func(c *ConnectionConfig) { c.Tenants.Driver = MySQL }), "driver is postgres"},
		"the same driver":                {with(server, func(c *ConnectionConfig) { c.Tenants.Driver = "pgx" }), ""},
		"what no tenant could have":      {with(server, func(c *ConnectionConfig) { c.Port = -1 }), "port must be"},
		"all is told by Connect":         {with(ConnectionConfig{Driver: MySQL}, func(c *ConnectionConfig) { c.Tenants.Connect = connect }), ""},
		"Connect, and what is wrong":     {with(ConnectionConfig{Driver: MySQL, Port: -1}, func(c *ConnectionConfig) { c.Tenants.Connect = connect }), "port must be"},
		"Connect, and no driver":         {with(ConnectionConfig{}, func(c *ConnectionConfig) { c.Tenants.Connect = connect }), "driver is missing"},
		"a mark without tenants":         {with(server, func(c *ConnectionConfig) { c.Tenants = nil }), "database has {tenant}, which has a meaning beside tenants only"},
		"a name that would be cut off":   {with(server, func(c *ConnectionConfig) { c.Tenants, c.Database = nil, strings.Repeat("d", 64) }), "database has 64 bytes"},
		"a name that is just long":       {with(server, func(c *ConnectionConfig) { c.Tenants, c.Database = nil, strings.Repeat("d", 63) }), ""},
		"long names on another database": {with(server, func(c *ConnectionConfig) { c.Driver, c.Tenants, c.Database = MySQL, nil, strings.Repeat("d", 64) }), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := Open(Config{Connections: map[string]ConnectionConfig{"shops": tc.config}})
			if tc.want == "" {
				require.NoError(t, err)
				require.NoError(t, r.Close())
				return
			}
			require.ErrorContains(t, err, `connection "shops": `)
			require.ErrorContains(t, err, tc.want)
			require.Len(t, configFaults(t, err), 1, "%v", err)
		})
	}
}

// ConfigFromEnv does not know whether Connect will be set, and Open does.
func TestConfigFromEnv_WhatConnectMayTellIsMissedByOpen(t *testing.T) {
	t.Parallel()
	c, err := fromEnviron([]string{"DB_SHOPS_DRIVER=postgres", "DB_SHOPS_TENANTS_MAX_OPEN=20"})
	require.NoError(t, err)
	_, err = Open(c)
	require.ErrorContains(t, err, `connection "shops": DB_SHOPS_HOST (host) is missing`)
	require.ErrorContains(t, err, `connection "shops": DB_SHOPS_DATABASE (database) is missing`)
	c.Connections["shops"].Tenants.Connect = func(context.Context, string) (ConnectionConfig, error) {
		return ConnectionConfig{}, ErrUnknownTenant
	}
	r, err := Open(c)
	require.NoError(t, err)
	t.Cleanup(func() { _ = r.Close() })
	require.ErrorIs(t, r.DB("").Ping(WithTenant(t.Context(), "acme")), ErrUnknownTenant)
	stats, err := r.TenantsStats("shops")
	require.NoError(t, err)
	require.Equal(t, 20, stats.MaxOpen)

	_, err = fromEnviron([]string{"DB_SHOPS_TENANTS_MAX_OPEN=20"})
	require.ErrorContains(t, err, "DB_SHOPS_DRIVER (driver) is missing")
}

func TestConnectionConfig_ATenantsNameStandsWhereItIsNamed(t *testing.T) {
	t.Parallel()
	template := ConnectionConfig{
		Driver: Postgres, Host: "{tenant}.db", Socket: "/run/{tenant}", Database: "{tenant}_{tenant}", Username: "u_{tenant}", Password: "{tenant}",
		Hosts: []string{"{tenant}.b"}, ReadHosts: []string{"{tenant}.r"}, Replicas: []ReplicaConfig{{Host: "{tenant}.s", Params: map[string]string{"role": "{tenant}"}}},
		Params: map[string]string{"application_name": "shop {tenant}"}, Tenants: &TenantsConfig{},
	}
	before := mustJSON(t, template)
	require.Equal(t, ConnectionConfig{
		Driver: Postgres, Host: "acme.db", Socket: "/run/acme", Database: "acme_acme", Username: "u_acme", Password: "{tenant}",
		Hosts: []string{"acme.b"}, ReadHosts: []string{"acme.r"}, Replicas: []ReplicaConfig{{Host: "acme.s", Params: map[string]string{"role": "acme"}}},
		Params: map[string]string{"application_name": "shop acme"},
	}, template.forTenant("acme"))
	require.JSONEq(t, string(before), string(mustJSON(t, template)), "the template stays")
}

func TestOpen_TenantsAndConnectionsHaveNamesOfTheirOwn(t *testing.T) {
	t.Parallel()
	file := func(tenants *TenantsConfig, name string) ConnectionConfig {
		return ConnectionConfig{Driver: SQLite, Database: filepath.Join(t.TempDir(), name), Tenants: tenants}
	}
	_, err := Open(Config{Connections: map[string]ConnectionConfig{"shops": file(&TenantsConfig{}, "{tenant}.db"), "shops/acme": file(nil, "a.db")}})
	require.ErrorContains(t, err, `connection "shops/acme": is the name of a tenant's database, of "shops"`)
	r, err := Open(Config{Connections: map[string]ConnectionConfig{"shops": file(&TenantsConfig{}, "{tenant}.db"), "main": file(nil, "a.db"), "b/c": file(nil, "c.db")}})
	require.NoError(t, err)
	t.Cleanup(func() { _ = r.Close() })
	require.Equal(t, []string{"b/c", "main"}, r.Names())
	require.ErrorContains(t, r.Add("b", file(&TenantsConfig{}, "{tenant}.db")), `begins the name of the connection "b/c"`)
	require.ErrorContains(t, r.Replace(t.Context(), "main", file(&TenantsConfig{}, "{tenant}.db")), "tenants is set, and what is replaced is one database")
	require.ErrorContains(t, r.Replace(t.Context(), "shops", file(nil, "a.db")), "another database for each tenant")
	require.NoError(t, r.Remove(t.Context(), "shops"))
	require.NoError(t, r.Add("shops", file(&TenantsConfig{}, "{tenant}.db")))
}
