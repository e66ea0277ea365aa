package config

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// Settings are the settings of one connection by key. The type of a value
// follows from its key's Kind; session parameters are strings. A key whose value
// is zero is left out. They are not safe for concurrent use.
type Settings map[string]any

// Set keeps the value of a key, unless it is zero.
func (s Settings) Set(key string, value any) {
	if !isZero(value) {
		s[key] = value
	}
}

func isZero(value any) bool {
	switch v := value.(type) {
	case string:
		return v == ""
	case int:
		return v == 0
	case bool:
		return !v
	case time.Duration:
		return v == 0
	case []string:
		return len(v) == 0
	case []Settings:
		return len(v) == 0
	}
	return value == nil
}

// HasSection reports whether the section itself, or one of its keys, is set.
func (s Settings) HasSection(section string) bool {
	for key := range s {
		if outer, _, _ := strings.Cut(key, "."); outer == section {
			return true
		}
	}
	return false
}

// SetParam keeps a session parameter, also one whose value is empty.
func (s Settings) SetParam(name, value string) { s[paramsPrefix+name] = value }

// Params returns the session parameters by name, nil if there are none.
func (s Settings) Params() map[string]string {
	var params map[string]string
	for key, value := range s {
		if name, ok := strings.CutPrefix(key, paramsPrefix); ok {
			if params == nil {
				params = make(map[string]string)
			}
			params[name] = value.(string)
		}
	}
	return params
}

// text returns the value of a key whose value is a string, "" if it is not set.
func (s Settings) text(key string) string {
	text, _ := s[key].(string)
	return text
}

// Merge adds the settings of a URL to s. A key that both give with different
// values is a fault.
func (s Settings) Merge(keys Keys, from Settings, f *Faults) {
	merge := func(key string) (added bool) {
		value, given := from[key]
		if !given {
			return false
		}
		_, own := s[key]
		if !s.agree(key, value) {
			f.Add(key, "is also in the url, with another value")
		}
		return !own
	}
	for _, key := range keys {
		if merge(key.Name) {
			f.fromURL[key.Name] = true
		}
	}
	for _, key := range slices.Sorted(maps.Keys(from)) {
		if strings.HasPrefix(key, paramsPrefix) {
			merge(key)
		}
	}
}

// agree sets the key if it is not set, and reports whether its value is the
// given one.
func (s Settings) agree(key string, value any) bool {
	own, ok := s[key]
	if !ok {
		s[key] = value
		return true
	}
	if list, ok := value.([]string); ok {
		ownList, ok := own.([]string)
		return ok && slices.Equal(ownList, list)
	}
	return own == value
}
