package dbfleet

import (
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/dbfleet/dbfleet/internal/config"
)

// redacted returns a copy of t without private keys. Certificates given as text
// go too: such a text may hold the key as well.
func (t TLSConfig) redacted() TLSConfig {
	t.CA, t.Cert, t.Key = config.Redact(t.CA), config.Redact(t.Cert), Secret(t.Key.redacted())
	return t
}

// redacted returns a copy of c without secrets.
func (c ConnectionConfig) redacted() ConnectionConfig {
	c.URL = Secret(configKeys.RedactURL(string(c.URL)))
	c.Password = Secret(c.Password.redacted())
	c.TLS = c.TLS.redacted()
	c.Params = config.RedactParams(c.Params)
	c.Replicas = slices.Clone(c.Replicas)
	for i, r := range c.Replicas {
		c.Replicas[i] = r.redacted()
	}
	return c
}

// redacted returns a copy of r without what may be a secret.
func (r ReplicaConfig) redacted() ReplicaConfig {
	r.Params = config.RedactParams(r.Params)
	return r
}

// The types under which fmt prints a redacted copy, so that its own methods do
// not call themselves for ever.
type (
	printedConfig     Config
	printedConnection struct {
		Driver                           Driver
		URL, Host                        string
		Port                             int
		Socket, Database                 string
		Username, Password               string
		SSL                              bool
		TLS                              TLSConfig
		ReadHosts                        []string
		Replicas                         []printedReplica
		Hosts                            []string
		Reads                            ReadsConfig
		Pool, ReadPool                   PoolConfig
		ConnectTimeout, StatementTimeout time.Duration
		LongTransaction                  time.Duration
		Params                           map[string]string
		Pooler                           bool
		SQLite                           SQLiteConfig
		Tenants                          printedTenants // zero for none
	}
	printedTenants struct {
		MaxOpen, MaxTenants int
		IdleClose           time.Duration
	}
	printedTLS     TLSConfig
	printedReplica struct {
		Host, Name string
		Weight     int
		Zone       string
		Pool       PoolConfig // zero for ReadPool
		Params     map[string]string
	}
)

func (c ConnectionConfig) printed() printedConnection {
	c = c.redacted()
	read := c.Pool
	if c.ReadPool != nil {
		read = *c.ReadPool
	}
	replicas := make([]printedReplica, len(c.Replicas))
	for i, r := range c.Replicas {
		replicas[i] = r.printed()
	}
	return printedConnection{
		Driver: c.Driver, URL: string(c.URL), Host: c.Host, Port: c.Port, Socket: c.Socket,
		Database: c.Database, Username: c.Username, Password: string(c.Password), SSL: c.SSL, TLS: c.TLS,
		ReadHosts: c.ReadHosts, Replicas: replicas, Hosts: c.Hosts, Reads: c.Reads, Pool: c.Pool, ReadPool: read,
		ConnectTimeout: c.ConnectTimeout, StatementTimeout: c.StatementTimeout, LongTransaction: c.LongTransaction,
		Params: c.Params, Pooler: c.Pooler, SQLite: c.SQLite, Tenants: c.tenantsOr().printed(),
	}
}

func (c TenantsConfig) printed() printedTenants {
	return printedTenants{MaxOpen: c.MaxOpen, MaxTenants: c.MaxTenants, IdleClose: c.IdleClose}
}

func (r ReplicaConfig) printed() printedReplica {
	r = r.redacted()
	p := printedReplica{Host: r.Host, Name: r.Name, Weight: r.Weight, Zone: r.Zone, Params: r.Params}
	if r.Pool != nil {
		p.Pool = *r.Pool
	}
	return p
}

// Format prints c without secrets, whatever the verb; see Secret for %p and %w.
func (c Config) Format(s fmt.State, verb rune) { formatRedacted(s, verb, printedConfig(c)) }

// Format prints c without secrets, whatever the verb; see Secret for %p and %w.
func (c ConnectionConfig) Format(s fmt.State, verb rune) { formatRedacted(s, verb, c.printed()) }

// Format prints t without keys, whatever the verb; see Secret for %p and %w.
func (t TLSConfig) Format(s fmt.State, verb rune) { formatRedacted(s, verb, printedTLS(t.redacted())) }

// Format prints r without what may be a secret, whatever the verb; see Secret for %p and %w.
func (r ReplicaConfig) Format(s fmt.State, verb rune) { formatRedacted(s, verb, r.printed()) }

// formatRedacted prints v, one of the types above, without their names.
func formatRedacted(s fmt.State, verb rune, v any) {
	config.Format(s, verb, v, map[string]string{
		"dbfleet.printedConfig":     "dbfleet.Config",
		"dbfleet.printedConnection": "dbfleet.ConnectionConfig",
		"dbfleet.printedTLS":        "dbfleet.TLSConfig",
		"dbfleet.printedReplica":    "dbfleet.ReplicaConfig",
		"dbfleet.printedTenants":    "dbfleet.TenantsConfig",
	})
}

// String returns c without secrets.
func (c Config) String() string { return fmt.Sprintf("%+v", c) }

// String returns c without secrets.
func (c ConnectionConfig) String() string { return fmt.Sprintf("%+v", c) }

// String returns t without keys.
func (t TLSConfig) String() string { return fmt.Sprintf("%+v", t) }

// String returns r without what may be a secret.
func (r ReplicaConfig) String() string { return fmt.Sprintf("%+v", r) }

// GoString returns c in Go's syntax, without secrets.
func (c Config) GoString() string { return fmt.Sprintf("%#v", c) }

// GoString returns c in Go's syntax, without secrets.
func (c ConnectionConfig) GoString() string { return fmt.Sprintf("%#v", c) }

// GoString returns t in Go's syntax, without keys.
func (t TLSConfig) GoString() string { return fmt.Sprintf("%#v", t) }

// LogValue makes slog print c without secrets.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

// LogValue makes slog print c without secrets.
func (c ConnectionConfig) LogValue() slog.Value { return slog.StringValue(c.String()) }

// LogValue makes slog print t without keys.
func (t TLSConfig) LogValue() slog.Value { return slog.StringValue(t.String()) }

// GoString returns r in Go's syntax, without what may be a secret.
func (r ReplicaConfig) GoString() string { return fmt.Sprintf("%#v", r) }

// LogValue makes slog print r without what may be a secret.
func (r ReplicaConfig) LogValue() slog.Value { return slog.StringValue(r.String()) }
