package dbfleet

import (
	"encoding/json"

	"github.com/dbfleet/dbfleet/internal/config"
)

// UnmarshalJSON decodes {"default": …, "connections": {name: {…}}, "session_keys": […]}. It reports
// all unknown and ill-formed keys at once, each as a *ConfigError; whether the
// values fit together is for Open to say.
func (c *Config) UnmarshalJSON(data []byte) error {
	if c == nil {
		return errNilSettings
	}
	decoded, faults := configKeys.DecodeConfig(data)
	if len(faults) > 0 {
		return configError(faults)
	}
	*c = Config{Default: decoded.Default, SessionKeys: secrets(decoded.SessionKeys)}
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

// secrets are texts as secrets, nil for none.
func secrets(texts []string) []Secret {
	var list []Secret
	for _, text := range texts {
		list = append(list, Secret(text))
	}
	return list
}

// UnmarshalJSON decodes one connection, as Config's does.
func (c *ConnectionConfig) UnmarshalJSON(data []byte) error {
	if c == nil {
		return errNilSettings
	}
	decoded, err := decodeSection(data, "")
	if err == nil {
		*c = decoded
	}
	return err
}

// UnmarshalJSON decodes the bounds of a pool; durations are texts such as "30s".
func (p *PoolConfig) UnmarshalJSON(data []byte) error {
	if p == nil {
		return errNilSettings
	}
	c, err := decodeSection(data, "pool")
	if err == nil {
		*p = c.Pool
	}
	return err
}

// UnmarshalJSON decodes the settings of TLS.
func (t *TLSConfig) UnmarshalJSON(data []byte) error {
	if t == nil {
		return errNilSettings
	}
	c, err := decodeSection(data, "tls")
	if err == nil {
		*t = c.TLS
	}
	return err
}

// UnmarshalJSON decodes the settings of SQLite; durations are texts such as "5s".
func (s *SQLiteConfig) UnmarshalJSON(data []byte) error {
	if s == nil {
		return errNilSettings
	}
	c, err := decodeSection(data, "sqlite")
	if err == nil {
		*s = c.SQLite
	}
	return err
}

// UnmarshalJSON decodes one replica. A fault is a *ConfigError without a connection.
func (r *ReplicaConfig) UnmarshalJSON(data []byte) error {
	if r == nil {
		return errNilSettings
	}
	s, faults := replicaKeys.Decode(data, "")
	if len(faults) > 0 {
		return configError(faults)
	}
	*r = ReplicaConfig{}
	r.set(s)
	return nil
}

// UnmarshalJSON decodes how reads are spread; durations are texts such as "5s".
func (r *ReadsConfig) UnmarshalJSON(data []byte) error {
	if r == nil {
		return errNilSettings
	}
	c, err := decodeSection(data, "reads")
	if err == nil {
		*r = c.Reads
	}
	return err
}

// UnmarshalJSON decodes the bounds of tenants; durations are texts such as "5m".
func (c *TenantsConfig) UnmarshalJSON(data []byte) error {
	if c == nil {
		return errNilSettings
	}
	of, err := decodeSection(data, config.Tenants)
	if err == nil {
		*c = *of.tenantsOr()
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
func (c Config) MarshalJSON() ([]byte, error) { return json.Marshal(c.tree()) }

// MarshalJSON encodes c without secrets.
func (c ConnectionConfig) MarshalJSON() ([]byte, error) {
	return json.Marshal(c.tree())
}

// MarshalJSON encodes p with durations as texts.
func (p PoolConfig) MarshalJSON() ([]byte, error) {
	return json.Marshal(p.tree())
}

// MarshalJSON encodes t without keys.
func (t TLSConfig) MarshalJSON() ([]byte, error) {
	return json.Marshal(t.tree())
}

// MarshalJSON encodes s with durations as texts.
func (s SQLiteConfig) MarshalJSON() ([]byte, error) {
	return json.Marshal(s.tree())
}

// MarshalJSON encodes r without what may be a secret.
func (r ReplicaConfig) MarshalJSON() ([]byte, error) {
	return json.Marshal(r.tree())
}

// MarshalJSON encodes r with durations as texts.
func (r ReadsConfig) MarshalJSON() ([]byte, error) {
	return json.Marshal(r.tree())
}

// MarshalJSON encodes c with durations as texts, and without its function.
func (c TenantsConfig) MarshalJSON() ([]byte, error) {
	return json.Marshal(c.tree())
}
