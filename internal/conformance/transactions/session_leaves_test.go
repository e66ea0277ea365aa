package transactions

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// leaves are statements that leave a session changed for whoever comes next.
var leaves = map[string][]string{
	"postgres": {
		"SET work_mem = '8MB'", "set session work_mem = '8MB'", "SELECT set_config('work_mem', '8MB', false)", "SELECT pg_catalog.set_config('my.var', 'x', 1 = 2)", "SET ROLE NONE",
		"CREATE TEMP TABLE t1 (v INT)", "CREATE TEMPORARY TABLE t2 (v INT)", "CREATE LOCAL TEMP TABLE t3 (v INT)", "CREATE GLOBAL TEMPORARY TABLE t4 (v INT)", "CREATE TABLE pg_temp.t5 (v INT)",
		"CREATE TABLE IF NOT EXISTS pg_temp.t6 (v INT)", "CREATE TEMP VIEW v1 AS SELECT 1", "CREATE OR REPLACE TEMP VIEW v2 AS SELECT 1", "CREATE TEMP SEQUENCE s1", "CREATE FUNCTION pg_temp.f() RETURNS INT LANGUAGE sql AS 'SELECT 1'",
		"SELECT 1 AS v INTO TEMP t7", "SELECT 1 AS v INTO TEMPORARY TABLE t8", "SELECT 1 AS v INTO LOCAL TEMP t9", "SELECT 1 AS v INTO pg_temp.t10", "WITH w AS (SELECT 1 AS v) SELECT * INTO TEMP t11 FROM w", "CREATE TEMP TABLE t12 AS SELECT 1",
		"PREPARE p1 AS SELECT 1", "LISTEN c1", "SELECT pg_advisory_lock(1)", "SELECT pg_try_advisory_lock(2)", "SELECT pg_advisory_lock_shared(3)", "INSERT INTO kept SELECT 1 FROM (SELECT pg_advisory_lock(4)) x",
		"SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", "SELECT 1; SET work_mem = '8MB'", "/* a */ -- b\nSET work_mem = '8MB'", "DO $$ BEGIN PERFORM set_config('work_mem', '8MB', false); END $$",
		"DO $$ BEGIN CREATE TEMP TABLE t13 (v INT); END $$", "CALL leaves_setting()", "CALL leaves_table()", "DO $$ BEGIN PERFORM pg_advisory_lock(5); END $$", "DO $$ BEGIN EXECUTE 'LISTEN c2'; END $$", "RESET ALL", "DEALLOCATE ALL", "DISCARD TEMP", "BEGIN",
	},
	"mysql": {
		"SET @x = 1", "SET sql_mode = ''", "SET LOCAL sql_mode = ''", "SET SESSION sql_mode = ''", "SET @@session.sql_mode = ''", "SET @@local.sql_mode = ''", "SET NAMES latin1", "SET CHARACTER SET latin1", "SET autocommit = 0", "set @@autocommit = 0",
		"CREATE TEMPORARY TABLE t1 (v INT)", "CREATE OR REPLACE TEMPORARY TABLE t2 (v INT)", "CREATE TEMPORARY TABLE IF NOT EXISTS t3 AS SELECT 1", "SELECT 1 INTO @x", "SELECT 1, 2 INTO @x, @y", "SELECT @x := 1", "PREPARE p FROM 'SELECT 1'",
		"SELECT GET_LOCK('a', 1)", "DO GET_LOCK('b', 1)", "SELECT 1 FROM kept WHERE GET_LOCK('c', 1)", "HANDLER kept OPEN", "LOCK TABLES kept WRITE", "LOCK TABLE kept READ", "SET TRANSACTION READ ONLY", "SET SESSION TRANSACTION READ ONLY",
		"/*!40101 SET NAMES latin1 */", "/*!99999 x */ SET @x = 1", "EXECUTE IMMEDIATE 'SET @x = 1'", "IF 1 THEN SET @x = 1; END IF", "CALL leaves_zone()", "CALL leaves_autocommit()", "DO @x := 1", "BEGIN", "START TRANSACTION", "SAVEPOINT a",
		"SET ROLE NONE", "INSERT INTO kept SELECT @y := 1",
	},
	"sqlite": {
		"CREATE TEMP TABLE t1 (v)", "CREATE TEMPORARY TABLE t2 (v)", "CREATE TABLE temp.t3 (v)", "CREATE TABLE IF NOT EXISTS temp.t4 (v)", `CREATE TABLE "temp".t5 (v)`, "CREATE TEMP VIEW v1 AS SELECT 1", "CREATE TEMP TRIGGER r1 AFTER INSERT ON kept BEGIN SELECT 1; END",
		"ATTACH ':memory:' AS other", "PRAGMA foreign_keys = OFF", "PRAGMA foreign_keys(0)", "PRAGMA query_only = 1", "SELECT 1; PRAGMA foreign_keys = OFF", "CREATE TABLE made1 (v); CREATE TABLE temp.t6 (v)", "CREATE TABLE temp . t7 AS SELECT 1",
		"CREATE VIEW temp.v2 AS SELECT 1", "\ufeffATTACH ':memory:' AS other2", "BEGIN",
	},
}

