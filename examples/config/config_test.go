package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/BurntSushi/toml"
	"github.com/go-viper/mapstructure/v2"
	goccy "github.com/goccy/go-yaml"
	"github.com/spf13/viper"
	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

	"github.com/dbfleet/dbfleet"
)

// decoders read a text of their language, each with its real library.
var decoders = map[string]struct {
	language string
	decode   func(text []byte, to any) error
}{
	"encoding/json":   {"json", json.Unmarshal},
	"yaml.v3":         {"yaml", yaml.Unmarshal},
	"yaml.v3, strict": {"yaml", strictYAML},
	"goccy/go-yaml":   {"yaml", func(text []byte, to any) error { return goccy.Unmarshal(text, to) }},
	"goccy/go-yaml, strict": {"yaml", func(text []byte, to any) error {
		return goccy.NewDecoder(bytes.NewReader(text), goccy.Strict()).Decode(to)
	}},
	"BurntSushi/toml": {"toml", toml.Unmarshal},
	"mapstructure":    {"yaml", viaMap(mapstructure.Decode)},
	"viper with YAML": {"yaml", viaViper("yaml", func(v *viper.Viper, to any) error { return v.Unmarshal(to) })},
	"viper, exact":    {"yaml", viaViper("yaml", func(v *viper.Viper, to any) error { return v.UnmarshalExact(to) })},
	"viper with TOML": {"toml", viaViper("toml", func(v *viper.Viper, to any) error { return v.Unmarshal(to) })},
	"viper with JSON": {"json", viaViper("json", func(v *viper.Viper, to any) error { return v.Unmarshal(to) })},
}

func strictYAML(text []byte, to any) error {
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	return d.Decode(to)
}

func viaMap(decode func(from, to any) error) func([]byte, any) error {
	return func(text []byte, to any) error {
		var tree map[string]any
		if err := yaml.Unmarshal(text, &tree); err != nil {
			return err
		}
		return decode(tree, to)
	}
}

func viaViper(language string, unmarshal func(*viper.Viper, any) error) func([]byte, any) error {
	return func(text []byte, to any) error {
		v := viper.New()
		v.SetConfigType(language)
		if err := v.ReadConfig(bytes.NewReader(text)); err != nil {
			return err
		}
		return unmarshal(v, to)
	}
}

func want() Service {
	return Service{Listen: ":8080", Databases: dbfleet.Config{Default: "main", Connections: map[string]dbfleet.ConnectionConfig{
		"main": {
			Driver: dbfleet.SQLite, Database: "app.db", Pool: dbfleet.PoolConfig{MaxOpen: 4},
			SQLite: dbfleet.SQLiteConfig{JournalMode: "wal", Synchronous: "full", BusyTimeout: 2 * time.Second, DeferredTransactions: true},
		},
		"users_db": {
			Driver: dbfleet.MySQL, Host: "db1.example.com", Port: 3307, Database: "users", Username: "app", Password: "p@ss/w:rd#%", SSL: true,
			ReadHosts: []string{"r1.example.com", "r2.example.com:3308", "[2001:db8::1]:3309"},
			Pool: dbfleet.PoolConfig{
				MaxOpen: 20, MaxIdle: 15, MaxLifetime: time.Hour, MaxIdleTime: -1, AcquireTimeout: 3 * time.Second, StatementCache: -1,
			},
			ReadPool: &dbfleet.PoolConfig{MaxOpen: 50}, ConnectTimeout: 2 * time.Second, StatementTimeout: -1,
			Params: map[string]string{"wait_timeout": "600"},
		},
		"analytics": {
			URL: "postgresql://reporter:p%40ss@db2.example.com/events?sslmode=verify-ca&application_name=fleet",
			TLS: dbfleet.TLSConfig{CAFile: "ca.pem"}, Pooler: true,
		},
		"local": {Driver: dbfleet.Postgres, Socket: "/run/postgresql", Database: "app", Username: "app", TLS: dbfleet.TLSConfig{Mode: dbfleet.TLSDisable}},
	}}}
}

func TestLoad_EveryLanguageSaysTheSame(t *testing.T) {
	t.Parallel()
	for _, language := range []string{"json", "yaml", "toml"} {
		got, err := Load("testdata/service." + language)
		require.NoError(t, err, language)
		require.Equal(t, want(), got, language)
	}
	_, err := Load("testdata/none.yaml")
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = Load("config.go")
	require.ErrorContains(t, err, "no reader of .go files")
}

func TestDecoders_LoseNothing(t *testing.T) {
	t.Parallel()
	for name, d := range decoders {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile("testdata/service." + d.language)
			require.NoError(t, err)
			var got Service
			require.NoError(t, d.decode(text, &got))
			require.Equal(t, want(), got)
		})
	}
}

