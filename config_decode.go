package dbfleet

import (
	"encoding/json"

	"github.com/dbfleet/dbfleet/internal/config"
)

// This file reads YAML, TOML and the maps of mapstructure by the rules of JSON. What
// it declares fits the interfaces of gopkg.in/yaml, github.com/goccy/go-yaml,
// github.com/BurntSushi/toml and github.com/go-viper/mapstructure, none of which is
// imported.

// tree is c as objects, lists and texts, without secrets.
func (c Config) tree() map[string]any {
	connections := make(map[string]any, len(c.Connections))
	for name, conn := range c.Connections {
		connections[name] = conn.tree()
	}
	o := map[string]any{"connections": connections}
	if c.Default != "" {
		o["default"] = c.Default
	}
	if len(c.SessionKeys) > 0 {
		keys := make([]any, len(c.SessionKeys))
		for i, key := range c.SessionKeys {
			keys[i] = key.redacted()
		}
		o["session_keys"] = keys
	}
	return o
}

func (c ConnectionConfig) tree() map[string]any { return c.redacted().settings().Tree("") }

func (p PoolConfig) tree() map[string]any { return ConnectionConfig{Pool: p}.settings().Tree("pool") }

func (t TLSConfig) tree() map[string]any {
	return ConnectionConfig{TLS: t.redacted()}.settings().Tree("tls")
}

func (s SQLiteConfig) tree() map[string]any {
	return ConnectionConfig{SQLite: s}.settings().Tree("sqlite")
}

func (r ReplicaConfig) tree() map[string]any { return r.redacted().settings().Tree("") }

func (r ReadsConfig) tree() map[string]any {
	return ConnectionConfig{Reads: r}.settings().Tree("reads")
}

func (c TenantsConfig) tree() map[string]any {
	return ConnectionConfig{Tenants: &c}.settings().Tree(config.Tenants)
}

// decoded is a type that JSON is read into.
type decoded[T any] interface {
	*T
	json.Unmarshaler
}

// unmarshalTree gives a tree to a reader of JSON, or takes it if it is the result
// already: a default that a program has set.
func unmarshalTree[T any, P decoded[T]](to P, tree any) error {
	if done, ok := tree.(T); ok {
		*to = done
		return nil
	}
	data, err := config.TreeJSON(tree)
	if err != nil {
		return err
	}
	return to.UnmarshalJSON(data)
}

// unmarshalYAML gives what a decoder of YAML reads to a reader of JSON.
func unmarshalYAML[T any, P decoded[T]](to P, decode func(any) error) error {
	if decode == nil {
		return errorf("UnmarshalYAML: the function is nil")
	}
	var tree any
	if err := decode(&tree); err != nil {
		return err
	}
	return unmarshalTree(to, tree)
}

// UnmarshalYAML decodes the configuration, by the rules of UnmarshalJSON.
// All unknown and ill-formed keys are reported at once, as by UnmarshalJSON.
func (c *Config) UnmarshalYAML(decode func(any) error) error { return unmarshalYAML(c, decode) }

// UnmarshalTOML decodes the configuration, by the rules of UnmarshalJSON.
func (c *Config) UnmarshalTOML(tree any) error { return unmarshalTree(c, tree) }

// UnmarshalMapstructure decodes the configuration, by the rules of UnmarshalJSON. It needs
// mapstructure 2.5; an earlier one goes by the tags, which lose unknown keys and the
// false of "ssl" in silence.
func (c *Config) UnmarshalMapstructure(tree any) error { return unmarshalTree(c, tree) }

// MarshalYAML encodes c without secrets, as MarshalJSON does.
func (c Config) MarshalYAML() (any, error) { return c.tree(), nil }

// UnmarshalYAML decodes one connection, by the rules of UnmarshalJSON.
func (c *ConnectionConfig) UnmarshalYAML(decode func(any) error) error {
	return unmarshalYAML(c, decode)
}

// UnmarshalTOML decodes one connection, by the rules of UnmarshalJSON.
func (c *ConnectionConfig) UnmarshalTOML(tree any) error { return unmarshalTree(c, tree) }

// UnmarshalMapstructure decodes one connection, by the rules of UnmarshalJSON. See
// [Config.UnmarshalMapstructure].
func (c *ConnectionConfig) UnmarshalMapstructure(tree any) error { return unmarshalTree(c, tree) }

// MarshalYAML encodes c without secrets, as MarshalJSON does.
func (c ConnectionConfig) MarshalYAML() (any, error) { return c.tree(), nil }

// UnmarshalYAML decodes the bounds of a pool, by the rules of UnmarshalJSON.
func (p *PoolConfig) UnmarshalYAML(decode func(any) error) error { return unmarshalYAML(p, decode) }

