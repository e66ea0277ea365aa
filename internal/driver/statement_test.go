package driver

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

func TestEffect_OfTheSession(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]bool{
		"SET search_path = x": true, " set x=1": true, "/* c */ -- d\n SET x = 1": true, "SET LOCAL x = 1": false, "\ufeffSET x = 1": true,
		"SET TRANSACTION READ ONLY": false, "set constraints all deferred": false, "RESET ALL": true, "USE db": true, "USE`db`": true,
		"SELECT 1": false, "UPDATE t SET a = 1": false, "INSERT INTO t VALUES (1)": false, "START TRANSACTION": false, "SAVEPOINT s": false,
		"LISTEN c": true, "DISCARD ALL": true, "LOCK TABLES t WRITE": true, "LOCK TABLE t": false, "": false, "--": false, "/*": false,
		"PRAGMA foreign_keys = OFF": true, "PRAGMA foreign_keys(OFF)": true, "PRAGMA foreign_keys": false, "PRAGMA table_info(t)": false,
		"PRAGMA main.cache_size = 1": true, "PRAGMA main.table_info(t)": false, "PRAGMA 'foreign_keys' = 1": true, "PRAGMA x =": false,
		"pragma wal_checkpoint(TRUNCATE)": false, "CREATE TEMP TABLE t (a)": true, "CREATE TEMPORARY TABLE t (a)": true,
		"CREATE TABLE t (a)": false, "ATTACH 'x' AS y": true, "DETACH y": true, "DEALLOCATE ALL": true, "DELETE FROM t": false,
		"LOAD DATA LOCAL INFILE 'x' INTO TABLE t": false, "S": false, "u": false, "d": false, "s": false,
	} {
		for _, d := range []*dialect.Dialect{dialect.Postgres, dialect.SQLite, dialect.MySQL, nil} {
			require.Equal(t, want, effectOf(query, d).session, query)
		}
	}
	// A text of several statements does what each of them does; MySQL takes one.
	for query, want := range map[string]bool{
		"SELECT 1; SET x = 1": true, "INSERT INTO t VALUES (';'); SELECT 1": false, "UPDATE t SET a = 1; PRAGMA foreign_keys = OFF": true,
		"SELECT '; SET x = 1'": false, "CREATE TABLE t (a); CREATE TEMP TABLE u (a)": true, "DELETE FROM t; -- SET x = 1": false,
	} {
		require.Equal(t, want, effectOf(query, dialect.SQLite).session, query)
		require.False(t, effectOf(query, dialect.MySQL).session, query)
	}
}

func TestEffect_OfATransactionThatIsBegun(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]bool{
		"BEGIN": true, "start transaction": true, "SAVEPOINT s": true, "COMMIT": false, "SELECT 1": false, "SELECT 1; BEGIN": true,
		"CREATE TABLE t (a); BEGIN": true, "\ufeff BEGIN": true, "CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT 1; END": false, "SE": false, "SA": false,
	} {
		require.Equal(t, want, effectOf(query, dialect.SQLite).begins, query)
	}
}

func TestRollbackTo_IsToldFromRollback(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]bool{
		"ROLLBACK TO s": true, "rollback to savepoint s": true, "ROLLBACK WORK TO s": true, "ROLLBACK TRANSACTION TO SAVEPOINT s": true,
		"/* x */ ROLLBACK TO s": true, "ROLLBACK": false, "ROLLBACK WORK": false, "SELECT 1": false, "": false, "ROLLBACK TOO": false,
	} {
		require.Equal(t, want, isRollbackTo(query, dialect.Postgres), query)
	}
}

func FuzzEffect(f *testing.F) {
	f.Add("/* a */ -- b\n SELECT 1; SET x")
	f.Fuzz(func(t *testing.T, query string) {
		for _, d := range []*dialect.Dialect{dialect.Postgres, dialect.SQLite, dialect.MySQL, nil} {
			// What is harmless at a glance is so at a second one.
			if e := effectOf(" "+query, d); harmless(query) {
				require.Equal(t, effect{}, e)
			} else {
				require.Equal(t, e, effectOf(query, d))
			}
			isRollbackTo(query, d)
		}
	})
}
