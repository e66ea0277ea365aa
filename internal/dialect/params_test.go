package dialect_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

func TestRefusedParam_NamesWhatPromisesRestOn(t *testing.T) {
	t.Parallel()
	for d, names := range map[*dialect.Dialect][]string{
		dialect.Postgres: {"user", "Client_Encoding", "standard_conforming_strings", "DateStyle", "replication"},
		dialect.MySQL:    {"autocommit", "NAMES", "character_set_client", "character_set_server", "collation_connection", "multiStatements"},
		dialect.SQLite:   {"journal_mode", "encoding"},
	} {
		for _, name := range names {
			require.NotEmpty(t, d.RefusedParam(name), name)
		}
	}
	require.Empty(t, dialect.Postgres.RefusedParam("work_mem"))
	require.Empty(t, dialect.MySQL.RefusedParam("sql_mode"))
	require.Empty(t, dialect.SQLite.RefusedParam("cache_size"))
}
