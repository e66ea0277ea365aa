package dbfleet

import (
	"encoding/json"
	"os"
)

// ConfigFromEnv reads a configuration from the environment variables that begin
// with DB_.
//
// DB_CONNECTION names the default connection. DB_HOST, DB_PORT, DB_DATABASE,
// DB_USERNAME, DB_PASSWORD and so on describe it; DB_ANALYTICS_HOST and so on
// describe the connection "analytics", and any other name works as well, also
// with underscores. Names become lower case. DB_CONNECTION may also name one of
// those connections; then none of the variables without a name may be set.
//
// The variables of a connection are DRIVER, URL, HOST, PORT, SOCKET, DATABASE,
// USERNAME, PASSWORD, SSL, READ_HOSTS (with commas), CONNECT_TIMEOUT,
// STATEMENT_TIMEOUT, POOLER, TLS_MODE, TLS_CA_FILE, TLS_CERT_FILE, TLS_KEY_FILE,
// TLS_SERVER_NAME, TLS_CA, TLS_CERT, TLS_KEY, POOL_MAX_OPEN, POOL_MAX_IDLE,
// POOL_MAX_LIFETIME, POOL_MAX_IDLE_TIME, POOL_ACQUIRE_TIMEOUT,
// POOL_STATEMENT_CACHE, the same with READ_POOL_, SQLITE_JOURNAL_MODE,
// SQLITE_SYNCHRONOUS, SQLITE_BUSY_TIMEOUT, SQLITE_DISABLE_FOREIGN_KEYS,
// SQLITE_DEFERRED_TRANSACTIONS and SQLITE_DOUBLE_QUOTED_STRINGS; they mean what
// the fields of [ConnectionConfig] mean. Durations have a unit ("30s").
//
// The driver comes from DRIVER, else from the URL's scheme, else from the
// connection's name if that is a driver's ("postgresql"), else from the
// well-known port (5432, 3306).
//
// What is missing, empty, malformed or unknown is a fault. All faults are
// reported at once, each as a *ConfigError that names its variable and not the
// value. (Kubernetes sets variables like DB_SERVICE_HOST for a service called
// "db"; enableServiceLinks: false in the pod's specification stops that.)
func ConfigFromEnv() (Config, error) { return configFromEnv(os.Environ()) }

// configFromEnv is ConfigFromEnv for a list of NAME=value.
func configFromEnv(environ []string) (Config, error) {
	env := configKeys.ReadEnv(environ)
	c := Config{Default: env.Default, Connections: make(map[string]ConnectionConfig)}
	list := env.Faults
	for _, conn := range env.Connections {
		from := ConnectionConfig{envPrefix: conn.Prefix}
		from.set(conn.Settings)
		c.Connections[conn.Name] = from
		list = append(list, conn.Faults.List()...)
		_, more := from.prepareAll(conn.Name)
		for _, fault := range more {
			if !conn.Faults.Has(fault.Key) { // what is malformed is not missing too
				list = append(list, fault)
			}
		}
	}
	if len(list) > 0 {
		return Config{}, configError(list)
	}
	return c, nil
}

// UnmarshalJSON decodes {"default": …, "connections": {name: {…}}}. It reports
// all unknown and ill-formed keys at once, each as a *ConfigError; whether the
// values fit together is for Open to say.
func (c *Config) UnmarshalJSON(data []byte) error {
	decoded, faults := configKeys.DecodeConfig(data)
	if c == nil {
		return errNilSettings
	}
	if len(faults) > 0 {
		return configError(faults)
	}
	*c = Config{Default: decoded.Default}
	if decoded.Connections != nil {
		c.Connections = make(map[string]ConnectionConfig, len(decoded.Connections))
	}
	for name, s := range decoded.Connections {
		var conn ConnectionConfig
		conn.set(s)
		c.Connections[name] = conn
	}
	return nil
}

// UnmarshalJSON decodes one connection, as Config's does.
func (c *ConnectionConfig) UnmarshalJSON(data []byte) error {
	decoded, err := decodeSection(data, "")
	if c == nil {
		return errNilSettings
	}
	if err == nil {
		*c = decoded
	}
	return err
}

// UnmarshalJSON decodes the bounds of a pool; durations are texts such as "30s".
func (p *PoolConfig) UnmarshalJSON(data []byte) error {
	c, err := decodeSection(data, "pool")
	if p == nil {
		return errNilSettings
	}
	if err == nil {
		*p = c.Pool
	}
	return err
}

// UnmarshalJSON decodes the settings of TLS.
func (t *TLSConfig) UnmarshalJSON(data []byte) error {
	c, err := decodeSection(data, "tls")
	if t == nil {
		return errNilSettings
	}
	if err == nil {
		*t = c.TLS
	}
	return err
}

// UnmarshalJSON decodes the settings of SQLite; durations are texts such as "5s".
func (s *SQLiteConfig) UnmarshalJSON(data []byte) error {
	c, err := decodeSection(data, "sqlite")
	if s == nil {
		return errNilSettings
	}
	if err == nil {
		*s = c.SQLite
	}
	return err
}

var errNilSettings = errorf("UnmarshalJSON: the settings to decode into are nil")

// decodeSection returns a connection of which only a section is set, or all of
// it if section is empty.
func decodeSection(data []byte, section string) (c ConnectionConfig, err error) {
	s, faults := configKeys.Decode(data, section)
	if len(faults) > 0 {
		return c, configError(faults)
	}
	c.set(s)
	return c, nil
}

// MarshalJSON encodes c without secrets: the result says "[redacted]" in their
// place, and is refused where a configuration is read.
func (c Config) MarshalJSON() ([]byte, error) {
	o := map[string]any{"connections": c.Connections}
	if c.Default != "" {
		o["default"] = c.Default
	}
	return json.Marshal(o)
}

// MarshalJSON encodes c without secrets.
func (c ConnectionConfig) MarshalJSON() ([]byte, error) {
	return c.redacted().settings().EncodeJSON("")
}

// MarshalJSON encodes p with durations as texts.
func (p PoolConfig) MarshalJSON() ([]byte, error) {
	return ConnectionConfig{Pool: p}.settings().EncodeJSON("pool")
}

// MarshalJSON encodes t without keys.
func (t TLSConfig) MarshalJSON() ([]byte, error) {
	return ConnectionConfig{TLS: t.redacted()}.settings().EncodeJSON("tls")
}

// MarshalJSON encodes s with durations as texts.
func (s SQLiteConfig) MarshalJSON() ([]byte, error) {
	return ConnectionConfig{SQLite: s}.settings().EncodeJSON("sqlite")
}