// All faults at once, with connection and key, whatever the library.
func TestDecoders_TellEveryFault(t *testing.T) {
	t.Parallel()
	texts := map[string]string{
		"json": `{"databases": {"connections": {"a": {"read_host": "r1", "password": 12, "connect_timeout": 30, "pool": {"max_opn": 3}, "ssl": false, "tls": {"mode": "require"}}, "b": {"prot": 1}}}}`,
		"yaml": "databases:\n  connections:\n    a:\n      read_host: r1\n      password: 12\n      connect_timeout: 30\n      pool: {max_opn: 3}\n      ssl: false\n      tls: {mode: require}\n    b: {prot: 1}\n",
		"toml": "[databases.connections.a]\nread_host = 'r1'\npassword = 12\nconnect_timeout = 30\npool = {max_opn = 3}\nssl = false\ntls = {mode = 'require'}\n[databases.connections.b]\nprot = 1\n",
	}
	for name, d := range decoders {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got Service
			err := d.decode([]byte(texts[d.language]), &got)
			if name != "BurntSushi/toml" { // which does not wrap
				var fault *dbfleet.ConfigError
				require.ErrorAs(t, err, &fault)
			}
			for _, line := range []string{
				`dbfleet: connection "a": read_host is not a key of a connection: did you mean read_hosts?`,
				`dbfleet: connection "a": password is not a string: write it in quotes`,
				`dbfleet: connection "a": connect_timeout is not a text with a duration and its unit, such as "30s"`,
				`dbfleet: connection "a": pool.max_opn is not a key of a connection: did you mean pool.max_open?`,
				`dbfleet: connection "a": ssl is false, but tls.mode asks for TLS`,
				`dbfleet: connection "b": prot is not a key of a connection: did you mean port?`,
			} {
				require.Contains(t, err.Error(), line)
			}
		})
	}
}

func TestDecoders_ReadPartsAlone(t *testing.T) {
	t.Parallel()
	type parts struct {
		One    dbfleet.ConnectionConfig `json:"one" yaml:"one" toml:"one" mapstructure:"one"`
		Pool   *dbfleet.PoolConfig      `json:"pool" yaml:"pool" toml:"pool" mapstructure:"pool"`
		TLS    dbfleet.TLSConfig        `json:"tls" yaml:"tls" toml:"tls" mapstructure:"tls"`
		SQLite dbfleet.SQLiteConfig     `json:"sqlite" yaml:"sqlite" toml:"sqlite" mapstructure:"sqlite"`
		Secret dbfleet.Secret           `json:"secret" yaml:"secret" toml:"secret" mapstructure:"secret"`
	}
	texts := map[string]string{
		"json": `{"one": {"read_hosts": ["r1"]}, "pool": {"max_lifetime": "1m"}, "tls": {"server_name": "n"}, "sqlite": {"busy_timeout": "3s"}, "secret": "p: 'w"}`,
		"yaml": "one: {read_hosts: [r1]}\npool: {max_lifetime: 1m}\ntls: {server_name: n}\nsqlite: {busy_timeout: 3s}\nsecret: \"p: 'w\"\n",
		"toml": "secret = \"p: 'w\"\n[one]\nread_hosts = ['r1']\n[pool]\nmax_lifetime = '1m'\n[tls]\nserver_name = 'n'\n[sqlite]\nbusy_timeout = '3s'\n",
	}
	for name, d := range decoders {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got parts
			require.NoError(t, d.decode([]byte(texts[d.language]), &got))
			require.Equal(t, parts{
				One: dbfleet.ConnectionConfig{ReadHosts: []string{"r1"}}, Pool: &dbfleet.PoolConfig{MaxLifetime: time.Minute},
				TLS: dbfleet.TLSConfig{ServerName: "n"}, SQLite: dbfleet.SQLiteConfig{BusyTimeout: 3 * time.Second}, Secret: "p: 'w",
			}, got)
		})
	}
}

// Defaults that connections share by YAML's own means.
func TestYAML_AnchorsAndMergesWork(t *testing.T) {
	t.Parallel()
	const text = `
databases:
  connections:
    a: &server {driver: postgres, host: h, pool: {max_open: 3}}
    b:
      <<: *server
      host: other
`
	for _, decode := range []func([]byte, any) error{yaml.Unmarshal, strictYAML, decoders["goccy/go-yaml"].decode} {
		var got Service
		require.NoError(t, decode([]byte(text), &got))
		require.Equal(t, map[string]dbfleet.ConnectionConfig{
			"a": {Driver: dbfleet.Postgres, Host: "h", Pool: dbfleet.PoolConfig{MaxOpen: 3}},
			"b": {Driver: dbfleet.Postgres, Host: "other", Pool: dbfleet.PoolConfig{MaxOpen: 3}},
		}, got.Databases.Connections)
	}
}

