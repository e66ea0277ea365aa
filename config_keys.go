package dbfleet

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dbfleet/dbfleet/internal/config"
)

// configField is one field of ConnectionConfig with its key: the name in JSON,
// where a dot stands for a nested object.
type configField struct {
	name string
	kind config.Kind
	at   func(*ConnectionConfig) any // a pointer to the field
}

// configFields are all fields except Params, which is a map. "ssl" comes last
// because its false depends on tls.mode.
var configFields = slices.Concat(
	[]configField{
		{"driver", config.Driver, func(c *ConnectionConfig) any { return (*string)(&c.Driver) }},
		{"url", config.Text, func(c *ConnectionConfig) any { return (*string)(&c.URL) }},
		{"host", config.Text, func(c *ConnectionConfig) any { return &c.Host }},
		{"port", config.Port, func(c *ConnectionConfig) any { return &c.Port }},
		{"socket", config.Text, func(c *ConnectionConfig) any { return &c.Socket }},
		{"database", config.Text, func(c *ConnectionConfig) any { return &c.Database }},
		{"username", config.Text, func(c *ConnectionConfig) any { return &c.Username }},
		{"password", config.Text, func(c *ConnectionConfig) any { return (*string)(&c.Password) }},
		{"tls.mode", config.TLSMode, func(c *ConnectionConfig) any { return (*string)(&c.TLS.Mode) }},
		{"tls.ca_file", config.Text, func(c *ConnectionConfig) any { return &c.TLS.CAFile }},
		{"tls.cert_file", config.Text, func(c *ConnectionConfig) any { return &c.TLS.CertFile }},
		{"tls.key_file", config.Text, func(c *ConnectionConfig) any { return &c.TLS.KeyFile }},
		{"tls.ca", config.Text, func(c *ConnectionConfig) any { return &c.TLS.CA }},
		{"tls.cert", config.Text, func(c *ConnectionConfig) any { return &c.TLS.Cert }},
		{"tls.key", config.Text, func(c *ConnectionConfig) any { return (*string)(&c.TLS.Key) }},
		{"tls.server_name", config.Text, func(c *ConnectionConfig) any { return &c.TLS.ServerName }},
		{"tls.channel_binding", config.Bool, func(c *ConnectionConfig) any { return &c.TLS.ChannelBinding }},
		{"read_hosts", config.List, func(c *ConnectionConfig) any { return &c.ReadHosts }},
		{"connect_timeout", config.Duration, func(c *ConnectionConfig) any { return &c.ConnectTimeout }},
		{"statement_timeout", config.Duration, func(c *ConnectionConfig) any { return &c.StatementTimeout }},
		{"long_transaction", config.Duration, func(c *ConnectionConfig) any { return &c.LongTransaction }},
		{"pooler", config.Bool, func(c *ConnectionConfig) any { return &c.Pooler }},
		{"sqlite.journal_mode", config.Text, func(c *ConnectionConfig) any { return &c.SQLite.JournalMode }},
		{"sqlite.synchronous", config.Text, func(c *ConnectionConfig) any { return &c.SQLite.Synchronous }},
		{"sqlite.busy_timeout", config.Duration, func(c *ConnectionConfig) any { return &c.SQLite.BusyTimeout }},
		{"sqlite.disable_foreign_keys", config.Bool, func(c *ConnectionConfig) any { return &c.SQLite.DisableForeignKeys }},
		{"sqlite.deferred_transactions", config.Bool, func(c *ConnectionConfig) any { return &c.SQLite.DeferredTransactions }},
		{"sqlite.double_quoted_strings", config.Bool, func(c *ConnectionConfig) any { return &c.SQLite.DoubleQuotedStrings }},
	},
	poolFields("pool.", func(c *ConnectionConfig) *PoolConfig { return &c.Pool }),
	poolFields("read_pool.", func(c *ConnectionConfig) *PoolConfig { return c.ReadPool }),
	[]configField{{"ssl", config.SSL, func(c *ConnectionConfig) any { return &c.SSL }}},
)

func poolFields(prefix string, pool func(*ConnectionConfig) *PoolConfig) []configField {
	return []configField{
		{prefix + "max_open", config.Number, func(c *ConnectionConfig) any { return &pool(c).MaxOpen }},
		{prefix + "max_idle", config.Number, func(c *ConnectionConfig) any { return &pool(c).MaxIdle }},
		{prefix + "max_lifetime", config.Duration, func(c *ConnectionConfig) any { return &pool(c).MaxLifetime }},
		{prefix + "max_idle_time", config.Duration, func(c *ConnectionConfig) any { return &pool(c).MaxIdleTime }},
		{prefix + "acquire_timeout", config.Duration, func(c *ConnectionConfig) any { return &pool(c).AcquireTimeout }},
		{prefix + "statement_cache", config.Number, func(c *ConnectionConfig) any { return &pool(c).StatementCache }},
	}
}

// configKeys are the keys of configFields, for those who read text.
var configKeys = func() config.Keys {
	keys := make(config.Keys, len(configFields))
	for i, f := range configFields {
		keys[i] = config.Key{Name: f.name, Kind: f.kind}
	}
	return keys
}()

// inReadPool reports whether the field exists only if there is a ReadPool.
func (f configField) inReadPool() bool { return strings.HasPrefix(f.name, config.ReadPool+".") }

// settings returns the fields of c that are not zero.
func (c ConnectionConfig) settings() config.Settings {
	s := make(config.Settings)
	for _, f := range configFields {
		if f.inReadPool() && c.ReadPool == nil {
			continue
		}
		switch field := f.at(&c).(type) {
		case *string:
			s.Set(f.name, *field)
		case *int:
			s.Set(f.name, *field)
		case *bool:
			s.Set(f.name, *field)
		case *time.Duration:
			s.Set(f.name, *field)
		case *[]string:
			s.Set(f.name, *field)
		}
	}
	if c.ReadPool != nil {
		s[config.ReadPool] = true
	}
	for name, value := range c.Params {
		s.SetParam(name, value)
	}
	return s
}

// set writes settings into their fields; the others stay.
func (c *ConnectionConfig) set(s config.Settings) {
	if s[config.ReadPool] != nil && c.ReadPool == nil {
		c.ReadPool = new(PoolConfig)
	}
	for _, f := range configFields {
		value, ok := s[f.name]
		if !ok {
			continue
		}
		if f.inReadPool() && c.ReadPool == nil {
			c.ReadPool = new(PoolConfig)
		}
		switch field := f.at(c).(type) {
		case *string:
			*field = value.(string)
		case *int:
			*field = value.(int)
		case *bool:
			*field = value.(bool)
		case *time.Duration:
			*field = value.(time.Duration)
		case *[]string:
			*field = value.([]string)
		}
	}
	params := s.Params()
	if c.Params == nil {
		c.Params = params
		return
	}
	maps.Copy(c.Params, params)
}
