package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Fault is one fault of a configuration. It has the fields of the root's
// ConfigError, to which it is converted.
type Fault struct {
	Connection string // empty if the fault is not in a connection
	Key        string
	Variable   string // of the environment, empty if the setting came from elsewhere
	Reason     string
	Err        error // the cause, if there is one
}

// Error names the connection, the key, the variable and the reason.
func (e *Fault) Error() string {
	var b strings.Builder
	b.WriteString("dbfleet: ")
	if e.Connection != "" {
		fmt.Fprintf(&b, "connection %q: ", e.Connection)
	}
	switch {
	case e.Variable != "" && e.Key != "":
		fmt.Fprintf(&b, "%s (%s) ", plainOrQuoted(e.Variable), plainOrQuoted(e.Key))
	case e.Variable != "" || e.Key != "":
		b.WriteString(plainOrQuoted(e.Variable+e.Key) + " ")
	}
	b.WriteString(e.Reason)
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Fault) Unwrap() error { return e.Err }

// plainOrQuoted quotes what would not be read as one plain word, so that no
// name breaks a line of a log.
func plainOrQuoted(s string) string {
	for _, r := range s {
		if r <= ' ' || r > '~' {
			return strconv.Quote(s)
		}
	}
	return s
}

// Faults collect what is wrong with one connection, in the order in which it was
// found. They are not safe for concurrent use.
type Faults struct {
	connection string
	envPrefix  string
	fromURL    map[string]bool // the keys that the URL set
	list       []*Fault
}

// NewFaults returns an empty collection. The connection's name is empty for
// what is not in a connection; envPrefix is what the names of the connection's
// variables begin with, empty if it did not come from the environment.
func NewFaults(connection, envPrefix string) *Faults {
	return &Faults{connection: connection, envPrefix: envPrefix, fromURL: make(map[string]bool)}
}

// Add notes a fault of key.
func (f *Faults) Add(key, format string, args ...any) {
	f.AddCause(key, nil, format, args...)
}

// AddCause notes a fault of key that err caused.
func (f *Faults) AddCause(key string, err error, format string, args ...any) {
	fault := &Fault{Connection: f.connection, Key: key, Reason: fmt.Sprintf(format, args...), Err: err}
	switch {
	case f.envPrefix == "":
	case f.fromURL[key] || strings.HasPrefix(key, "params"):
		fault.Variable = f.envPrefix + "URL"
	default:
		fault.Variable = f.envPrefix + EnvSuffix(key)
	}
	f.list = append(f.list, fault)
}

// Append notes faults as they are.
func (f *Faults) Append(faults ...*Fault) { f.list = append(f.list, faults...) }

// Has reports whether a fault of key was noted.
func (f *Faults) Has(key string) bool {
	return slices.ContainsFunc(f.list, func(fault *Fault) bool { return fault.Key == key })
}

// List returns the faults that were noted.
func (f *Faults) List() []*Fault { return f.list }
