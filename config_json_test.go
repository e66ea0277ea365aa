package dbfleet

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/config"
)

func fleetConfig() Config {
	return Config{Default: "main", Connections: map[string]ConnectionConfig{
		"main": {
			Driver: SQLite, Database: "app.db", Pool: PoolConfig{MaxOpen: 4},
			SQLite: SQLiteConfig{JournalMode: "wal", Synchronous: "full", BusyTimeout: 2 * time.Second, DeferredTransactions: true},
		},
		"users_db": {
			Driver: MySQL, Host: "db1.example.com", Port: 3307, Database: "users", Username: "app", Password: "p@ss/w:rd#%", SSL: true,
			ReadHosts: []string{"r1.example.com", "r2.example.com:3308", "[2001:db8::1]:3309"},
			Pool: PoolConfig{
				MaxOpen: 20, MaxIdle: 15, MaxLifetime: time.Hour, MaxIdleTime: -1, AcquireTimeout: 3 * time.Second, StatementCache: -1,
			},
			ReadPool: &PoolConfig{MaxOpen: 50},
			Replicas: []ReplicaConfig{
				{Host: "r4.example.com", Name: "near", Weight: 3, Zone: "eu-1", Pool: &PoolConfig{}, Params: map[string]string{"wait_timeout": "60"}},
				{Host: "r5.example.com:3309", Pool: &PoolConfig{MaxOpen: 5, MaxLifetime: time.Minute}},
			},
			Hosts: []string{"db3.example.com"},
			Reads: ReadsConfig{
				Balance: BalanceLatency, Zone: "eu-1", MaxLag: 2 * time.Second, WhenStale: FallbackStale, StaleLimit: time.Minute, PrimaryReads: -1,
				WhenPrimaryDown: true, MinWait: 50 * time.Millisecond, MaxWait: time.Second, ProbeInterval: 2 * time.Second, HedgeAfter: 20 * time.Millisecond,
				DiscoverEvery: 5 * time.Second,
			},
			ConnectTimeout: 2 * time.Second, StatementTimeout: -1,
			Params: map[string]string{"wait_timeout": "600"},
		},
		"analytics": {
			URL: "postgresql://reporter:p%40ss@db2.example.com/events?sslmode=verify-ca&application_name=fleet",
			TLS: TLSConfig{CAFile: "ca.pem"}, Pooler: true,
		},
		"local": {Driver: Postgres, Socket: "/run/postgresql", Database: "app", Username: "app", TLS: TLSConfig{Mode: TLSDisable}},
	}}
}

func TestConfig_DecodesFromJSON(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/config/fleet.json")
	require.NoError(t, err)
	var c Config
	require.NoError(t, json.Unmarshal(data, &c))
	require.Equal(t, fleetConfig(), c)
	_, err = c.prepare()
	require.Equal(t, []string{"tls.ca_file"}, faultKeys(t, err), "there is no such file, and nothing else is wrong")
}

func TestConfig_JSONRoundTripsAllButSecrets(t *testing.T) {
	t.Parallel()
	want := fleetConfig()
	delete(want.Connections, "analytics")
	users := want.Connections["users_db"]
	users.Password = ""
	want.Connections["users_db"] = users
	data, err := json.MarshalIndent(want, "", "  ")
	require.NoError(t, err)
	var got Config
	require.NoError(t, json.Unmarshal(data, &got))
	require.Equal(t, want, got)
}

func TestConfig_PartsDecodeAlone(t *testing.T) {
	t.Parallel()
	var p PoolConfig
	require.NoError(t, json.Unmarshal([]byte(`{"max_open": 3, "max_lifetime": "1m"}`), &p))
	require.Equal(t, PoolConfig{MaxOpen: 3, MaxLifetime: time.Minute}, p)
	data, err := json.Marshal(p)
	require.NoError(t, err)
	require.JSONEq(t, `{"max_open": 3, "max_lifetime": "1m0s"}`, string(data))

	var tls TLSConfig
	require.NoError(t, json.Unmarshal([]byte(`{"mode": "verify-full", "key": "x"}`), &tls))
	data, err = json.Marshal(tls)
	require.NoError(t, err)
	require.JSONEq(t, `{"mode": "verify-full", "key": "[redacted]"}`, string(data))

	var s SQLiteConfig
	require.NoError(t, json.Unmarshal([]byte(`{"busy_timeout": "-1"}`), &s))
	data, err = json.Marshal(s)
	require.NoError(t, err)
	require.JSONEq(t, `{"busy_timeout": "-1"}`, string(data))
	require.Error(t, json.Unmarshal([]byte(`{"busy_timeout": 5}`), &s))
	require.Error(t, json.Unmarshal([]byte(`[]`), &s))
}