// keeps are statements that leave nothing: they do not cost the connection.
var keeps = map[string][]string{
	"postgres": {
		"SELECT 1", "INSERT INTO kept VALUES (1)", "CREATE TABLE made (temp INT)", "DROP TABLE made", "SELECT set_config('work_mem', '8MB', true)", "DO $$ BEGIN PERFORM 1; END $$", "CALL leaves_nothing()", "VACUUM kept", "ANALYZE kept", "EXPLAIN SELECT 1",
		"SHOW work_mem", "SELECT pg_advisory_xact_lock(1)", "TABLE kept", "VALUES (1)", "WITH w AS (SELECT 1) SELECT * FROM w", "SELECT 'SET x = 1; GET_LOCK('", "NOTIFY c", "SELECT 1 INTO made2", "DROP TABLE made2", "TRUNCATE kept", "COMMENT ON TABLE kept IS 'x'",
	},
	"mysql": {
		"SELECT 1", "INSERT INTO kept VALUES (1)", "CREATE TABLE made (temp INT)", "DROP TABLE made", "CALL leaves_nothing()", "ANALYZE TABLE kept", "EXPLAIN SELECT 1", "SHOW TABLES", "SELECT @x", "DO 0", "CHECKSUM TABLE kept", "REPLACE INTO kept VALUES (2)",
		"SELECT 'a := GET_LOCK('", "TRUNCATE kept", "SELECT RELEASE_LOCK('x')",
	},
	"sqlite": {"SELECT 1", "INSERT INTO kept VALUES (1)", "CREATE TABLE made (temp)", "DROP TABLE made", "PRAGMA foreign_keys", "PRAGMA table_info(kept)", "SELECT * FROM temp.sqlite_master", "ANALYZE", "VACUUM", "REINDEX"},
}

// truth 1113
// hazard 145: whoever comes next gets a session as it was pinned.
func TestSession_NobodyMeetsWhatOthersHaveLeft(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
		var connects atomic.Int64
		config := conformance.ConnectionTo(db)
		config.Pool.MaxOpen = 1
		config.OnConnect = func(context.Context, any) error { connects.Add(1); return nil }
		fl := conformance.Fleet{Registry: conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config}), Database: db}
		main := fl.DB("main")
		switch db.Dialect {
		case "postgres":
			db.Exec(t, "CREATE TABLE kept (v INT)",
				"CREATE PROCEDURE leaves_setting() LANGUAGE plpgsql AS $$ BEGIN PERFORM set_config('work_mem', '8MB', false); END $$",
				"CREATE PROCEDURE leaves_table() LANGUAGE plpgsql AS $$ BEGIN CREATE TEMP TABLE left_over (v INT); END $$",
				"CREATE PROCEDURE leaves_nothing() LANGUAGE plpgsql AS $$ BEGIN PERFORM 1; END $$")
		case "mysql":
			db.Exec(t, "CREATE TABLE kept (v INT)", "CREATE PROCEDURE leaves_zone() SET time_zone = '+01:00'", "CREATE PROCEDURE leaves_autocommit() SET autocommit = 0", "CREATE PROCEDURE leaves_nothing() SELECT 1")
		default:
			db.Exec(t, `CREATE TABLE kept ("begin")`)
		}
		opened := func() int64 { // by whoever comes next
			_, err := main.ExecContext(t.Context(), "INSERT INTO kept VALUES (0)")
			require.NoError(t, err)
			return connects.Load()
		}
		ways := map[string]func(statement string) error{
			"exec": func(statement string) error {
				_, err := main.ExecContext(t.Context(), statement)
				return err
			},
			"transaction": func(statement string) error {
				return fl.Transaction(t.Context(), "", func(ctx context.Context, tx *dbfleet.Tx) error {
					_, err := tx.ExecContext(ctx, statement)
					return err
				})
			},
			"lent": func(statement string) error {
				_, err := main.Pool().ExecContext(t.Context(), statement)
				return err
			},
		}
		for name, way := range ways {
			for _, statement := range leaves[db.Dialect] {
				before := opened()
				if err := way(statement); err != nil {
					continue // refused, or not of this way
				}
				require.Greater(t, opened(), before, "%s by %s", statement, name)
			}
			for _, statement := range keeps[db.Dialect] {
				before := opened()
				if name == "exec" {
					require.NoError(t, way(statement), statement)
				} else if way(statement) != nil {
					continue
				}
				require.Equal(t, before, opened(), "%s by %s", statement, name)
			}
			if name == "exec" {
				continue
			}
			for _, statement := range []string{"DROP TABLE IF EXISTS made", "DROP TABLE IF EXISTS made2"} {
				_, err := main.ExecContext(t.Context(), statement)
				require.NoError(t, err)
			}
		}
	})
}
