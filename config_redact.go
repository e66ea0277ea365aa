package dbfleet

import (
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"time"
)

// redactedText stands for a secret wherever a configuration is printed.
const redactedText = "[redacted]"

func redact(secret string) string {
	if secret == "" {
		return ""
	}
	return redactedText
}

// redacted returns a copy of t without private keys. Certificates given as text
// go too: such a text may hold the key as well.
func (t TLSConfig) redacted() TLSConfig {
	t.CA, t.Cert, t.Key = redact(t.CA), redact(t.Cert), redact(t.Key)
	return t
}

// redacted returns a copy of c without secrets.
func (c ConnectionConfig) redacted() ConnectionConfig {
	c.URL = redactURL(c.URL)
	c.Password = redact(c.Password)
	c.TLS = c.TLS.redacted()
	c.Params = maps.Clone(c.Params)
	for name, value := range c.Params {
		if looksSecret(name) {
			c.Params[name] = redact(value)
		}
	}
	return c
}

// looksSecret reports whether a parameter of that name may hold a secret. It
// errs on the side of hiding.
func looksSecret(name string) bool {
	name = strings.ToLower(name)
	for _, part := range []string{"pass", "pwd", "secret", "token", "key", "cred", "auth", "%"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}

// redactURL keeps what says where the database is, and neither account nor
// parameters. A URL that cannot be understood is hidden whole.
func redactURL(text string) string {
	if text == "" {
		return ""
	}
	c, err := parseURL(text)
	switch {
	case err != nil:
		return redactedText
	case c.Driver == SQLite:
		return "sqlite:" + c.Database
	}
	var b strings.Builder
	b.WriteString(string(c.Driver) + "://" + redactedText + "@")
	if strings.Contains(c.Host, ":") {
		b.WriteString("[" + c.Host + "]")
	} else {
		b.WriteString(c.Host)
	}
	if c.Port != 0 {
		fmt.Fprintf(&b, ":%d", c.Port)
	}
	b.WriteString("/" + c.Database)
	return b.String()
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
		Driver: c.Driver, URL: c.URL, Host: c.Host, Port: c.Port, Socket: c.Socket,
		Database: c.Database, Username: c.Username, Password: c.Password, SSL: c.SSL, TLS: c.TLS,
		ReadHosts: c.ReadHosts, Pool: c.Pool, ReadPool: read,
		ConnectTimeout: c.ConnectTimeout, StatementTimeout: c.StatementTimeout,
		Params: c.Params, Pooler: c.Pooler, SQLite: c.SQLite,
	}
}

// Format prints c without secrets, whatever the verb.
func (c Config) Format(s fmt.State, verb rune) { formatRedacted(s, verb, printedConfig(c)) }

// Format prints c without secrets, whatever the verb.
func (c ConnectionConfig) Format(s fmt.State, verb rune) { formatRedacted(s, verb, c.printed()) }

// Format prints t without keys, whatever the verb.
func (t TLSConfig) Format(s fmt.State, verb rune) { formatRedacted(s, verb, printedTLS(t.redacted())) }

// formatRedacted prints v, which has no secrets, as text: %v and its variants
// as fmt does, %q quoted, and every other verb as %+v.
func formatRedacted(s fmt.State, verb rune, v any) {
	switch {
	case verb == 'v' && s.Flag('#'):
		text := fmt.Sprintf("%#v", v)
		for printed, name := range map[string]string{
			"dbfleet.printedConfig":     "dbfleet.Config",
			"dbfleet.printedConnection": "dbfleet.ConnectionConfig",
			"dbfleet.printedTLS":        "dbfleet.TLSConfig",
		} {
			text = strings.ReplaceAll(text, printed+"{", name+"{")
		}
		fmt.Fprint(s, text)
	case verb == 'v' && !s.Flag('+'):
		fmt.Fprintf(s, "%v", v)
	case verb == 'q':
		fmt.Fprintf(s, "%q", fmt.Sprintf("%+v", v))
	default:
		fmt.Fprintf(s, "%+v", v)
	}
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
