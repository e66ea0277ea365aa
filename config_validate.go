package dbfleet

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/dbfleet/dbfleet/internal/config"
)

// ConfigError is one fault of a configuration. Open, Add, Replace and
// ConfigFromEnv report all faults at once, joined by errors.Join; decoding JSON,
// YAML or TOML does too. It never contains a secret, and no value that could be one.
type ConfigError struct {
	// Connection is the connection's name, empty if the fault is not in one.
	Connection string
	// Key is the setting's name as in JSON, such as "pool.max_open".
	Key string
	// Variable is the environment variable that gives the setting, if the
	// connection came from the environment.
	Variable string
	// Reason says what is wrong.
	Reason string
	// Err is the cause, if there is one: a certificate's file that does not exist.
	Err error
}

// Error names the connection, the key, the variable and the reason.
func (e *ConfigError) Error() string { return (*config.Fault)(e).Error() }

// Unwrap returns the cause.
func (e *ConfigError) Unwrap() error { return e.Err }

// configError joins faults, each as a *ConfigError, nil if there are none.
func configError(faults []*config.Fault) error {
	list := make([]error, len(faults))
	for i, fault := range faults {
		list[i] = (*ConfigError)(fault)
	}
	return errors.Join(list...)
}

// prepare returns the configuration that a registry works with: URLs are merged
// into the fields, drivers have their canonical names and defaults are applied.
// It reports all faults at once, also those of files of certificates.
func (c Config) prepare() (Config, error) {
	var list []*config.Fault
	connections := make(map[string]ConnectionConfig, len(c.Connections))
	for _, name := range slices.Sorted(maps.Keys(c.Connections)) {
		conn, faults := c.Connections[name].prepareAll(name)
		list = append(list, faults...)
		connections[name] = conn
	}
	if _, ok := c.Connections[c.Default]; !ok && c.Default != "" {
		list = append(list, &config.Fault{Key: "default", Reason: fmt.Sprintf("names %.60q, which is not a connection (%s)",
			c.Default, config.KnownNames(c.Connections))})
	}
	list = append(list, c.sessionKeyFaults()...)
	c.Connections = connections
	return c.withDefaults(), configError(list)
}

// prepare is Config.prepare for one connection.
func (c ConnectionConfig) prepare(name string) (ConnectionConfig, error) {
	c, list := c.prepareAll(name)
	return c, configError(list)
}

// prepareAll is prepare with the faults as a list.
func (c ConnectionConfig) prepareAll(name string) (ConnectionConfig, []*config.Fault) {
	f := config.NewFaults(name, c.envPrefix)
	c.Params = maps.Clone(c.Params)
	if c.ReadPool != nil {
		pool := *c.ReadPool
		c.ReadPool = &pool
	}
	c.Driver = c.Driver.canonical()
	var from config.Settings
	if c.URL != "" {
		var err error
		if from, err = configKeys.ParseURL(string(c.URL)); err != nil {
			return c.prepareBesideURL(name, f, from, err)
		}
		merged := c.settings()
		merged.Merge(configKeys, from, f)
		c.set(merged)
		c.URL = ""
	}
	if c.tenant != "" {
		c = c.forTenant(c.tenant)
	}
	c = c.withDefaults()
	if c.Tenants != nil {
		c.validateTenants(name, f)
		return c, f.List()
	}
	c.validate(name, f)
	return c, f.List()
}

// prepareBesideURL is prepareAll for a connection whose URL has the fault err.
// What is missing beside the URL is no fault: it may stand in it.
func (c ConnectionConfig) prepareBesideURL(name string, f *config.Faults, from config.Settings, err error) (ConnectionConfig, []*config.Fault) {
	f.Add("url", "%v", err)
	if driver, ok := from["driver"].(string); ok {
		c.Driver = cmp.Or(c.Driver, Driver(driver))
	}
	c = c.withDefaults()
	others := config.NewFaults(name, c.envPrefix)
	if c.Tenants != nil {
		c.validateTenants(name, others)
	} else {
		c.validate(name, others)
	}
	for _, fault := range others.List() {
		if !maybeElsewhere(fault) && fault.Key != "driver" {
			f.Append(fault)
		}
	}
	return c, f.List()
}

// maybeElsewhere says that a fault is one of what is not said, which may be so elsewhere.
func maybeElsewhere(fault *config.Fault) bool {
	return fault.Reason == reasonMissing || fault.Reason == reasonShared
}

const reasonMissing = "is missing"

// maxPostgresName is how long a name may be that the server does not cut off.
const maxPostgresName = 63

