package config

import (
	"slices"
	"strings"
)

// Kind says how a setting is read from text, and so the type of its value.
type Kind int

// The kinds, with the types of their values.
const (
	Text     Kind = iota // string
	Driver               // string: the canonical name of a driver
	TLSMode              // string: disable, require, verify-ca or verify-full
	Number               // int, not 0; -1 is no bound
	Port                 // int between 1 and 65535
	Bool                 // bool
	SSL                  // bool, true only: false is the TLS mode "disable"
	Duration             // time.Duration, not 0; -1 is no bound
	List                 // []string
	Objects              // []Settings, of Key.Of; as a text a list of the first of those
	Section              // true: a nested object that matters even if it is empty
)

// Key names one setting of a connection.
type Key struct {
	// Name is the setting's name in JSON, where a dot stands for a nested
	// object. The environment and URLs spell it in their own ways.
	Name string
	Kind Kind
	// Of are the keys of each object of a list, without that of the list.
	Of Keys
}

// Keys are all settings of a connection but the session parameters, whose keys
// are "params." and any name. A key of kind SSL comes last, because its false
// depends on the TLS mode. They are never changed.
type Keys []Key

// The keys of sections whose presence matters even if they are empty. Their value is
// true.
const (
	ReadPool = "read_pool"
	Tenants  = "tenants"
)

// matters reports whether a section of that name is one of them, of a connection or of one
// of its replicas.
func matters(section string) bool {
	return section == ReadPool || section == Tenants || section == "pool"
}

// paramsPrefix begins the keys of session parameters.
const paramsPrefix = "params."

func (k Keys) find(name string) (Key, bool) {
	i := slices.IndexFunc(k, func(key Key) bool { return key.Name == name })
	if i < 0 {
		return Key{}, false
	}
	return k[i], true
}

// isSection reports whether name is that of a nested object.
func (k Keys) isSection(name string) bool {
	return slices.ContainsFunc(k, func(key Key) bool { return strings.HasPrefix(key.Name, name+".") })
}

// names returns the names of the keys that JSON knows.
func (k Keys) names() []string {
	names := []string{"params"}
	for _, key := range k {
		names = append(names, key.Name)
	}
	return names
}

// EnvSuffix spells a key as the end of a variable's name: POOL_MAX_OPEN.
func EnvSuffix(key string) string {
	return strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// urlName spells a key as the name of a URL's parameter: pool_max_open.
func urlName(key string) string {
	return strings.ReplaceAll(key, ".", "_")
}
