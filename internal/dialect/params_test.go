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
			require.NotEmpty(t, d.RefusedParam(name, "1"), name)
		}
	}
	require.Empty(t, Postgres.RefusedParam("work_mem", "1"))
	require.Empty(t, MySQL.RefusedParam("sql_mode", "1"))
	require.Empty(t, SQLite.RefusedParam("cache_size", "1"))
}

// What only a proxy reads cannot set a parameter of the session.
func TestRefusedParam_TakesOptionsForProxiesOnly(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"endpoint=ep-cool-1", "reference=abc", "--cluster=c-1", "endpoint=a project=b"} {
		require.Empty(t, Postgres.RefusedParam("options", value), value)
	}
	for _, value := range []string{"", "-c datestyle=German", "-cx=1", "--datestyle=German", "endpoint=a -c x=1", "endpoint=a\\ -c", "endpoint=a\n-c x=1"} {
		require.NotEmpty(t, Postgres.RefusedParam("Options", value), value)
	}
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
