package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
)

// Environment is what the variables that begin with DB_ say.
type Environment struct {
	// Default is the name of the default connection, empty if none was chosen.
	Default string
	// Connections are in the order of their names.
	Connections []EnvConnection
	// Faults are those of variables that belong to no connection.
	Faults []*Fault
}

// EnvConnection is what the variables of one connection say.
type EnvConnection struct {
	Name string
	// Prefix is what the names of its variables begin with: "DB_" or "DB_USERS_".
	Prefix string
	// Settings are those that could be read. The driver is among them if
	// anything tells it.
	Settings Settings
	Faults   *Faults
}

// envConnection holds the variables of one connection, as they are.
type envConnection struct {
	name   string
	prefix string
	values map[string]string // by key
}

// ReadEnv reads a list of NAME=value. Names become lower case.
func (k Keys) ReadEnv(environ []string) Environment {
	var env Environment
	vars := dbVariables(environ)
	named, unnamed := env.sortVariables(k, vars)
	env.Default = env.chooseDefault(vars, named, unnamed)
	for _, name := range slices.Sorted(maps.Keys(named)) {
		env.Connections = append(env.Connections, named[name].read(k))
	}
	return env
}

// fault notes a fault of a variable that belongs to no connection.
func (e *Environment) fault(variable, format string, args ...any) {
	e.Faults = append(e.Faults, &Fault{Variable: variable, Reason: fmt.Sprintf(format, args...)})
}

// sortVariables sorts the variables into connections by name, and one without a
// name, which is nil if there are no such variables.
func (e *Environment) sortVariables(keys Keys, vars map[string]string) (named map[string]*envConnection, unnamed *envConnection) {
	named = make(map[string]*envConnection)
	var unknown []string
	for _, variable := range slices.Sorted(maps.Keys(vars)) {
		if variable == "DB_CONNECTION" {
			continue
		}
		prefix, key, ok := keys.splitVariable(variable)
		if !ok {
			unknown = append(unknown, variable)
			continue
		}
		name := connectionName(prefix)
		conn := named[name]
		if name == "" {
			conn = unnamed
		}
		if conn == nil {
			conn = &envConnection{name: name, prefix: prefix, values: make(map[string]string)}
			if name == "" {
				unnamed = conn
			} else {
				named[name] = conn
			}
		}
		conn.values[key] = vars[variable]
	}
	for _, variable := range unknown {
		e.fault(variable, "is not a variable of a connection%s", keys.didYouMeanVariable(variable))
	}
	return named, unnamed
}

// chooseDefault returns the name that DB_CONNECTION chooses, and adds the
// connection without a name to the others under it.
func (e *Environment) chooseDefault(vars map[string]string, named map[string]*envConnection, unnamed *envConnection) string {
	chosen, isSet := vars["DB_CONNECTION"]
	chosen = strings.ToLower(chosen)
	switch {
	case isSet && chosen == "":
		e.fault("DB_CONNECTION", "is set, but empty")
	case strings.ContainsFunc(chosen, unicode.IsControl):
		e.fault("DB_CONNECTION", "has a control character")
	case !isSet && unnamed != nil:
		e.fault("DB_CONNECTION", "is missing: it names the connection that %s describes", unnamed.anyVariable())
	case !isSet && len(named) == 0:
		e.fault("DB_CONNECTION", "is missing, and no other variable describes a connection")
	case isSet && unnamed != nil && named[chosen] != nil:
		e.fault("DB_CONNECTION", "names %q, which both %s and %s describe: use one of the two ways",
			chosen, unnamed.anyVariable(), named[chosen].anyVariable())
	case isSet && named[chosen] == nil:
		if unnamed == nil {
			if _, ok := Dialect(chosen); !ok {
				e.fault("DB_CONNECTION", "names %q, which no variable describes (%s)", chosen, KnownNames(named))
				break
			}
			unnamed = &envConnection{prefix: "DB_"}
		}
		unnamed.name = chosen
		named[chosen] = unnamed
	}
	return chosen
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
func (k Keys) splitVariable(variable string) (prefix, key string, ok bool) {
	if variable != strings.ToUpper(variable) {
		return "", "", false
	}
	for _, candidate := range k {
		p, found := strings.CutSuffix(variable, "_"+EnvSuffix(candidate.Name))
		if found && len(candidate.Name) > len(key) && !strings.HasSuffix(p, "_") {
			prefix, key, ok = p+"_", candidate.Name, true
		}
	}
	return prefix, key, ok
}

// connectionName returns the name in a prefix, "" for "DB_".
func connectionName(prefix string) string {
	return strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(prefix, "DB_"), "_"))
}

// anyVariable returns the first of the connection's variables.
func (c *envConnection) anyVariable() string {
	return c.prefix + EnvSuffix(slices.Min(slices.Collect(maps.Keys(c.values))))
}

// read reads the connection's variables.
func (c *envConnection) read(keys Keys) EnvConnection {
	conn := EnvConnection{Name: c.name, Prefix: c.prefix, Settings: make(Settings), Faults: NewFaults(c.name, c.prefix)}
	for _, key := range keys {
		value, ok := c.values[key.Name]
		if !ok {
			continue
		}
		if value == "" {
			conn.Faults.Add(key.Name, "is set, but empty: remove it to leave it out")
			continue
		}
		if err := conn.Settings.setText(key, value); err != nil {
			conn.Faults.Add(key.Name, "%v", err)
		}
	}
	if c.values["driver"] == "" {
		conn.Settings.Set("driver", c.guessDriver(conn.Settings))
	}
	return conn
}

// guessDriver returns the driver of a connection without a variable for it,
// empty if nothing tells.
func (c *envConnection) guessDriver(s Settings) string {
	if url := s.text("url"); url != "" {
		return URLDriver(url)
	}
	if d, ok := Dialect(c.name); ok {
		return d.Name
	}
	port, _ := s["port"].(int)
	return driverOfPort(port)
}
