package dialect

import (
	"regexp"
	"strings"
)

// RefusedParam tells why a session parameter of that name, in any case, may not be
// set to a value: a key of the configuration sets it, or a promise of the library rests
// on it. It is "" for one that may.
func (d *Dialect) RefusedParam(name, value string) (why string) {
	name = strings.ToLower(name)
	if d == Postgres && name == "options" && proxyOptions.MatchString(value) {
		return ""
	}
	if d == MySQL && (strings.HasPrefix(name, "character_set_") || strings.HasPrefix(name, "collation_")) {
		return "sessions speak utf8mb4"
	}
	return refusedParams[d.Index][name]
}

// proxyOptions are options that no PostgreSQL server takes, but a proxy in front of
// one: endpoint=… (Neon), reference=… (Supabase), --cluster=… (CockroachDB).
var proxyOptions = regexp.MustCompile(`^(?:(?:--cluster|[a-z_]+)=[A-Za-z0-9._-]+ ?)+$`)

// IsMultiStatements says whether a parameter of that name, in any case, is the setting
// by which MySQL's driver takes several statements in one text. Its value is a bool.
func (d *Dialect) IsMultiStatements(name string) bool {
	return d == MySQL && strings.EqualFold(name, "multiStatements")
}

// refusedParams are the names by Dialect.Index, in lower case.
var refusedParams = [Count]map[string]string{
	{ // PostgreSQL
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
	{ // MySQL
		"autocommit": "statements would run in transactions that nobody commits",
		"time_zone":  "instants are kept in UTC",
		"names":      "sessions speak utf8mb4",
		"charset":    "sessions speak utf8mb4",
		// Settings of the driver, not of the server.
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
	{ // SQLite
		"journal_mode": "sqlite.journal_mode sets it",
		"synchronous":  "sqlite.synchronous sets it",
		"busy_timeout": "sqlite.busy_timeout sets it",
		"foreign_keys": "sqlite.disable_foreign_keys sets it",
		"encoding":     "strings are UTF-8",
	},
}
