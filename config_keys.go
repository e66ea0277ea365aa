package dbfleet

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dbfleet/dbfleet/internal/config"
)

// fieldOf is one field of a T with its key: the name in JSON, where a dot stands for a
// nested object.
type fieldOf[T any] struct {
	name string
	kind config.Kind
	at   func(*T) any // a pointer to the field
}

// configField is one field of ConnectionConfig.
type configField = fieldOf[ConnectionConfig]

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
		{"hosts", config.List, func(c *ConnectionConfig) any { return &c.Hosts }},
		{"replicas", config.Objects, func(c *ConnectionConfig) any { return &c.Replicas }},
		{"reads.balance", config.Text, func(c *ConnectionConfig) any { return (*string)(&c.Reads.Balance) }},
		{"reads.zone", config.Text, func(c *ConnectionConfig) any { return &c.Reads.Zone }},
		{"reads.max_lag", config.Duration, func(c *ConnectionConfig) any { return &c.Reads.MaxLag }},
		{"reads.when_stale", config.Text, func(c *ConnectionConfig) any { return (*string)(&c.Reads.WhenStale) }},
		{"reads.stale_limit", config.Duration, func(c *ConnectionConfig) any { return &c.Reads.StaleLimit }},
		{"reads.primary_reads", config.Number, func(c *ConnectionConfig) any { return &c.Reads.PrimaryReads }},
		{"reads.when_primary_down", config.Bool, func(c *ConnectionConfig) any { return &c.Reads.WhenPrimaryDown }},
		{"reads.min_wait", config.Duration, func(c *ConnectionConfig) any { return &c.Reads.MinWait }},
		{"reads.max_wait", config.Duration, func(c *ConnectionConfig) any { return &c.Reads.MaxWait }},
		{"reads.probe_interval", config.Duration, func(c *ConnectionConfig) any { return &c.Reads.ProbeInterval }},
		{"reads.hedge_after", config.Duration, func(c *ConnectionConfig) any { return &c.Reads.HedgeAfter }},
		{"reads.discover_every", config.Duration, func(c *ConnectionConfig) any { return &c.Reads.DiscoverEvery }},
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
	[]configField{
		{config.Tenants + ".max_open", config.Number, func(c *ConnectionConfig) any { return &c.tenantsOr().MaxOpen }},
		{config.Tenants + ".max_tenants", config.Number, func(c *ConnectionConfig) any { return &c.tenantsOr().MaxTenants }},
		{config.Tenants + ".idle_close", config.Duration, func(c *ConnectionConfig) any { return &c.tenantsOr().IdleClose }},
	},
	poolFields("pool.", func(c *ConnectionConfig) *PoolConfig { return &c.Pool }),
	poolFields("read_pool.", func(c *ConnectionConfig) *PoolConfig { return c.ReadPool }),
	[]configField{{"ssl", config.SSL, func(c *ConnectionConfig) any { return &c.SSL }}},
)

// replicaFields are all fields of ReplicaConfig except Params, the host first.
var replicaFields = slices.Concat(
	[]fieldOf[ReplicaConfig]{
		{"host", config.Text, func(r *ReplicaConfig) any { return &r.Host }},
		{"name", config.Text, func(r *ReplicaConfig) any { return &r.Name }},
		{"weight", config.Number, func(r *ReplicaConfig) any { return &r.Weight }},
		{"zone", config.Text, func(r *ReplicaConfig) any { return &r.Zone }},
	},
	poolFields("pool.", func(r *ReplicaConfig) *PoolConfig { return r.Pool }),
)

func poolFields[T any](prefix string, pool func(*T) *PoolConfig) []fieldOf[T] {
	return []fieldOf[T]{
		{prefix + "max_open", config.Number, func(c *T) any { return &pool(c).MaxOpen }},
		{prefix + "max_idle", config.Number, func(c *T) any { return &pool(c).MaxIdle }},
		{prefix + "max_lifetime", config.Duration, func(c *T) any { return &pool(c).MaxLifetime }},
		{prefix + "max_idle_time", config.Duration, func(c *T) any { return &pool(c).MaxIdleTime }},
		{prefix + "acquire_timeout", config.Duration, func(c *T) any { return &pool(c).AcquireTimeout }},
		{prefix + "statement_cache", config.Number, func(c *T) any { return &pool(c).StatementCache }},
	}
}

