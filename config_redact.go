package dbfleet

import (
	"fmt"
	"log/slog"
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
	return c
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
		Pool, ReadPool                   PoolConfig
		ConnectTimeout, StatementTimeout time.Duration
		LongTransaction                  time.Duration
		Params                           map[string]string
		Pooler                           bool
		SQLite                           SQLiteConfig
	}
	printedTLS TLSConfig
)

func (c ConnectionConfig) printed() printedConnection {
	c = c.redacted()
	read := c.Pool
	if c.ReadPool != nil {
		read = *c.ReadPool
	}
	return printedConnection{
		Driver: c.Driver, URL: string(c.URL), Host: c.Host, Port: c.Port, Socket: c.Socket,
		Database: c.Database, Username: c.Username, Password: string(c.Password), SSL: c.SSL, TLS: c.TLS,
		ReadHosts: c.ReadHosts, Pool: c.Pool, ReadPool: read,
		ConnectTimeout: c.ConnectTimeout, StatementTimeout: c.StatementTimeout, LongTransaction: c.LongTransaction,
		Params: c.Params, Pooler: c.Pooler, SQLite: c.SQLite,
	}
}

// Format prints c without secrets, whatever the verb; see Secret for %p and %w.
func (c Config) Format(s fmt.State, verb rune) { formatRedacted(s, verb, printedConfig(c)) }

// Format prints c without secrets, whatever the verb; see Secret for %p and %w.
func (c ConnectionConfig) Format(s fmt.State, verb rune) { formatRedacted(s, verb, c.printed()) }

// Format prints t without keys, whatever the verb; see Secret for %p and %w.
func (t TLSConfig) Format(s fmt.State, verb rune) { formatRedacted(s, verb, printedTLS(t.redacted())) }

// formatRedacted prints v, one of the types above, without their names.
func formatRedacted(s fmt.State, verb rune, v any) {
	config.Format(s, verb, v, map[string]string{
		"dbfleet.printedConfig":     "dbfleet.Config",
		"dbfleet.printedConnection": "dbfleet.ConnectionConfig",
		"dbfleet.printedTLS":        "dbfleet.TLSConfig",
	})
}

// String returns c without secrets.
func (c Config) String() string { return fmt.Sprintf("%+v", c) }

// String returns c without secrets.
func (c ConnectionConfig) String() string { return fmt.Sprintf("%+v", c) }

// String returns t without keys.
func (t TLSConfig) String() string { return fmt.Sprintf("%+v", t) }

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
