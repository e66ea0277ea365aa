package driver

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

func TestEffect_OfTheSession(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]bool{
		"SET search_path = x": true, " set x=1": true, "/* c */ -- d\n SET x = 1": true, "\ufeffSET x = 1": true,
		"RESET ALL": true, "USE db": true, "USE`db`": true,
		"SELECT 1": false, "UPDATE t SET a = 1": false, "INSERT INTO t VALUES (1)": false, "START TRANSACTION": false, "SAVEPOINT s": false,
		"LISTEN c": true, "DISCARD ALL": true, "LOCK TABLES t WRITE": true, "": false, "--": false, "/*": false,
		"PRAGMA foreign_keys = OFF": true, "PRAGMA foreign_keys(OFF)": true, "PRAGMA foreign_keys": false, "PRAGMA table_info(t)": false,
		"PRAGMA main.cache_size = 1": true, "PRAGMA main.table_info(t)": false, "PRAGMA 'foreign_keys' = 1": true, "PRAGMA x =": false,
		"pragma wal_checkpoint(TRUNCATE)": false, "CREATE TEMP TABLE t (a)": true, "CREATE TEMPORARY TABLE t (a)": true,
		"CREATE LOCAL TEMP TABLE t (a)": true, "CREATE OR REPLACE TEMP VIEW v AS SELECT 1": true, "create or replace temporary table t (a int)": true,
		"CREATE TABLE t (a)": false, "CREATE TABLE t (temp INT, a DECIMAL(1.0))": false, "ATTACH 'x' AS y": true, "DETACH y": true, "DEALLOCATE ALL": true,
		"DELETE FROM t": false, "LOAD DATA LOCAL INFILE 'x' INTO TABLE t": false, "SELECT GET_LOCK('a', 1)": true, "SELECT pg_advisory_lock(1)": true,
		"SELECT 'get_lock('": false, "SELECT a INTO @x FROM t": true, "INSERT INTO t SELECT set_config('a', 'b', false)": true, "SELECT set_config('a', 'b', true)": false,
		"SELECT set_config('a', (SELECT max(b) FROM t), $1)": true, "SELECT * INTO TEMP u FROM t": true, "SELECT * INTO TEMPORARY TABLE u FROM t": true,
		"WITH a AS (SELECT 1) SELECT * INTO pg_temp.u FROM a": true, "INSERT INTO temp VALUES (1)": false, "INSERT OR REPLACE INTO temp.t VALUES (1)": false,
		"PREPARE p AS SELECT 1": true, "DECLARE c CURSOR WITH HOLD FOR SELECT 1": true, "DECLARE c CURSOR FOR SELECT 1": false,
	} {
		for _, d := range []*dialect.Dialect{dialect.Postgres, dialect.SQLite, dialect.MySQL, nil} {
			if d == dialect.MySQL && query == "RESET ALL" {
				continue
			}
			require.Equal(t, want, effectOf(query, d)&changesSession != 0, query)
		}
	}
	for d, queries := range map[*dialect.Dialect][]string{
		dialect.MySQL: {"SET LOCAL x = 1", "SET TRANSACTION READ ONLY", "SET SESSION TRANSACTION READ ONLY", "SET @x = 1", "SELECT @x := 1", "LOCK TABLE t WRITE",
			"EXECUTE IMMEDIATE 'USE x'", "SET STATEMENT a = 1 FOR SELECT 1", "IF 1 THEN SET @x = 1; END IF", "/*!40101 SET NAMES utf8 */", "/*!99999 x */ SET @x = 1"},
		dialect.Postgres: {"CREATE TABLE pg_temp.t (a int)", `CREATE VIEW "pg_temp".v AS SELECT 1`, "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", "LOAD 'x'", "SELECT dblink_connect('x')"},
		dialect.SQLite:   {"CREATE TABLE temp.t (a)", "CREATE TABLE IF NOT EXISTS [temp].t (a)", `CREATE VIEW "temp".v AS SELECT 1`},
	} {
		for _, query := range queries {
			require.NotZero(t, effectOf(query, d)&changesSession, query)
		}
	}
	for _, query := range []string{"SET LOCAL x = 1", "SET TRANSACTION READ ONLY", "LOCK TABLE t", "set constraints all deferred"} {
		require.Zero(t, effectOf(query, dialect.Postgres)&changesSession, query)
	}
	// The variable by which an upsert tells what it did means nothing to anybody else.
	upsert := "INSERT INTO t (a) VALUES (?) ON DUPLICATE KEY UPDATE a = IF((@%s := ?) IS NULL, a, a) RETURNING a, @%[1]s := NULL AS n"
	require.Zero(t, effectOf(fmt.Sprintf(upsert, dialect.OutcomeVariable), dialect.MySQL)&changesSession)
	require.NotZero(t, effectOf(fmt.Sprintf(upsert, "other"), dialect.MySQL)&changesSession)
	// A text of several statements does what each of them does; MySQL takes one.
	for query, want := range map[string]bool{
		"SELECT 1; SET x = 1": true, "INSERT INTO t VALUES (';'); SELECT 1": false, "UPDATE t SET a = 1; PRAGMA foreign_keys = OFF": true,
		"SELECT '; SET x = 1'": false, "CREATE TABLE t (a); CREATE TEMP TABLE u (a)": true, "DELETE FROM t; -- SET x = 1": false,
	} {
		require.Equal(t, want, effectOf(query, dialect.SQLite)&changesSession != 0, query)
		require.Zero(t, effectOf(query, dialect.MySQL)&changesSession, query)
	}
}

