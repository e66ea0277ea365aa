package config

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCheckParams_FaultsNameTheParameter(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		driver, param, value string
		key, text            string // of the fault
	}{
		"plain":               {"postgres", "application_name", "a b=c;'", "", ""},
		"of an extension":     {"postgres", "x.y", "1", "", ""},
		"not a name":          {"postgres", "a b", "1", "params", "letters"},
		"empty name":          {"mysql", "", "1", "params", "letters"},
		"line break":          {"postgres", "application_name", "a\nb", "params.application_name", "line break"},
		"NUL":                 {"mysql", "wait_timeout", "\x00", "params.wait_timeout", "NUL"},
		"refused in any case": {"postgres", "DateStyle", "ISO", "params.DateStyle", "read wrongly"},
		"of another driver":   {"mysql", "datestyle", "ISO", "", ""},
		"strict":              {"mysql", "sql_mode", "'ANSI_QUOTES, strict_all_tables'", "", ""},
		"traditional":         {"mysql", "SQL_MODE", "TRADITIONAL", "", ""},
		"not strict":          {"mysql", "sql_mode", "NOT_STRICT_TRANS_TABLES", "params.sql_mode", "STRICT_TRANS_TABLES"},
		"pragma":              {"sqlite", "cache_size", "-2000", "", ""},
		"pragma with SQL":     {"sqlite", "temp_store", "1; ATTACH 'x'", "params.temp_store", "plain word"},
		"pragma of a schema":  {"sqlite", "main.page_size", "1", "params.main.page_size", "plain word"},
		"pragma with a key":   {"sqlite", "foreign_keys", "0", "params.foreign_keys", "sqlite.disable_foreign_keys"},
	} {
		f := NewFaults("", "")
		CheckParams(tc.driver, map[string]string{tc.param: tc.value}, f)
		if tc.key == "" {
			require.Empty(t, f.List(), name)
			continue
		}
		require.Len(t, f.List(), 1, name)
		require.Equal(t, tc.key, f.List()[0].Key, name)
		require.Contains(t, f.List()[0].Reason, tc.text, name)
	}
}