// configKeys are the keys of configFields, for those who read text, and replicaKeys those
// of each of the replicas.
var (
	configKeys  = keysOf(configFields, replicaKeys)
	replicaKeys = append(keysOf(replicaFields, nil), config.Key{Name: poolSection, Kind: config.Section})
)

// keysOf returns the keys of fields; of are those of each object of a list.
func keysOf[T any](fields []fieldOf[T], of config.Keys) config.Keys {
	keys := make(config.Keys, len(fields))
	for i, f := range fields {
		keys[i] = config.Key{Name: f.name, Kind: f.kind}
		if f.kind == config.Objects {
			keys[i].Of = of
		}
	}
	return keys
}

// poolSection is the key of a replica's pool, whose presence matters as that of
// config.ReadPool.
const poolSection = "pool"

// inSection reports whether the field exists only if the section is there.
func (f fieldOf[T]) inSection(section string) bool { return strings.HasPrefix(f.name, section+".") }

// tenantsOr is the section of tenants, an empty one where there is none.
func (c *ConnectionConfig) tenantsOr() *TenantsConfig {
	if c.Tenants == nil {
		return new(TenantsConfig)
	}
	return c.Tenants
}

// settings returns the fields of c that are not zero.
func (c ConnectionConfig) settings() config.Settings {
	s := settingsOf(&c, configFields, config.ReadPool, c.ReadPool, c.Params)
	if c.Tenants != nil {
		s[config.Tenants] = true
	}
	return s
}

func (r ReplicaConfig) settings() config.Settings {
	return settingsOf(&r, replicaFields, poolSection, r.Pool, r.Params)
}

// settingsOf returns the fields of from that are not zero. Those of the section are in
// pool, if it is there.
func settingsOf[T any](from *T, fields []fieldOf[T], section string, pool *PoolConfig, params map[string]string) config.Settings {
	s := make(config.Settings)
	for _, f := range fields {
		if f.inSection(section) && pool == nil {
			continue
		}
		switch field := f.at(from).(type) {
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
		case *[]ReplicaConfig:
			var list []config.Settings
			for _, r := range *field {
				list = append(list, r.settings())
			}
			s.Set(f.name, list)
		}
	}
	if pool != nil {
		s[section] = true
	}
	for name, value := range params {
		s.SetParam(name, value)
	}
	return s
}

// set writes settings into their fields; the others stay.
func (c *ConnectionConfig) set(s config.Settings) {
	if c.Tenants == nil && s.HasSection(config.Tenants) {
		c.Tenants = new(TenantsConfig)
	}
	setFields(c, configFields, config.ReadPool, &c.ReadPool, &c.Params, s)
}

func (r *ReplicaConfig) set(s config.Settings) {
	setFields(r, replicaFields, poolSection, &r.Pool, &r.Params, s)
}

func setFields[T any](to *T, fields []fieldOf[T], section string, pool **PoolConfig, params *map[string]string, s config.Settings) {
	if s[section] != nil && *pool == nil {
		*pool = new(PoolConfig)
	}
	for _, f := range fields {
		value, ok := s[f.name]
		if !ok {
			continue
		}
		if f.inSection(section) && *pool == nil {
			*pool = new(PoolConfig)
		}
		switch field := f.at(to).(type) {
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
		case *[]ReplicaConfig:
			*field = nil
			for _, one := range value.([]config.Settings) {
				var r ReplicaConfig
				r.set(one)
				*field = append(*field, r)
			}
		}
	}
	if given := s.Params(); *params == nil {
		*params = given
	} else {
		maps.Copy(*params, given)
	}
}
