package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
)

// Config is what a JSON text says of a whole configuration.
type Config struct {
	// Default is the name of the default connection, empty if none was chosen.
	Default string
	// SessionKeys sign the tokens of sessions.
	SessionKeys []string
	// Connections are the settings of each connection by name, nil if the text
	// says nothing of connections.
	Connections map[string]Settings
}

// What is wrong with a JSON value. Each continues a sentence that names the key.
var (
	errNotObject   = errors.New("is not an object")
	errNotString   = errors.New("is not a string: write it in quotes")
	errNotList     = errors.New("is not a list of strings")
	errNotObjects  = errors.New("is not a list of objects")
	errNotDuration = errors.New(`is not a text with a duration and its unit, such as "30s"`)
)

// DecodeConfig reads {"default": …, "connections": {name: {…}}}. Data is valid
// JSON, as encoding/json makes sure of.
func (k Keys) DecodeConfig(data []byte) (Config, []*Fault) {
	var c Config
	f := NewFaults("", "")
	eachMember(data, "", f, func(key string, value json.RawMessage) {
		switch key {
		case "default":
			if json.Unmarshal(value, &c.Default) != nil {
				f.Add(key, "%v", errNotString)
			}
		case "session_keys":
			if json.Unmarshal(value, &c.SessionKeys) != nil {
				f.Add(key, "%v", errNotList)
			}
		case "connections":
			c.Connections = make(map[string]Settings)
			eachMember(value, "connections.", f, func(name string, value json.RawMessage) {
				inner := NewFaults(name, "")
				c.Connections[name] = k.decode(value, "", inner)
				f.Append(inner.List()...)
			})
		default:
			f.Add(key, "is not a key of the configuration%s", didYouMean(key, []string{"default", "connections", "session_keys"}))
		}
	})
	return c, f.List()
}

// Decode reads the settings of one connection, or those of a section of it such
// as "pool". The section is empty for the whole connection. Data is valid JSON,
// as encoding/json makes sure of.
func (k Keys) Decode(data []byte, section string) (Settings, []*Fault) {
	prefix := section
	if section != "" {
		prefix += "."
	}
	f := NewFaults("", "")
	return k.decode(data, prefix, f), f.List()
}

// decode reads the keys under prefix, which is empty or ends with a dot.
func (k Keys) decode(data []byte, prefix string, f *Faults) Settings {
	s := make(Settings)
	s.decode(k, data, prefix, f)
	return s
}

func (s Settings) decode(keys Keys, data []byte, prefix string, f *Faults) {
	var ssl json.RawMessage
	eachMember(data, prefix, f, func(name string, value json.RawMessage) {
		switch name = prefix + name; {
		case name == "ssl":
			ssl = value // its false depends on tls.mode
		case name == "params":
			s.decodeParams(value, f)
		case keys.isSection(name):
			if _, listed := keys.find(name); listed || name == ReadPool || name == Tenants {
				s[name] = true
			}
			s.decode(keys, value, name+".", f)
		default:
			s.decodeKey(keys, name, value, f)
		}
	})
	if ssl != nil {
		s.decodeKey(keys, "ssl", ssl, f)
	}
}

func (s Settings) decodeParams(data json.RawMessage, f *Faults) {
	eachMember(data, paramsPrefix, f, func(name string, value json.RawMessage) {
		var text string
		if json.Unmarshal(value, &text) != nil {
			f.Add(paramsPrefix+name, "%v", errNotString)
			return
		}
		s.SetParam(name, text)
	})
}

func (s Settings) decodeKey(keys Keys, name string, value json.RawMessage, f *Faults) {
	key, ok := keys.find(name)
	if !ok {
		f.Add(name, "is not a key of a connection%s", didYouMean(name, keys.names()))
		return
	}
	var list []json.RawMessage
	if key.Kind == Objects && json.Unmarshal(value, &list) == nil {
		s.decodeObjects(key, list, f)
		return
	}
	if err := s.setJSON(key, value); err != nil {
		f.Add(name, "%v", err)
	}
}

// decodeObjects reads a list of objects. A fault tells the number of its object.
func (s Settings) decodeObjects(key Key, list []json.RawMessage, f *Faults) {
	var all []Settings
	for i, value := range list {
		inner := NewFaults("", "")
		all = append(all, key.Of.decode(value, "", inner))
		for _, fault := range inner.List() {
			what := ""
			if fault.Key != "" {
				what = plainOrQuoted(fault.Key) + " "
			}
			f.Add(key.Name, "number %d: %s%s", i+1, what, fault.Reason)
		}
	}
	s.Set(key.Name, all)
}

// setJSON sets a key from its JSON value. A text is read as in the environment. An
// error never contains the value, but for the name of a driver.
func (s Settings) setJSON(key Key, value json.RawMessage) error {
	var text string
	if json.Unmarshal(value, &text) == nil {
		return s.setText(key, text)
	}
	switch key.Kind {
	case Number, Port:
		var n int
		if json.Unmarshal(value, &n) != nil {
			return errNumber
		}
		return s.setNumber(key, n)
	case Bool, SSL:
		var on bool
		if json.Unmarshal(value, &on) != nil {
			return errBool
		}
		return s.setBool(key, on)
	case List:
		var list []string
		if json.Unmarshal(value, &list) != nil {
			return errNotList
		}
		s.Set(key.Name, list)
		return nil
	case Objects:
		return errNotObjects
	case Section:
		return errNotObject
	case Duration:
		if string(value) == strconv.Itoa(Unbounded) {
			return s.setText(key, string(value))
		}
		return errNotDuration
	}
	return errNotString
}

// jsonMember is one member of a JSON object.
type jsonMember struct {
	key   string
	value json.RawMessage
}

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

// eachMember calls set for each member that is not null. One that is given twice
// is a fault under prefix and its key.
func eachMember(data []byte, prefix string, f *Faults, set func(key string, value json.RawMessage)) {
	members, err := jsonMembers(data)
	if err != nil {
		f.Add(strings.TrimSuffix(prefix, "."), "%v", err)
	}
	seen := make(map[string]bool, len(members))
	for _, m := range members {
		if seen[m.key] {
			f.Add(prefix+m.key, "is given twice")
			continue
		}
		seen[m.key] = true
		if string(m.value) != "null" {
			set(m.key, m.value)
		}
	}
}
