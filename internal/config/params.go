package config

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

var (
	paramName   = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.]*$`)
	pragmaValue = regexp.MustCompile(`^[A-Za-z0-9_.+-]+$`)
)

// refusedParam returns why a session parameter cannot be set to a value, "" if it
// can. The driver's name is the canonical one.
func refusedParam(driver, name, value string) (why string) {
	if d, ok := dialect.Lookup(driver); ok {
		why = d.RefusedParam(name, value)
	}
	return why
}

// CheckParams notes what is wrong with session parameters. The driver's name is
// the canonical one.
func CheckParams(driver string, params map[string]string, f *Faults) {
	for _, name := range slices.Sorted(maps.Keys(params)) {
		value, key := params[name], paramsPrefix+name
		if !paramName.MatchString(name) {
			f.Add("params", "has a name that is not letters, digits, _ and dots: %.60q", name)
			continue
		}
		if why := refusedParam(driver, name, value); why != "" {
			f.Add(key, "cannot be set: %s", why)
			continue
		}
		d, _ := dialect.Lookup(driver)
		switch {
		case d != nil && d.IsMultiStatements(name):
			if _, err := strconv.ParseBool(value); err != nil {
				f.Add(key, "is not true or false")
			}
		case strings.ContainsAny(value, "\x00\r\n"):
			f.Add(key, "has a NUL byte or a line break")
		case driver == dialect.SQLite.Name && (strings.Contains(name, ".") || !pragmaValue.MatchString(value)):
			f.Add(key, "is not a pragma with a plain word or number")
		case driver == dialect.MySQL.Name && strings.EqualFold(name, "sql_mode") && !isStrict(value):
			f.Add(key, "must contain STRICT_TRANS_TABLES or STRICT_ALL_TABLES: values would be changed in silence")
		}
	}
}

// isStrict reports whether MySQL refuses bad values in this sql_mode.
func isStrict(mode string) bool {
	mode = strings.ToUpper(strings.Trim(mode, `'"`))
	for _, word := range strings.Split(mode, ",") {
		switch strings.TrimSpace(word) {
		case "STRICT_TRANS_TABLES", "STRICT_ALL_TABLES", "TRADITIONAL":
			return true
		}
	}
	return false
}