// hazard 337
func TestConfig_JSONFaultsNameConnectionAndKey(t *testing.T) {
	t.Parallel()
	var c Config
	err := json.Unmarshal([]byte(`{
		"defualt": "a", "default": 5,
		"connections": {
			"a": {
				"hsot": "h", "port": "54x2", "password": 123456, "connect_timeout": 30, "statement_timeout": "30", "ssl": "CANARY",
				"read_hosts": 5, "pool": {"max_open": 1.5, "max_opne": 1, "max_idle": 0}, "tls": [], "params": {"x": 1}, "driver": "oracle",
				"host": "h", "host": "h", "Database": "d", "username": null, "pooler": 1
			},
			"b": {"ssl": false, "tls": {"mode": "require"}},
			"c": "postgres://u:CANARY@h/d"
		}
	}`), &c)
	found := map[string]string{}
	for _, fault := range configFaults(t, err) {
		found[fault.Connection+"/"+fault.Key] = fault.Reason
	}
	requireNoCanary(t, err.Error())
	require.Equal(t, map[string]string{
		"/defualt":            "is not a key of the configuration: did you mean default?",
		"/default":            "is not a string: write it in quotes",
		"a/hsot":              "is not a key of a connection: did you mean host?",
		"a/port":              "is not a whole number",
		"a/password":          "is not a string: write it in quotes",
		"a/connect_timeout":   `is not a text with a duration and its unit, such as "30s"`,
		"a/statement_timeout": `is not a duration with its unit, such as "30s", "5m" or "1h30m"`,
		"a/ssl":               "is neither true nor false",
		"a/read_hosts":        "is not a list of strings",
		"a/pool.max_open":     "is not a whole number",
		"a/pool.max_opne":     "is not a key of a connection: did you mean pool.max_open?",
		"a/pool.max_idle":     "is 0: leave it out for the default, or write -1 for no bound",
		"a/tls":               "is not an object",
		"a/params.x":          "is not a string: write it in quotes",
		"a/driver":            config.UnknownDriver("oracle").Error(),
		"a/host":              "is given twice",
		"a/Database":          "is not a key of a connection: did you mean database?",
		"a/pooler":            "is neither true nor false",
		"b/ssl":               "is false, but tls.mode asks for TLS",
		"c/":                  "is not an object",
	}, found)
	require.Empty(t, c)

	var one ConnectionConfig
	require.Equal(t, []string{"prot"}, faultKeys(t, json.Unmarshal([]byte(`{"prot": 1}`), &one)))
}

func FuzzConfigJSON(f *testing.F) {
	data, err := os.ReadFile("testdata/config/fleet.json")
	require.NoError(f, err)
	f.Add(string(data))
	f.Add(`{"connections": {"a": {"password": "CANARY", "pool": 1, "url": "mysql://u:CANARY@h"}}}`)
	f.Fuzz(func(t *testing.T, text string) {
		// Only as a password is the canary a secret.
		text = strings.ReplaceAll(strings.ReplaceAll(text, canary, "x"), `"password": "`, `"password": "`+canary)
		var c Config
		if err := json.Unmarshal([]byte(text), &c); err != nil {
			requireNoCanary(t, err.Error())
			return
		}
		requireNoCanary(t, c.String())
		if _, err := c.prepare(); err != nil {
			requireNoCanary(t, err.Error())
		}
		data, err := json.Marshal(c)
		require.NoError(t, err)
		requireNoCanary(t, string(data))
	})
}
