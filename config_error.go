package dbfleet

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// ConfigError is one fault of a configuration. Open, Add, Replace and
// ConfigFromEnv report all faults at once, joined by errors.Join; decoding JSON
// does too. It never contains a secret, and no value that could be one.
type ConfigError struct {
	// Connection is the connection's name, empty if the fault is not in one.
	Connection string
	// Key is the setting's name as in JSON, such as "pool.max_open".
	Key string
	// Variable is the environment variable that gives the setting, if the
	// connection came from the environment.
	Variable string
	// Reason says what is wrong.
	Reason string
	// Err is the cause, if there is one: a certificate's file that does not exist.
	Err error
}

// Error names the connection, the key, the variable and the reason.
func (e *ConfigError) Error() string {
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
func (e *ConfigError) Unwrap() error { return e.Err }

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

// faults collects what is wrong with one connection.
type faults struct {
	connection string
	envPrefix  string
	fromURL    map[string]bool // the keys that the URL set
	list       []error
}

// add notes a fault of key.
func (f *faults) add(key, format string, args ...any) {
	f.addCause(key, nil, format, args...)
}

// addCause notes a fault of key that err caused.
func (f *faults) addCause(key string, err error, format string, args ...any) {
	e := &ConfigError{Connection: f.connection, Key: key, Reason: fmt.Sprintf(format, args...), Err: err}
	switch {
	case f.envPrefix == "":
	case f.fromURL[key] || strings.HasPrefix(key, "params"):
		e.Variable = f.envPrefix + "URL"
	default:
		e.Variable = f.envPrefix + envSuffix(key)
	}
	f.list = append(f.list, e)
}

// has reports whether a fault of key was noted.
func (f *faults) has(key string) bool {
	return slices.ContainsFunc(f.list, func(err error) bool {
		var e *ConfigError
		return errors.As(err, &e) && e.Key == key
	})
}

func (f *faults) err() error { return errors.Join(f.list...) }
