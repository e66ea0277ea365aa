package lex

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// truth 1002
func TestPlainRead_KnowsWhatOnlyReads(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "1", "COUNT(*) AS n", "sum(total) > ?", "lower(name) LIKE ?", "COALESCE(nickname, CAST(? AS text))", "t.update = 1 AND t.\"delete\" IS NULL",
		"SELECT id FROM t WHERE a IN (1, 2) AND EXISTS (SELECT 1 FROM u)", "JOIN posts p ON p.user_id = users.id AND p.kind = ?",
		"WITH x AS (SELECT 1) SELECT * FROM x", "replace(name, 'a', 'b')", "'INSERT INTO t' || name", "name -- DELETE", "/* nextval('s') */ 1",
		"row_number() OVER (PARTITION BY a ORDER BY b)", "CAST(a AS DECIMAL(10, 2))", "(a = 1) OR (b = 2)", "left(a, 1)",
		"VALUES (1), (2)", "E'it\\'s' = a", "max(a) FILTER (WHERE b)", "SELECT 1;", "SELECT 1 ; ; -- DELETE", "EXPLAIN (FORMAT JSON) SELECT 1",
		"pg_catalog.lower(a)", "a.b IN (1)", "to_char(a, 'x')", "users.a = 1 AND (users.b = 2)",
	} {
		for _, d := range []*dialect.Dialect{dialect.Postgres, dialect.MySQL, dialect.SQLite} {
			if d != dialect.Postgres && text == "E'it\\'s' = a" {
				continue // an escape of PostgreSQL's
			}
			require.True(t, PlainRead(text, d), "%s: %s", d.Name, text)
		}
	}
}

// truth 1002
func TestPlainRead_LetsNothingElsePass(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"NEXT VALUE FOR s > 0", "next  /* a */ value for s", "nextval('s')", "setval('s', 1)", "pg_advisory_lock(1)", "get_lock('a', 1)", "my_function(a)", "app.count(a) > audit(b)", `"nextval"('s')`, "lo_unlink(1)",
		"WITH x AS (INSERT INTO t VALUES (1) RETURNING id) SELECT id FROM x", "WITH x AS (DELETE FROM t RETURNING id) SELECT 1", "INSERT INTO t VALUES (1)",
		"UPDATE t SET a = 1", "DELETE FROM t", "REPLACE INTO t VALUES (1)", "SELECT 1 INTO t", "SELECT a FROM t FOR SHARE", "SELECT a FROM t FOR UPDATE",
		"SELECT @a := 1", "SELECT 1 INTO OUTFILE 'x'", "CALL p()", "SELECT 1; DELETE FROM t", "set_config('a', 'b', false)", "pg_notify('a', 'b')", "sleep(1)",
		"app.lower(a)", "pg_catalog.lower(a) = app.lower(b)", "to_queue(a)", "json_log(a)", "date_touch(a)", "s.nextval", `"app".count(a)`,
		"'open", "dblink('x', 'y')", "writefile('a', 'b')", "load_extension('a')", "EXECUTE p",
	} {
		for _, d := range []*dialect.Dialect{dialect.Postgres, dialect.MySQL, dialect.SQLite} {
			require.False(t, PlainRead(text, d), "%s: %s", d.Name, text)
		}
	}
}

// truth 1023
func TestPlainRead_TakesAFunctionOfAnotherDatabaseForAnOwnOne(t *testing.T) {
	t.Parallel()
	all := []*dialect.Dialect{dialect.Postgres, dialect.MySQL, dialect.SQLite}
	for text, plain := range map[string][3]bool{
		"json_extract(doc, '$.a')": {false, true, true}, "Total(a)": {false, false, true}, "week(a)": {false, true, true},
		"initcap(a)": {true, false, true}, "count(a)": {true, true, true}, "jsonb_set(a, b, c)": {true, false, true}, "date_trunc('day', t.a)": {true, false, true}, "ST_DWithin(a, b, 1)": {true, false, true},
		"truncate(a, 2)": {false, true, true}, "MATCH (a) AGAINST ('b')": {false, true, true}, "group_concat(a)": {false, true, true},
	} {
		for i, d := range all {
			require.Equal(t, plain[i], PlainRead(text, d), "%s: %s", d.Name, text)
		}
	}
}

func TestNotPlain_TellsWhatMayDoMore(t *testing.T) {
	t.Parallel()
	for text, what := range map[string]string{
		"SELECT nextval('s')": "nextval()", "SELECT a FROM t FOR update": "update", "SELECT 1; DELETE FROM t": ";", `SELECT "f"(1)`: `"f"()`,
		"SELECT @a := 1": ":=", "SELECT 'open": "", "SELECT app.lower(a)": "lower()", "SELECT 1 INTO t": "INTO", "SELECT NEXT VALUE FOR s": "VALUE",
		"EXPLAIN ANALYZE DELETE FROM t": "ANALYZE",
	} {
		got, plain := NotPlain(text, dialect.Postgres)
		require.False(t, plain, text)
		require.Equal(t, what, got, text)
	}
}