// What is prepared stays when a setting changes that decides nothing about it.
func TestEffect_OfASettingOnWhatIsPrepared(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]bool{
		"SET LOCAL search_path = b": true, "SET LOCAL SCHEMA 'b'": true, "SET LOCAL ROLE b": true, `SET LOCAL "search_path" TO b`: true, "SET LOCAL datestyle TO iso": true,
		"SET LOCAL statement_timeout = '1s'": false, "set local Synchronous_Commit to on": false, `SET LOCAL "lock_timeout" TO 1`: false, "SET LOCAL app.tenant = 'b'": false,
		`SET LOCAL app."tenant" TO 'b'`: false, "SET LOCAL": true, "SET LOCAL TIME ZONE 'x.y'": true,
		"SELECT set_config('app.tenant', $1, true)": false, "SELECT pg_catalog.set_config('LOCK_TIMEOUT', '1', true)": false, "SELECT set_config('search_path', 'b', true)": true,
		"SELECT set_config('a.b' || 'c', 'd', true)": true, "SELECT set_config($1, 'app.tenant', true)": true, "SELECT set_config(setting_name => 'app.tenant', 'b', true)": true,
		"SELECT set_config('app.tenant', 'b', true), set_config('search_path', 'b', true)": true, "SELECT set_config(": true,
		"SET LOCAL app.tenant = 'b'; SET LOCAL search_path = b": true, "SET app.tenant = 'b'": true,
	} {
		require.Equal(t, want, effectOf(query, dialect.Postgres)&movesNames != 0, query)
	}
	for _, d := range []*dialect.Dialect{dialect.Postgres, dialect.MySQL, dialect.SQLite} {
		require.Zero(t, effectOf(dialect.LedgerOf(d).Decide, d), "what ends a transaction over several databases keeps what is prepared")
		require.Zero(t, effectOf(dialect.LedgerOf(d).Finish, d))
	}
}