// validate notes all faults of c, to which defaults have been applied.
func (c ConnectionConfig) validate(name string, f *config.Faults) {
	if name == "" || strings.ContainsFunc(name, unicode.IsControl) {
		f.Append(&config.Fault{Connection: name, Key: "connections", Reason: "has a connection whose name is empty or has control characters"})
	}
	switch c.Driver {
	case Postgres, MySQL:
		c.validateServer(f)
	case SQLite:
		c.validateSQLite(f)
	default:
		f.Add("driver", "%v", config.UnknownDriver(string(c.Driver)))
	}
	c.validateSeams(f)
	switch {
	case c.Database == "" && c.Connector == nil:
		f.Add("database", reasonMissing)
	case strings.Contains(c.Database, tenantMark):
		f.Add("database", "has %s, which has a meaning beside tenants only", tenantMark)
	case c.Driver == Postgres && len(c.Database) > maxPostgresName:
		f.Add("database", "has %d bytes: PostgreSQL would take the database that is called by the first %d", len(c.Database), maxPostgresName)
	}
	if strings.ContainsFunc(c.Database, unicode.IsControl) && (c.Driver != SQLite || strings.ContainsRune(c.Database, 0)) {
		f.Add("database", "has a control character")
	}
	if strings.ContainsFunc(c.Username, unicode.IsControl) {
		f.Add("username", "has a control character")
	}
	if strings.ContainsRune(string(c.Password), 0) {
		f.Add("password", "has a NUL byte")
	}
	if c.Password == config.Redacted {
		f.Add("password", "is the text that stands for a secret in a printed configuration")
	}
	c.Pool.validate("pool.", f)
	if *c.ReadPool != c.Pool {
		c.ReadPool.validate("read_pool.", f)
	}
	if c.ConnectTimeout < 0 {
		f.Add("connect_timeout", "must be positive")
	}
	validDuration(f, "statement_timeout", c.StatementTimeout)
	if c.LongTransaction < 0 {
		f.Add("long_transaction", "must not be negative")
	}
	config.CheckParams(string(c.Driver), c.Params, f)
	c.validateReplicas(f)
	c.Reads.validate(f)
}

func (c ConnectionConfig) validateServer(f *config.Faults) {
	s := c.settings()
	for _, key := range configKeys {
		if _, set := s[key.Name]; set && strings.HasPrefix(key.Name, "sqlite.") {
			f.Add(key.Name, "is set, but the driver is %s", c.Driver)
		}
	}
	if c.Port < 1 || c.Port > 65535 {
		f.Add("port", "must be between 1 and 65535")
	}
	c.validateHosts(f)
	switch {
	case c.Host == "" && c.Socket == "":
		if c.Connector == nil && len(c.Hosts) == 0 {
			f.Add("host", reasonMissing)
		}
	case c.Host != "" && c.Socket != "":
		f.Add("socket", "is set beside host: only one of them says where the server is")
	case strings.HasPrefix(c.Host, "/"):
		f.Add("host", "is a path: a unix socket belongs in socket")
	case c.Host != "":
		if err := config.CheckHost(c.Host); err != nil {
			f.Add("host", "%v (a port belongs in port, other hosts in read_hosts)", err)
		}
	case !filepath.IsAbs(c.Socket) || strings.ContainsFunc(c.Socket, unicode.IsControl):
		f.Add("socket", "is not an absolute path")
	case c.Driver == Postgres && strings.HasPrefix(filepath.Base(c.Socket), ".s.PGSQL."):
		f.Add("socket", "must be the directory that holds the socket, not the socket")
	}
	if c.Username == "" && c.Connector == nil {
		f.Add("username", reasonMissing)
	}
	c.validateTLS(f)
}

func (c ConnectionConfig) validateSQLite(f *config.Faults) {
	s := c.settings()
	for _, key := range configKeys {
		_, set := s[key.Name]
		if !set || key.Name == "tls.mode" && c.TLS.Mode == TLSDisable {
			continue
		}
		section, _, _ := strings.Cut(key.Name, ".")
		switch section {
		case "host", "hosts", "port", "socket", "username", "password", "ssl", "tls", "pooler":
			f.Add(key.Name, "is set, but sqlite has no server")
		}
	}
	if !slices.Contains([]string{"WAL", "DELETE", "TRUNCATE", "PERSIST", "MEMORY", "OFF"}, c.SQLite.JournalMode) {
		f.Add("sqlite.journal_mode", "is not WAL, DELETE, TRUNCATE, PERSIST, MEMORY or OFF")
	}
	if !slices.Contains([]string{"OFF", "NORMAL", "FULL", "EXTRA"}, c.SQLite.Synchronous) {
		f.Add("sqlite.synchronous", "is not OFF, NORMAL, FULL or EXTRA")
	}
	validDuration(f, "sqlite.busy_timeout", c.SQLite.BusyTimeout)
	if c.SQLite.BusyTimeout > longestBusy {
		f.Add("sqlite.busy_timeout", "is %v, more than %v", c.SQLite.BusyTimeout, longestBusy)
	}
}

// longestBusy is what SQLite can count; of more it makes 0.
const longestBusy = math.MaxInt32 * time.Millisecond

func (p PoolConfig) validate(prefix string, f *config.Faults) {
	for _, n := range []struct {
		key   string
		value int
	}{{"max_open", p.MaxOpen}, {"max_idle", p.MaxIdle}, {"statement_cache", p.StatementCache}} {
		if n.value < config.Unbounded {
			f.Add(prefix+n.key, "is negative: only -1 has a meaning")
		}
	}
	if p.MaxOpen >= 0 && p.MaxIdle > p.MaxOpen {
		f.Add(prefix+"max_idle", "is %d, more than max_open, which is %d", p.MaxIdle, p.MaxOpen)
	}
	validDuration(f, prefix+"max_lifetime", p.MaxLifetime)
	validDuration(f, prefix+"max_idle_time", p.MaxIdleTime)
	validDuration(f, prefix+"acquire_timeout", p.AcquireTimeout)
}

func validDuration(f *config.Faults, key string, d time.Duration) {
	if d < config.Unbounded {
		f.Add(key, "is negative: only -1 has a meaning")
	}
}
