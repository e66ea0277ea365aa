package dbfleet

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"
)

// What is wrong with an address; each continues a sentence that names its key.
var (
	errBadHost    = errors.New("is neither a host's name nor an IP address")
	errBadPort    = errors.New("has a port that is not between 1 and 65535")
	errBadAddress = errors.New("is not host, host:port or [IPv6]:port")
)

func errUnknownDriver(name string) error {
	if name == "" {
		return errors.New("is missing: name postgres, mysql or sqlite, or give a url")
	}
	return fmt.Errorf("is %.40q, which is not a driver: use postgres, mysql or sqlite", name)
}

// prepare returns the configuration that a registry works with: URLs are merged
// into the fields, drivers have their canonical names and defaults are applied.
// It reports all faults at once and does not look at files.
func (c Config) prepare() (Config, error) {
	var list []error
	connections := make(map[string]ConnectionConfig, len(c.Connections))
	for _, name := range slices.Sorted(maps.Keys(c.Connections)) {
		conn, faults := c.Connections[name].prepareAll(name)
		list = append(list, faults...)
		connections[name] = conn
	}
	if _, ok := c.Connections[c.Default]; !ok && c.Default != "" {
		list = append(list, &ConfigError{Key: "default", Reason: fmt.Sprintf("names %.60q, which is not a connection (%s)",
			c.Default, knownNames(c.Connections))})
	}
	c.Connections = connections
	return c.withDefaults(), errors.Join(list...)
}

// prepare is Config.prepare for one connection.
func (c ConnectionConfig) prepare(name string) (ConnectionConfig, error) {
	c, list := c.prepareAll(name)
	return c, errors.Join(list...)
}

// prepareAll is prepare with the faults as a list.
func (c ConnectionConfig) prepareAll(name string) (ConnectionConfig, []error) {
	f := &faults{connection: name, envPrefix: c.envPrefix}
	c.Params = maps.Clone(c.Params)
	if c.ReadPool != nil {
		pool := *c.ReadPool
		c.ReadPool = &pool
	}
	if d, ok := c.Driver.dialect(); ok {
		c.Driver = Driver(d.Name)
	}
	if c.URL == "" {
		c = c.withDefaults()
		c.validate(name, f)
		return c, f.list
	}
	from, err := parseURL(c.URL)
	if err == nil {
		c.merge(from, f)
		c.URL = ""
		c = c.withDefaults()
		c.validate(name, f)
		return c, f.list
	}
	f.add("url", "%v", err)
	c.Driver = cmp.Or(c.Driver, from.Driver)
	c = c.withDefaults()
	others := &faults{connection: name, envPrefix: c.envPrefix}
	c.validate(name, others)
	for _, err := range others.list {
		var e *ConfigError
		if errors.As(err, &e) && e.Reason != reasonMissing && e.Key != "driver" { // which may stand in the url
			f.list = append(f.list, err)
		}
	}
	return c, f.list
}

const reasonMissing = "is missing"

func knownNames[V any](connections map[string]V) string {
	if len(connections) == 0 {
		return "there are none"
	}
	names := slices.Sorted(maps.Keys(connections))
	for i, name := range names {
		names[i] = fmt.Sprintf("%q", name)
	}
	return "known: " + strings.Join(names, ", ")
}

// validate notes all faults of c, to which defaults have been applied.
func (c ConnectionConfig) validate(name string, f *faults) {
	if name == "" || strings.ContainsFunc(name, unicode.IsControl) {
		f.list = append(f.list, &ConfigError{Connection: name, Key: "connections", Reason: "has a connection whose name is empty or has control characters"})
	}
	switch c.Driver {
	case Postgres, MySQL:
		c.validateServer(f)
	case SQLite:
		c.validateSQLite(f)
	default:
		f.add("driver", "%v", errUnknownDriver(string(c.Driver)))
	}
	if c.Database == "" {
		f.add("database", reasonMissing)
	}
	if strings.ContainsFunc(c.Database, unicode.IsControl) && (c.Driver != SQLite || strings.ContainsRune(c.Database, 0)) {
		f.add("database", "has a control character")
	}
	if strings.ContainsFunc(c.Username, unicode.IsControl) {
		f.add("username", "has a control character")
	}
	if strings.ContainsRune(c.Password, 0) {
		f.add("password", "has a NUL byte")
	}
	if c.Password == redactedText {
		f.add("password", "is the text that stands for a secret in a printed configuration")
	}
	c.Pool.validate("pool.", f)
	if *c.ReadPool != c.Pool {
		c.ReadPool.validate("read_pool.", f)
	}
	if c.ConnectTimeout < 0 {
		f.add("connect_timeout", "must be positive")
	}
	validDuration(f, "statement_timeout", c.StatementTimeout)
	c.validateParams(f)
}