// UnmarshalTOML decodes the bounds of a pool, by the rules of UnmarshalJSON.
func (p *PoolConfig) UnmarshalTOML(tree any) error { return unmarshalTree(p, tree) }

// UnmarshalMapstructure decodes the bounds of a pool, by the rules of UnmarshalJSON. See
// [Config.UnmarshalMapstructure].
func (p *PoolConfig) UnmarshalMapstructure(tree any) error { return unmarshalTree(p, tree) }

// MarshalYAML encodes p without secrets, as MarshalJSON does.
func (p PoolConfig) MarshalYAML() (any, error) { return p.tree(), nil }

// UnmarshalYAML decodes the settings of TLS, by the rules of UnmarshalJSON.
func (t *TLSConfig) UnmarshalYAML(decode func(any) error) error { return unmarshalYAML(t, decode) }

// UnmarshalTOML decodes the settings of TLS, by the rules of UnmarshalJSON.
func (t *TLSConfig) UnmarshalTOML(tree any) error { return unmarshalTree(t, tree) }

// UnmarshalMapstructure decodes the settings of TLS, by the rules of UnmarshalJSON. See
// [Config.UnmarshalMapstructure].
func (t *TLSConfig) UnmarshalMapstructure(tree any) error { return unmarshalTree(t, tree) }

// MarshalYAML encodes t without secrets, as MarshalJSON does.
func (t TLSConfig) MarshalYAML() (any, error) { return t.tree(), nil }

// UnmarshalYAML decodes the settings of SQLite, by the rules of UnmarshalJSON.
func (s *SQLiteConfig) UnmarshalYAML(decode func(any) error) error { return unmarshalYAML(s, decode) }

// UnmarshalTOML decodes the settings of SQLite, by the rules of UnmarshalJSON.
func (s *SQLiteConfig) UnmarshalTOML(tree any) error { return unmarshalTree(s, tree) }

// UnmarshalMapstructure decodes the settings of SQLite, by the rules of UnmarshalJSON. See
// [Config.UnmarshalMapstructure].
func (s *SQLiteConfig) UnmarshalMapstructure(tree any) error { return unmarshalTree(s, tree) }

// MarshalYAML encodes s without secrets, as MarshalJSON does.
func (s SQLiteConfig) MarshalYAML() (any, error) { return s.tree(), nil }

// UnmarshalYAML decodes one replica, by the rules of UnmarshalJSON.
func (r *ReplicaConfig) UnmarshalYAML(decode func(any) error) error { return unmarshalYAML(r, decode) }

// UnmarshalTOML decodes one replica, by the rules of UnmarshalJSON.
func (r *ReplicaConfig) UnmarshalTOML(tree any) error { return unmarshalTree(r, tree) }

// UnmarshalMapstructure decodes one replica, by the rules of UnmarshalJSON. See
// [Config.UnmarshalMapstructure].
func (r *ReplicaConfig) UnmarshalMapstructure(tree any) error { return unmarshalTree(r, tree) }

// MarshalYAML encodes r as MarshalJSON does.
func (r ReplicaConfig) MarshalYAML() (any, error) { return r.tree(), nil }

// UnmarshalYAML decodes how reads are spread, by the rules of UnmarshalJSON.
func (r *ReadsConfig) UnmarshalYAML(decode func(any) error) error { return unmarshalYAML(r, decode) }

// UnmarshalTOML decodes how reads are spread, by the rules of UnmarshalJSON.
func (r *ReadsConfig) UnmarshalTOML(tree any) error { return unmarshalTree(r, tree) }

// UnmarshalMapstructure decodes how reads are spread, by the rules of UnmarshalJSON. See
// [Config.UnmarshalMapstructure].
func (r *ReadsConfig) UnmarshalMapstructure(tree any) error { return unmarshalTree(r, tree) }

// MarshalYAML encodes r as MarshalJSON does.
func (r ReadsConfig) MarshalYAML() (any, error) { return r.tree(), nil }

// UnmarshalYAML decodes the bounds of tenants, by the rules of UnmarshalJSON.
func (c *TenantsConfig) UnmarshalYAML(decode func(any) error) error { return unmarshalYAML(c, decode) }

// UnmarshalTOML decodes the bounds of tenants, by the rules of UnmarshalJSON.
func (c *TenantsConfig) UnmarshalTOML(tree any) error { return unmarshalTree(c, tree) }

// UnmarshalMapstructure decodes the bounds of tenants, by the rules of UnmarshalJSON. See
// [Config.UnmarshalMapstructure].
func (c *TenantsConfig) UnmarshalMapstructure(tree any) error { return unmarshalTree(c, tree) }

// MarshalYAML encodes c as MarshalJSON does.
func (c TenantsConfig) MarshalYAML() (any, error) { return c.tree(), nil }
