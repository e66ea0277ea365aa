package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
)

// Environment is what the variables of connections say.
type Environment struct {
	// Default is the name of the default connection, empty if none was chosen.
	Default string
	// SessionKeys are those of the whole configuration.
	SessionKeys []string
	// Connections are in the order of their names.
	Connections []EnvConnection
	// Faults are those of variables that belong to no connection.
	Faults []*Fault

	prefix string // of all variables
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

// EnvPrefix is what the names of variables begin with unless something else is
// asked for.
const EnvPrefix = "DB_"

// sessionKeys ends the name of the variable that has the keys of sessions, with commas.
const sessionKeys = "SESSION_KEYS"

// ReadEnv reads a list of NAME=value, of which those count whose names begin with
// prefix. Those that ignore names are left out; one that ends with * names all that
// begin with what stands before it. Names of connections become lower case.
func (k Keys) ReadEnv(environ []string, prefix string, ignore []string) Environment {
	env := Environment{prefix: prefix}
	env.checkOptions(ignore)
	if len(env.Faults) > 0 {
		return env
	}
	vars := variables(environ, prefix, ignore)
	if keys, ok := vars[prefix+sessionKeys]; ok {
		env.SessionKeys = parseList(keys)
		delete(vars, prefix+sessionKeys)
	}
	named, unnamed := env.sortVariables(k, vars)
	env.Default = env.chooseDefault(vars, named, unnamed)
	for _, name := range slices.Sorted(maps.Keys(named)) {
		env.Connections = append(env.Connections, named[name].read(k))
	}
	return env
}

// checkOptions notes what is wrong with the prefix and the names to ignore.
func (e *Environment) checkOptions(ignore []string) {
	for _, c := range e.prefix {
		if c != '_' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') || !strings.HasSuffix(e.prefix, "_") {
			e.Faults = append(e.Faults, &Fault{Key: "prefix", Reason: fmt.Sprintf("is %.60q, not capital letters, digits and _ with _ at the end", e.prefix)})
			return
		}
	}
	for _, name := range ignore {
		fixed := strings.TrimSuffix(name, "*")
		switch {
		case strings.Contains(fixed, "*"):
			e.Faults = append(e.Faults, &Fault{Key: "ignore", Reason: fmt.Sprintf("has %.60q: a * may stand at the end only", name)})
		case !strings.HasPrefix(fixed, e.prefix):
			e.Faults = append(e.Faults, &Fault{Key: "ignore", Reason: fmt.Sprintf("has %.60q, which does not begin with %s, so it is not read in any case", name, e.prefix)})
		}
	}
}

// fault notes a fault of a variable that belongs to no connection.
func (e *Environment) fault(variable, format string, args ...any) {
	e.Faults = append(e.Faults, &Fault{Variable: variable, Reason: fmt.Sprintf(format, args...)})
}

// sortVariables sorts the variables into connections by name, and one without a
// name, which is nil if there are no such variables.
func (e *Environment) sortVariables(keys Keys, vars map[string]string) (named map[string]*envConnection, unnamed *envConnection) {
	found := make(map[string]*envConnection) // by the prefix of their variables
	put := func(s variableSplit, value string) {
		conn := found[s.prefix]
		if conn == nil {
			conn = &envConnection{name: e.connectionName(s.prefix), prefix: s.prefix, values: make(map[string]string)}
			found[s.prefix] = conn
		}
		conn.values[s.key] = value
	}
	var unclear, unknown []string
	for _, variable := range slices.Sorted(maps.Keys(vars)) {
		if variable == e.prefix+"CONNECTION" {
			continue
		}
		switch splits := keys.splitVariable(variable, e.prefix); len(splits) {
		case 0:
			unknown = append(unknown, variable)
		case 1:
			put(splits[0], vars[variable])
		default:
			unclear = append(unclear, variable)
		}
	}
	e.sortUnclear(keys, unclear, found, func(variable string, s variableSplit) { put(s, vars[variable]) })
	for _, variable := range unknown {
		e.fault(variable, "is not a variable of a connection%s", keys.didYouMeanVariable(variable, e.prefix))
	}
	unnamed = found[e.prefix]
	delete(found, e.prefix)
	named = make(map[string]*envConnection, len(found))
	for _, conn := range found {
		named[conn.name] = conn
	}
	return named, unnamed
}

