package config

import "github.com/dbfleet/dbfleet/internal/dialect"

// refusedParams are the session parameters that cannot be set, by the driver's
// canonical name and in lower case. The value is the reason: a key of the
// configuration sets them, or a promise of the library rests on them.
var refusedParams = map[string]map[string]string{
	dialect.Postgres.Name: {
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
	dialect.MySQL.Name: {
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
	dialect.SQLite.Name: {
		"journal_mode": "sqlite.journal_mode sets it",
		"synchronous":  "sqlite.synchronous sets it",
		"busy_timeout": "sqlite.busy_timeout sets it",
		"foreign_keys": "sqlite.disable_foreign_keys sets it",
		"encoding":     "strings are UTF-8",
	},
}