// What the manuals of MariaDB and MySQL list as statements that commit.
func TestEffect_OfTheTransactionOnMySQL(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]effect{
		"CREATE TABLE t (a INT)": commits, "create index i on t (a)": commits, "CREATE TEMPORARY TABLE t (a INT)": 0, "CREATE TEMPORARY SEQUENCE s": commits,
		"CREATE OR REPLACE TEMPORARY TABLE t (a INT)": 0, "DROP TABLE t": commits, "DROP TEMPORARY TABLE t": 0, "ALTER TABLE t ADD b INT": commits, "TRUNCATE t": commits,
		"RENAME TABLE a TO b": commits, "ANALYZE TABLE t": commits, "ANALYZE SELECT 1": 0, "ANALYZE FORMAT=JSON UPDATE t SET a = 1": 0, "CHECK TABLE t": commits, "OPTIMIZE TABLE t": commits,
		"REPAIR TABLE t": commits, "FLUSH TABLES": commits, "GRANT SELECT ON *.* TO a": commits, "REVOKE SELECT ON *.* FROM a": commits, "SET PASSWORD = ''": commits,
		"SET DEFAULT ROLE NONE": commits, "LOCK TABLES t WRITE": commits, "LOCK TABLE t READ": commits, "UNLOCK TABLES": commits, "INSTALL SONAME 'x'": commits, "UNINSTALL PLUGIN x": commits,
		"RESET MASTER": commits, "CACHE INDEX t IN x": commits, "LOAD INDEX INTO CACHE t": commits, "BACKUP STAGE START": commits, "CHANGE MASTER TO x": commits, "STOP SLAVE": commits,
		"/*!50001 CREATE VIEW v AS SELECT 1 */": commits | mayEnd, "CALL p()": mayEnd, "EXECUTE IMMEDIATE 'COMMIT'": mayEnd, "IF 1 THEN COMMIT; END IF": mayEnd, "WHILE 1 DO COMMIT; END WHILE": mayEnd,
		"/*!99999 x */ commit": mayEnd, "LOAD DATA INFILE 'x' INTO TABLE t": 0, "SET autocommit = 1": mayEnd, "SET @@session.autocommit=1": mayEnd, "SET @x = 1": 0, "SET STATEMENT a = 1 FOR COMMIT": mayEnd,
		"SELECT 1": 0, "INSERT INTO t VALUES (1)": 0, "REPLACE INTO t VALUES (1)": 0, "(SELECT 1)": 0, "VALUES (1)": 0, "SHOW TABLES": 0, "EXPLAIN SELECT 1": 0, "DO 0": 0, "CHECKSUM TABLE t": 0, "HANDLER t OPEN": 0,
		"BEGIN NOT ATOMIC COMMIT; END": mayEnd, "KILL 5": mayEnd, "whatever": mayEnd,
	} {
		require.Equal(t, want, effectOf(query, dialect.MySQL)&(commits|mayEnd), query)
		require.Zero(t, effectOf(query, dialect.Postgres)&(commits|mayEnd), query)
		require.Zero(t, effectOf(query, dialect.SQLite)&(commits|mayEnd), query)
	}
	require.NotZero(t, effectOfAll("INSERT INTO t VALUES (1); COMMIT", dialect.MySQL, true)&commits)
}

func TestEffect_OfATransactionThatIsBegun(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]bool{
		"BEGIN": true, "start transaction": true, "SAVEPOINT s": true, "COMMIT": false, "SELECT 1": false, "SELECT 1; BEGIN": true,
		"CREATE TABLE t (a); BEGIN": true, "\ufeff BEGIN": true, "CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT 1; END": false, "SE": false, "SA": false,
	} {
		require.Equal(t, want, effectOf(query, dialect.SQLite)&begins != 0, query)
	}
}

// What asks for another order for one statement leaves nothing behind, and hides nothing.
func TestEffect_OfAnOrderByTheWholeOfTexts(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"SELECT `id` FROM `t`", "SELECT GET_LOCK('a', 1)", "SET autocommit = 0"} {
		require.Equal(t, effectOf(text, dialect.MySQL), effectOf(dialect.SortedWhole+text, dialect.MySQL), text)
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
			// What is remembered is what was found.
			var m effects
			want := m.of(query, d, true)
			m.of("SELECT 1", d, true)
			require.Equal(t, want, m.of(query, d, true))
			if len(query) <= maxEffectText {
				require.Equal(t, effectOfAll(query, d, true), want)
			}
			isRollbackTo(query, d)
		}
	})
}