// sortUnclear sorts variables that can be those of several connections: DB_MAIN_READ_POOL_MAX_OPEN
// is that of "main" or of "main_read". The one that other variables describe is
// meant, and none that is described by itself the one with the longest key.
func (e *Environment) sortUnclear(keys Keys, unclear []string, found map[string]*envConnection, put func(string, variableSplit)) {
	clear := maps.Clone(found)
	for _, variable := range unclear {
		splits := keys.splitVariable(variable, e.prefix)
		described := slices.DeleteFunc(slices.Clone(splits), func(s variableSplit) bool { return clear[s.prefix] == nil })
		switch len(described) {
		case 0:
			put(variable, splits[0])
		case 1:
			put(variable, described[0])
		default:
			one, other := described[0], described[1]
			e.fault(variable, "can be %s of %s, which %s describes, or %s of %s, which %s describes: give one of them another name",
				one.key, e.describe(one.prefix), clear[one.prefix].anyVariable(), other.key, e.describe(other.prefix), clear[other.prefix].anyVariable())
		}
	}
}

// describe names the connection of a prefix in an error.
func (e *Environment) describe(prefix string) string {
	if name := e.connectionName(prefix); name != "" {
		return fmt.Sprintf("the connection %q", name)
	}
	return "the connection without a name"
}

// chooseDefault returns the name that the variable DB_CONNECTION chooses, and adds the
// connection without a name to the others under it.
func (e *Environment) chooseDefault(vars map[string]string, named map[string]*envConnection, unnamed *envConnection) string {
	variable := e.prefix + "CONNECTION"
	chosen, isSet := vars[variable]
	chosen = strings.ToLower(chosen)
	switch {
	case isSet && chosen == "":
		e.fault(variable, "is set, but empty")
	case strings.ContainsFunc(chosen, unicode.IsControl):
		e.fault(variable, "has a control character")
	case !isSet && unnamed != nil:
		e.fault(variable, "is missing: it names the connection that %s describes", unnamed.anyVariable())
	case !isSet && len(named) == 0:
		e.fault(variable, "is missing, and no other variable describes a connection")
	case isSet && unnamed != nil && named[chosen] != nil:
		e.fault(variable, "names %q, which both %s and %s describe: use one of the two ways",
			chosen, unnamed.anyVariable(), named[chosen].anyVariable())
	case isSet && named[chosen] == nil:
		if unnamed == nil {
			if _, ok := Dialect(chosen); !ok {
				e.fault(variable, "names %q, which no variable describes (%s)", chosen, KnownNames(named))
				break
			}
			unnamed = &envConnection{prefix: e.prefix}
		}
		unnamed.name = chosen
		named[chosen] = unnamed
	}
	return chosen
}

// variables returns the variables that begin with prefix and are not to be
// ignored. Of one that is there twice the first counts, as in os.Getenv.
func variables(environ []string, prefix string, ignore []string) map[string]string {
	vars := make(map[string]string)
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		_, twice := vars[name]
		if strings.HasPrefix(name, prefix) && !twice && !isIgnored(name, ignore) {
			vars[name] = value
		}
	}
	return vars
}

func isIgnored(variable string, ignore []string) bool {
	return slices.ContainsFunc(ignore, func(name string) bool {
		beginning, several := strings.CutSuffix(name, "*")
		return variable == name || several && strings.HasPrefix(variable, beginning)
	})
}

// variableSplit is one way to read a variable's name: DB_USERS_DB_HOST is "host" of
// the connection whose variables begin with DB_USERS_DB_.
type variableSplit struct{ prefix, key string }

// splitVariable returns the ways to read a variable's name, the longest key first.
// All letters must be upper case.
func (k Keys) splitVariable(variable, begin string) (splits []variableSplit) {
	if variable != strings.ToUpper(variable) {
		return nil
	}
	for _, candidate := range k {
		p, found := strings.CutSuffix(variable, EnvSuffix(candidate.Name))
		if found && strings.HasPrefix(p, begin) && (p == begin || strings.HasSuffix(p, "_") && !strings.HasSuffix(p, "__")) {
			splits = append(splits, variableSplit{prefix: p, key: candidate.Name})
		}
	}
	slices.SortFunc(splits, func(a, b variableSplit) int { return len(b.key) - len(a.key) })
	return splits
}

// connectionName returns the name in a prefix, "" for that of all variables.
func (e *Environment) connectionName(prefix string) string {
	return strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(prefix, e.prefix), "_"))
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