func TestFromViper_TakesVariablesAndDefaults(t *testing.T) {
	t.Setenv("APP_DATABASES_CONNECTIONS_USERS_DB_PORT", "3310")
	t.Setenv("APP_DATABASES_CONNECTIONS_LOCAL_SSL", "false")
	v := viper.New()
	v.SetEnvPrefix("app")
	v.SetEnvKeyReplacer(strings.NewReplacer(".", "_"))
	v.AutomaticEnv()
	v.SetDefault("databases.connections.local.connect_timeout", 7*time.Second)
	v.SetConfigFile("testdata/service.yaml")
	require.NoError(t, v.ReadInConfig())
	got, err := FromViper(v)
	require.NoError(t, err)
	expected := want()
	users, local := expected.Databases.Connections["users_db"], expected.Databases.Connections["local"]
	users.Port, local.ConnectTimeout = 3310, 7*time.Second
	expected.Databases.Connections["users_db"], expected.Databases.Connections["local"] = users, local
	require.Equal(t, expected, got)
}

// encoders write, and read back what they have written, if they can.
var encoders = map[string]struct {
	encode func(any) ([]byte, error)
	decode func([]byte, any) error
}{
	"encoding/json": {json.Marshal, json.Unmarshal},
	"yaml.v3":       {yaml.Marshal, yaml.Unmarshal},
	"goccy/go-yaml": {func(v any) ([]byte, error) { return goccy.Marshal(v) }, decoders["goccy/go-yaml"].decode},
	"BurntSushi/toml": {func(v any) ([]byte, error) {
		var out bytes.Buffer
		err := toml.NewEncoder(&out).Encode(v)
		return out.Bytes(), err
	}, toml.Unmarshal},
	"mapstructure": {func(v any) ([]byte, error) {
		var out map[string]any
		err := mapstructure.Decode(v, &out)
		return fmt.Appendf(nil, "%v %+v %#v", out, out, out), err
	}, nil},
}

// Without a secret, what was written is what is read.
func TestEncoders_WriteWhatDecodersRead(t *testing.T) {
	t.Parallel()
	s := want()
	delete(s.Databases.Connections, "analytics")
	users := s.Databases.Connections["users_db"]
	users.Password = ""
	s.Databases.Connections["users_db"] = users
	for name, e := range encoders {
		if e.decode == nil {
			continue
		}
		text, err := e.encode(s)
		require.NoError(t, err, name)
		var got Service
		require.NoError(t, e.decode(text, &got), name)
		require.Equal(t, s, got, name)
	}
}

// A default that the program has made itself, with its secrets.
func TestFromViper_TakesAConfigurationAsItIs(t *testing.T) {
	t.Parallel()
	v := viper.New()
	v.SetDefault("listen", ":8080")
	v.SetDefault("databases", want().Databases)
	got, err := FromViper(v)
	require.NoError(t, err)
	require.Equal(t, want(), got)
}

// promise: secrets appear nowhere
func TestEncoders_ShowNoSecret(t *testing.T) {
	t.Parallel()
	const canary = "CANARY"
	s := want()
	s.Databases.Connections["secretive"] = dbfleet.ConnectionConfig{
		Driver: dbfleet.Postgres, Host: "visible.example.com", Password: canary, URL: "postgres://u:" + canary + "@h/d", TLS: dbfleet.TLSConfig{Key: canary},
	}
	secrets := struct {
		S dbfleet.Secret
		P *dbfleet.Secret
		L []dbfleet.Secret
		M map[string]dbfleet.Secret
	}{S: canary, L: []dbfleet.Secret{canary}, M: map[string]dbfleet.Secret{"k": canary}}
	secrets.P = &secrets.S
	for name, e := range encoders {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, v := range []any{s, &s, secrets, &secrets, s.Databases.Connections["secretive"]} {
				text, err := e.encode(v)
				require.NoError(t, err)
				require.NotContains(t, string(text), canary)
				require.Contains(t, string(text), "[redacted]")
			}
			if e.decode == nil {
				return
			}
			// What was printed is never taken for the secret: it is refused at the latest
			// when a registry is opened.
			text, err := e.encode(secrets)
			require.NoError(t, err)
			again := secrets
			require.ErrorContains(t, e.decode(text, &again), "stands for a secret")
			text, err = e.encode(s)
			require.NoError(t, err)
			var service Service
			if err = e.decode(text, &service); err == nil {
				_, err = dbfleet.Open(service.Databases)
			}
			var fault *dbfleet.ConfigError
			require.True(t, errors.As(err, &fault), err)
			require.ErrorContains(t, err, "stands for a secret")
		})
	}
}
