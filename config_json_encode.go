package dbfleet

import (
	"encoding/json"
	"strings"
	"time"
)

// jsonObject is an object under construction: zero values are left out.
type jsonObject map[string]any

// set puts value under a key whose dots are nested objects.
func (o jsonObject) set(key string, value any) {
	if section, rest, nested := strings.Cut(key, "."); nested {
		inner, ok := o[section].(jsonObject)
		if !ok {
			inner = make(jsonObject)
			o[section] = inner
		}
		inner.set(rest, value)
		return
	}
	o[key] = value
}

// MarshalJSON encodes c without secrets: the result says "[redacted]" in their
// place, and is refused where a configuration is read.
func (c Config) MarshalJSON() ([]byte, error) {
	o := jsonObject{"connections": c.Connections}
	if c.Default != "" {
		o["default"] = c.Default
	}
	return json.Marshal(o)
}

// MarshalJSON encodes c without secrets.
func (c ConnectionConfig) MarshalJSON() ([]byte, error) {
	return json.Marshal(c.redacted().jsonObject(""))
}

// MarshalJSON encodes p with durations as texts.
func (p PoolConfig) MarshalJSON() ([]byte, error) {
	return marshalSection(ConnectionConfig{Pool: p}, "pool.")
}

// MarshalJSON encodes t without keys.
func (t TLSConfig) MarshalJSON() ([]byte, error) {
	return marshalSection(ConnectionConfig{TLS: t.redacted()}, "tls.")
}

// MarshalJSON encodes s with durations as texts.
func (s SQLiteConfig) MarshalJSON() ([]byte, error) {
	return marshalSection(ConnectionConfig{SQLite: s}, "sqlite.")
}

func marshalSection(c ConnectionConfig, prefix string) ([]byte, error) {
	return json.Marshal(c.jsonObject(prefix))
}

// jsonObject returns the keys under prefix that are not zero.
func (c ConnectionConfig) jsonObject(prefix string) jsonObject {
	o := make(jsonObject)
	if c.ReadPool != nil && prefix == "" {
		o["read_pool"] = make(jsonObject)
	}
	for _, key := range configKeys {
		name, ok := strings.CutPrefix(key.name, prefix)
		if !ok || strings.HasPrefix(key.name, "read_pool.") && c.ReadPool == nil {
			continue
		}
		if value, ok := jsonValue(key.at(&c)); ok {
			o.set(name, value)
		}
	}
	if len(c.Params) > 0 && prefix == "" {
		o["params"] = c.Params
	}
	return o
}

// jsonValue returns the value of a field, ok unless it is zero.
func jsonValue(field any) (value any, ok bool) {
	switch field := field.(type) {
	case *string:
		return *field, *field != ""
	case *int:
		return *field, *field != 0
	case *bool:
		return *field, *field
	case sslSwitch:
		return true, field.c.SSL
	case *[]string:
		return *field, len(*field) > 0
	case *TLSMode:
		return *field, *field != ""
	case *Driver:
		return *field, *field != ""
	case *time.Duration:
		if *field == unbounded {
			return "-1", true
		}
		return field.String(), *field != 0
	}
	return nil, false
}
