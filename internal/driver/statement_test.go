package driver

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestChangesSession(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]bool{
		"SET search_path = x": true, " set x=1": true, "/* c */ -- d\n SET x = 1": true, "SET LOCAL x = 1": false,
		"SET TRANSACTION READ ONLY": false, "set constraints all deferred": false, "RESET ALL": true, "USE db": true, "USE`db`": true,
		"SELECT 1": false, "UPDATE t SET a = 1": false, "INSERT INTO t VALUES (1)": false, "START TRANSACTION": false, "SAVEPOINT s": false,
		"LISTEN c": true, "DISCARD ALL": true, "LOCK TABLES t WRITE": true, "LOCK TABLE t": false, "": false, "--": false, "/*": false,
		"PRAGMA foreign_keys = OFF": true, "PRAGMA foreign_keys(OFF)": true, "PRAGMA foreign_keys": false, "PRAGMA table_info(t)": false,
		"pragma wal_checkpoint(TRUNCATE)": false, "CREATE TEMP TABLE t (a)": true, "CREATE TEMPORARY TABLE t (a)": true,
		"CREATE TABLE t (a)": false, "ATTACH 'x' AS y": true, "LOAD DATA LOCAL INFILE 'x' INTO TABLE t": false, "S": false, "u": false,
	} {
		require.Equal(t, want, changesSession(query), query)
	}
	for query, want := range map[string]bool{
		"ROLLBACK TO s": true, "rollback to savepoint s": true, "ROLLBACK WORK TO s": true, "ROLLBACK TRANSACTION TO SAVEPOINT s": true,
		"/* x */ ROLLBACK TO s": true, "ROLLBACK": false, "ROLLBACK WORK": false, "SELECT 1": false, "": false, "ROLLBACK TOO": false,
	} {
		require.Equal(t, want, isRollbackTo(query), query)
	}
}

func FuzzFirstWord(f *testing.F) {
	f.Add("/* a */ -- b\n SELECT 1")
	f.Fuzz(func(t *testing.T, query string) {
		word, rest := firstWord(query)
		require.LessOrEqual(t, len(word)+len(rest), len(query))
		changesSession(query)
		isRollbackTo(query)
		preparable(query)
	})
}