func (c ConnectionConfig) validateServer(f *faults) {
	for _, key := range configKeys {
		if _, set := jsonValue(key.at(&c)); set && strings.HasPrefix(key.name, "sqlite.") {
			f.add(key.name, "is set, but the driver is %s", c.Driver)
		}
	}
	if c.Port < 1 || c.Port > 65535 {
		f.add("port", "must be between 1 and 65535")
	}
	switch {
	case c.Host == "" && c.Socket == "":
		f.add("host", reasonMissing)
	case c.Host != "" && c.Socket != "":
		f.add("socket", "is set beside host: only one of them says where the server is")
	case strings.HasPrefix(c.Host, "/"):
		f.add("host", "is a path: a unix socket belongs in socket")
	case c.Host != "":
		if err := checkHost(c.Host); err != nil {
			f.add("host", "%v (a port belongs in port, other hosts in read_hosts)", err)
		}
	case !filepath.IsAbs(c.Socket) || strings.ContainsFunc(c.Socket, unicode.IsControl):
		f.add("socket", "is not an absolute path")
	case c.Driver == Postgres && strings.HasPrefix(filepath.Base(c.Socket), ".s.PGSQL."):
		f.add("socket", "must be the directory that holds the socket, not the socket")
	}
	if c.Username == "" {
		f.add("username", reasonMissing)
	}
	seen := make(map[string]int, len(c.ReadHosts))
	for i, address := range c.ReadHosts {
		host, port, err := splitAddress(address, c.Port)
		if err != nil {
			f.add("read_hosts", "number %d %v", i+1, err)
			continue
		}
		node := fmt.Sprintf("[%s]:%d", strings.ToLower(host), port)
		if first, ok := seen[node]; ok {
			f.add("read_hosts", "number %d (%s) is the same as number %d (%s)", i+1, address, first+1, c.ReadHosts[first])
			continue
		}
		seen[node] = i
	}
	c.validateTLS(f)
}

func (c ConnectionConfig) validateTLS(f *faults) {
	t := c.TLS
	if err := t.Mode.check(); err != nil {
		f.add("tls.mode", "%v", err)
	}
	if c.SSL && t.Mode == TLSDisable {
		f.add("ssl", "is true, but tls.mode is disable")
	}
	t.Mode = ""
	if c.TLS.Mode == TLSDisable && t != (TLSConfig{}) {
		f.add("tls.mode", "is disable (or ssl is false), but other TLS settings are given")
	}
	wantsTLS := c.SSL || t != (TLSConfig{}) || (c.TLS.Mode != "" && c.TLS.Mode != TLSDisable)
	if c.Socket != "" && wantsTLS && len(c.ReadHosts) == 0 {
		f.add("tls.mode", "asks for TLS, which a unix socket does not have")
	}
	if c.TLS.Mode == TLSRequire && (t.CA != "" || t.CAFile != "" || t.ServerName != "") {
		f.add("tls.mode", "is require, which verifies nothing: with a CA or a server name use verify-ca or verify-full")
	}
	if c.TLS.Mode == TLSVerifyCA && t.ServerName != "" {
		f.add("tls.server_name", "is not verified in mode verify-ca: use verify-full")
	}
	for _, both := range [][4]string{
		{t.CAFile, t.CA, "tls.ca_file", "tls.ca"},
		{t.CertFile, t.Cert, "tls.cert_file", "tls.cert"},
		{t.KeyFile, t.Key, "tls.key_file", "tls.key"},
	} {
		if both[0] != "" && both[1] != "" {
			f.add(both[2], "is set beside %s: only one of them can be used", both[3])
		}
	}
	hasCert, hasKey := t.Cert != "" || t.CertFile != "", t.Key != "" || t.KeyFile != ""
	if hasCert && !hasKey {
		f.add("tls.key_file", "is missing: the client's certificate needs its key")
	}
	if hasKey && !hasCert {
		f.add("tls.cert_file", "is missing: the client's key needs its certificate")
	}
	if t.ServerName != "" && checkHost(t.ServerName) != nil {
		f.add("tls.server_name", "%v", errBadHost)
	}
	if t.Key == redactedText {
		f.add("tls.key", "is the text that stands for a secret in a printed configuration")
	}
}

func (c ConnectionConfig) validateSQLite(f *faults) {
	for _, key := range configKeys {
		section, _, _ := strings.Cut(key.name, ".")
		_, set := jsonValue(key.at(&c))
		if !set || key.name == "tls.mode" && c.TLS.Mode == TLSDisable {
			continue
		}
		switch section {
		case "host", "port", "socket", "username", "password", "read_hosts", "ssl", "tls", "pooler":
			f.add(key.name, "is set, but sqlite has no server")
		}
	}
	if !slices.Contains([]string{"WAL", "DELETE", "TRUNCATE", "PERSIST", "MEMORY", "OFF"}, c.SQLite.JournalMode) {
		f.add("sqlite.journal_mode", "is not WAL, DELETE, TRUNCATE, PERSIST, MEMORY or OFF")
	}
	if !slices.Contains([]string{"OFF", "NORMAL", "FULL", "EXTRA"}, c.SQLite.Synchronous) {
		f.add("sqlite.synchronous", "is not OFF, NORMAL, FULL or EXTRA")
	}
	validDuration(f, "sqlite.busy_timeout", c.SQLite.BusyTimeout)
}

func (p PoolConfig) validate(prefix string, f *faults) {
	for _, n := range []struct {
		key   string
		value int
	}{{"max_open", p.MaxOpen}, {"max_idle", p.MaxIdle}, {"statement_cache", p.StatementCache}} {
		if n.value < unbounded {
			f.add(prefix+n.key, "is negative: only -1 has a meaning")
		}
	}
	if p.MaxOpen >= 0 && p.MaxIdle > p.MaxOpen {
		f.add(prefix+"max_idle", "is %d, more than max_open, which is %d", p.MaxIdle, p.MaxOpen)
	}
	validDuration(f, prefix+"max_lifetime", p.MaxLifetime)
	validDuration(f, prefix+"max_idle_time", p.MaxIdleTime)
	validDuration(f, prefix+"acquire_timeout", p.AcquireTimeout)
}

func validDuration(f *faults, key string, d time.Duration) {
	if d < unbounded {
		f.add(key, "is negative: only -1 has a meaning")
	}
}
