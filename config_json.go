package dbfleet

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// jsonMember is one member of a JSON object.
type jsonMember struct {
	key   string
	value json.RawMessage
}

var errNotObject = errors.New("is not an object")

// jsonMembers returns the members of an object in their order, so that a key
// which is given twice is seen.
func jsonMembers(data []byte) ([]jsonMember, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errNotObject
	}
	var members []jsonMember
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		m := jsonMember{key: t.(string)}
		if err := d.Decode(&m.value); err != nil {
			return nil, err
		}
		members = append(members, m)
	}
	return members, nil
}

// eachMember calls set for each member that is not null. An unknown, repeated
// or ill-formed one is a fault under prefix and its key.
func eachMember(data []byte, prefix string, f *faults, set func(key string, value json.RawMessage)) {
	members, err := jsonMembers(data)
	if err != nil {
		f.add(strings.TrimSuffix(prefix, "."), "%v", err)
	}
	seen := make(map[string]bool, len(members))
	for _, m := range members {
		if seen[m.key] {
			f.add(prefix+m.key, "is given twice")
			continue
		}
		seen[m.key] = true
		if string(m.value) != "null" {
			set(m.key, m.value)
		}
	}
}

// UnmarshalJSON decodes {"default": …, "connections": {name: {…}}}. It reports
// all unknown and ill-formed keys at once, each as a *ConfigError; whether the
// values fit together is for Open to say.
func (c *Config) UnmarshalJSON(data []byte) error {
	var config Config
	f := new(faults)
	eachMember(data, "", f, func(key string, value json.RawMessage) {
		switch key {
		case "default":
			if json.Unmarshal(value, &config.Default) != nil {
				f.add(key, "is not a string")
			}
		case "connections":
			config.Connections = make(map[string]ConnectionConfig)
			eachMember(value, "connections.", f, func(name string, value json.RawMessage) {
				inner := &faults{connection: name}
				config.Connections[name] = decodeConnection(value, inner)
				f.list = append(f.list, inner.list...)
			})
		default:
			f.add(key, "is not a key of the configuration%s", didYouMean(key, []string{"default", "connections"}))
		}
	})
	if err := f.err(); err != nil {
		return err
	}
	*c = config
	return nil
}

// UnmarshalJSON decodes one connection, as Config's does.
func (c *ConnectionConfig) UnmarshalJSON(data []byte) error {
	f := new(faults)
	decoded := decodeConnection(data, f)
	if err := f.err(); err != nil {
		return err
	}
	*c = decoded
	return nil
}

// UnmarshalJSON decodes the bounds of a pool; durations are texts such as "30s".
func (p *PoolConfig) UnmarshalJSON(data []byte) error {
	return decodeSection(data, "pool.", func(c *ConnectionConfig) { *p = c.Pool })
}

// UnmarshalJSON decodes the settings of TLS.
func (t *TLSConfig) UnmarshalJSON(data []byte) error {
	return decodeSection(data, "tls.", func(c *ConnectionConfig) { *t = c.TLS })
}

// UnmarshalJSON decodes the settings of SQLite; durations are texts such as "5s".
func (s *SQLiteConfig) UnmarshalJSON(data []byte) error {
	return decodeSection(data, "sqlite.", func(c *ConnectionConfig) { *s = c.SQLite })
}

func decodeSection(data []byte, prefix string, done func(*ConnectionConfig)) error {
	f := new(faults)
	var c ConnectionConfig
	c.decodeKeys(data, prefix, f)
	if err := f.err(); err != nil {
		return err
	}
	done(&c)
	return nil
}

func decodeConnection(data []byte, f *faults) (c ConnectionConfig) {
	c.decodeKeys(data, "", f)
	return c
}

// decodeKeys sets the keys under prefix, which is empty or ends with a dot.
func (c *ConnectionConfig) decodeKeys(data []byte, prefix string, f *faults) {
	var ssl json.RawMessage
	eachMember(data, prefix, f, func(name string, value json.RawMessage) {
		name = prefix + name
		section := slices.ContainsFunc(configKeys, func(k configKey) bool { return strings.HasPrefix(k.name, name+".") })
		switch {
		case name == "ssl":
			ssl = value // its false depends on tls.mode
		case name == "params":
			c.decodeParams(value, f)
		case section && name == "read_pool":
			c.ReadPool = new(PoolConfig)
			c.decodeKeys(value, name+".", f)
		case section:
			c.decodeKeys(value, name+".", f)
		default:
			c.decodeKey(name, value, f)
		}
	})
	if ssl != nil {
		c.decodeKey("ssl", ssl, f)
	}
}

func (c *ConnectionConfig) decodeParams(data json.RawMessage, f *faults) {
	c.Params = make(map[string]string)
	eachMember(data, "params.", f, func(name string, value json.RawMessage) {
		var text string
		if json.Unmarshal(value, &text) != nil {
			f.add("params."+name, "is not a string")
			return
		}
		c.Params[name] = text
	})
}

func (c *ConnectionConfig) decodeKey(name string, value json.RawMessage, f *faults) {
	i := slices.IndexFunc(configKeys, func(k configKey) bool { return k.name == name })
	if i < 0 {
		known := []string{"params"}
		for _, k := range configKeys {
			known = append(known, k.name)
		}
		f.add(name, "is not a key of a connection%s", didYouMean(name, known))
		return
	}
	if err := configKeys[i].setJSON(c, value); err != nil {
		f.add(name, "%v", err)
	}
}

// setJSON sets the field from its JSON value. An error never contains the value.
func (k configKey) setJSON(c *ConnectionConfig, value json.RawMessage) error {
	switch field := k.at(c).(type) {
	case *int:
		var n int
		if json.Unmarshal(value, &n) != nil {
			return errors.New("is not a whole number")
		}
		return setInt(field, k.name, fmt.Sprint(n))
	case *bool:
		if json.Unmarshal(value, field) != nil {
			return errors.New("is neither true nor false")
		}
		return nil
	case sslSwitch:
		var on bool
		if json.Unmarshal(value, &on) != nil {
			return errors.New("is neither true nor false")
		}
		return field.set(on)
	case *[]string:
		if json.Unmarshal(value, field) != nil {
			return errors.New("is not a list of strings")
		}
		return nil
	case *time.Duration:
		var text string
		if json.Unmarshal(value, &text) != nil {
			return errors.New(`is not a text with a duration and its unit, such as "30s"`)
		}
		return setDuration(field, text)
	}
	var text string
	if json.Unmarshal(value, &text) != nil {
		return errors.New("is not a string")
	}
	return k.setText(c, text)
}
