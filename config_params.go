package dbfleet

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

var (
	paramName   = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.]*$`)
	pragmaValue = regexp.MustCompile(`^[A-Za-z0-9_.+-]+$`)
)

// refusedParams are the session parameters that cannot be set, in lower case,
// each with the reason: a key of the configuration sets them, or a promise of
// the library rests on them.
var refusedParams = map[Driver]map[string]string{
	Postgres: {
		"user":                        "username sets it",
		"password":                    "password sets it",
		"database":                    "database sets it",
		"options":                     "set each parameter by its name",
		"replication":                 "it changes the protocol",
		"client_encoding":             "sessions speak UTF-8",
		"standard_conforming_strings": "a string would no longer be only a string",
		"datestyle":                   "values would be read wrongly",
		"intervalstyle":               "values would be read wrongly",
		"bytea_output":                "values would be read wrongly",
	},
	MySQL: {
		"autocommit":               "statements would run in transactions that nobody commits",
		"time_zone":                "instants are kept in UTC",
		"names":                    "sessions speak utf8mb4",
		"charset":                  "sessions speak utf8mb4",
		"character_set_client":     "sessions speak utf8mb4",
		"character_set_connection": "sessions speak utf8mb4",
		"character_set_results":    "sessions speak utf8mb4",
		"collation_connection":     "sessions speak utf8mb4",
		// Settings of the driver, not of the server.
		"multistatements":          "a string could become a second statement",
		"allowallfiles":            "the server could read any file of the client",
		"interpolateparams":        "arguments would be written into the SQL text",
		"allowcleartextpasswords":  "the password would be sent in clear text",
		"allowoldpasswords":        "the password would be sent in a broken scheme",
		"allowfallbacktoplaintext": "the connection could fall back to plain text",
		"allownativepasswords":     "it is a setting of another library",
		"serverpubkey":             "it is a setting of another library",
		"connectionattributes":     "it is a setting of another library",
		"rejectreadonly":           "it is a setting of another library",
		"checkconnliveness":        "it is a setting of another library",
		"columnswithalias":         "it is a setting of another library",
		"maxallowedpacket":         "it is a setting of another library",
		"writetimeout":             "it is a setting of another library: use statement_timeout",
		"parsetime":                "times are always read",
		"loc":                      "instants are kept in UTC",
		"collation":                "sessions speak utf8mb4",
		"clientfoundrows":          "found rows are always counted",
		"compress":                 "it is a setting of another library",
	},
	SQLite: {
		"journal_mode": "sqlite.journal_mode sets it",
		"synchronous":  "sqlite.synchronous sets it",
		"busy_timeout": "sqlite.busy_timeout sets it",
		"foreign_keys": "sqlite.disable_foreign_keys sets it",
		"encoding":     "strings are UTF-8",
	},
}

func (c ConnectionConfig) validateParams(f *faults) {
	for _, name := range slices.Sorted(maps.Keys(c.Params)) {
		value, key := c.Params[name], "params."+name
		if !paramName.MatchString(name) {
			f.add("params", "has a name that is not letters, digits, _ and dots: %.60q", name)
			continue
		}
		if why, ok := refusedParams[c.Driver][strings.ToLower(name)]; ok {
			f.add(key, "cannot be set: %s", why)
			continue
		}
		switch {
		case strings.ContainsAny(value, "\x00\r\n"):
			f.add(key, "has a NUL byte or a line break")
		case c.Driver == SQLite && (strings.Contains(name, ".") || !pragmaValue.MatchString(value)):
			f.add(key, "is not a pragma with a plain word or number")
		case c.Driver == MySQL && strings.EqualFold(name, "sql_mode") && !isStrict(value):
			f.add(key, "must contain STRICT_TRANS_TABLES or STRICT_ALL_TABLES: values would be changed in silence")
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
