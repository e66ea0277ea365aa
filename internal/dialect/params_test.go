package dialect

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRefusedParam_NamesWhatPromisesRestOn(t *testing.T) {
	t.Parallel()
	for d, names := range map[*Dialect][]string{
		Postgres: {"user", "Client_Encoding", "standard_conforming_strings", "DateStyle", "replication"},
		MySQL:    {"autocommit", "NAMES", "character_set_client", "character_set_server", "collation_connection", "allowAllFiles"},
		SQLite:   {"journal_mode", "encoding"},
	} {
		for _, name := range names {
			require.NotEmpty(t, d.RefusedParam(name), name)
		}
	}
	require.Empty(t, Postgres.RefusedParam("work_mem"))
	require.Empty(t, MySQL.RefusedParam("sql_mode"))
	require.Empty(t, SQLite.RefusedParam("cache_size"))
}

// A name that is not in lower case would be refused in no spelling.
func TestRefusedParam_NamesAreInLowerCase(t *testing.T) {
	t.Parallel()
	for index, names := range refusedParams {
		require.NotEmpty(t, names, index)
		for name, why := range names {
			require.Equal(t, strings.ToLower(name), name)
			require.NotEmpty(t, why, name)
		}
	}
}
