package dbfleet

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"unicode"
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

// envConnection is what the variables of one connection say.
type envConnection struct {
	name   string
	prefix string            // "DB_" or "DB_USERS_"
	values map[string]string // by key
}

// configFromEnv is ConfigFromEnv for a list of NAME=value.
func configFromEnv(environ []string) (Config, error) {
	var list []error
	fault := func(variable, format string, args ...any) {
		list = append(list, &ConfigError{Variable: variable, Reason: fmt.Sprintf(format, args...)})
	}

	vars := dbVariables(environ)
	named := make(map[string]*envConnection)
	var unnamed *envConnection
	var unknown []string
	for _, variable := range slices.Sorted(maps.Keys(vars)) {
		if variable == "DB_CONNECTION" {
			continue
		}
		prefix, key, ok := splitVariable(variable)
		if !ok {
			unknown = append(unknown, variable)
			continue
		}
		name := connectionName(prefix)
		conn := &envConnection{name: name, prefix: prefix, values: make(map[string]string)}
		switch known := named[name]; {
		case name == "" && unnamed == nil:
			unnamed = conn
		case name == "":
			conn = unnamed
		case known == nil:
			named[name] = conn
		default:
			conn = known
		}
		conn.values[key] = vars[variable]
	}
	for _, variable := range unknown {
		fault(variable, "is not a variable of a connection%s", didYouMeanVariable(variable))
	}

	chosen, isSet := vars["DB_CONNECTION"]
	chosen = strings.ToLower(chosen)
	config := Config{Connections: make(map[string]ConnectionConfig)}
	switch {
	case isSet && chosen == "":
		fault("DB_CONNECTION", "is set, but empty")
	case strings.ContainsFunc(chosen, unicode.IsControl):
		fault("DB_CONNECTION", "has a control character")
	case !isSet && unnamed != nil:
		fault("DB_CONNECTION", "is missing: it names the connection that %s describes", unnamed.anyVariable())
	case !isSet && len(named) == 0:
		fault("DB_CONNECTION", "is missing, and no other variable describes a connection")
	case isSet && unnamed != nil && named[chosen] != nil:
		fault("DB_CONNECTION", "names %q, which both %s and %s describe: use one of the two ways",
			chosen, unnamed.anyVariable(), named[chosen].anyVariable())
	case isSet && named[chosen] == nil:
		if unnamed == nil {
			if _, ok := Driver(chosen).dialect(); !ok {
				fault("DB_CONNECTION", "names %q, which no variable describes (%s)", chosen, knownNames(named))
				break
			}
			unnamed = &envConnection{prefix: "DB_"}
		}
		unnamed.name = chosen
		named[chosen] = unnamed
	}
	config.Default = chosen
	for _, name := range slices.Sorted(maps.Keys(named)) {
		conn, faults := named[name].config()
		list = append(list, faults...)
		config.Connections[name] = conn
	}
	if len(list) > 0 {
		return Config{}, errors.Join(list...)
	}
	return config, nil
}

// dbVariables returns the variables that begin with DB_. Of one that is there
// twice the first counts, as in os.Getenv.
func dbVariables(environ []string) map[string]string {
	vars := make(map[string]string)
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if _, twice := vars[name]; strings.HasPrefix(name, "DB_") && !twice {
			vars[name] = value
		}
	}
	return vars
}

// splitVariable splits DB_USERS_DB_HOST into "DB_USERS_DB_" and "host": the
// longest key at the end counts. All letters must be upper case.
func splitVariable(variable string) (prefix, key string, ok bool) {
	if variable != strings.ToUpper(variable) {
		return "", "", false
	}
	for _, k := range configKeys {
		p, found := strings.CutSuffix(variable, "_"+envSuffix(k.name))
		if found && len(k.name) > len(key) && !strings.HasSuffix(p, "_") {
			prefix, key, ok = p+"_", k.name, true
		}
	}
	return prefix, key, ok
}

// connectionName returns the name in a prefix, "" for "DB_".
func connectionName(prefix string) string {
	return strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(prefix, "DB_"), "_"))
}

// anyVariable returns the first of the connection's variables.
func (e *envConnection) anyVariable() string {
	return e.prefix + envSuffix(slices.Min(slices.Collect(maps.Keys(e.values))))
}

// config reads the connection's values and validates them.
func (e *envConnection) config() (ConnectionConfig, []error) {
	c := ConnectionConfig{envPrefix: e.prefix}
	f := &faults{connection: e.name, envPrefix: e.prefix}
	for _, key := range configKeys {
		value, ok := e.values[key.name]
		if !ok {
			continue
		}
		if value == "" {
			f.add(key.name, "is set, but empty: remove it to leave it out")
			continue
		}
		if err := key.setText(&c, value); err != nil {
			f.add(key.name, "%v", err)
		}
	}
	c.Driver = e.driver(c)
	_, more := c.prepareAll(e.name)
	more = slices.DeleteFunc(more, func(err error) bool {
		fault := new(ConfigError)
		return errors.As(err, &fault) && f.has(fault.Key) // what is malformed is not missing too
	})
	return c, append(f.list, more...)
}

// driver returns the connection's driver, empty if nothing tells.
func (e *envConnection) driver(c ConnectionConfig) Driver {
	if c.Driver != "" || e.values["driver"] != "" {
		return c.Driver
	}
	if c.URL != "" {
		return urlDriver(c.URL)
	}
	if d, ok := Driver(e.name).dialect(); ok {
		return Driver(d.Name)
	}
	switch c.Port {
	case Postgres.wellKnownPort():
		return Postgres
	case MySQL.wellKnownPort():
		return MySQL
	}
	return ""
}
