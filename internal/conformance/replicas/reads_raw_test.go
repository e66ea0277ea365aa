package replicas

import (
	"context"
	"database/sql"
	"net"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// queryer is whatever takes SQL of the caller's.
type queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// hardCases are texts that may do more than read, by the word that their refusal names.
// Most of them a replica's server, or a session that refuses writes, takes.
var hardCases = map[string]map[string]string{
	"": { // on both
		"SELECT id FROM t FOR UPDATE":                          "UPDATE",
		"SELECT id FROM t FOR UPDATE SKIP LOCKED -- a comment": "UPDATE",
		"SELECT id FROM t FOR SHARE":                           "SHARE",
		"INSERT INTO t VALUES (1)":                             "INSERT",
		"INSERT INTO t VALUES (1) RETURNING id":                "INSERT",
		"UPDATE t SET id = 1":                                  "UPDATE",
		"/* read */ DELETE FROM t":                             "DELETE",
		"SELECT 1; DELETE FROM t":                              ";",
		"SELECT 1; SELECT 2":                                   ";",
		"CALL p()":                                             "CALL",
		"SELECT my_function(id) FROM t":                        "my_function()",
		"SELECT id FROM t WHERE touch(id)":                     "touch()",
		"TRUNCATE TABLE t":                                     "TRUNCATE",
		"CREATE TEMPORARY TABLE x (n INT)":                     "CREATE",
		"SET TRANSACTION READ WRITE":                           "SET",
	},
	"postgres": {
		"SELECT pg_advisory_lock(1)":                                    "pg_advisory_lock()",
		"SELECT pg_try_advisory_lock(1)":                                "pg_try_advisory_lock()",
		"SELECT pg_advisory_xact_lock(1)":                               "pg_advisory_xact_lock()",
		"SELECT nextval('s')":                                           "nextval()",
		"SELECT pg_catalog.nextval('s')":                                "nextval",
		`SELECT "nextval"('s')`:                                         `"nextval"()`,
		"SELECT setval('s', 7)":                                         "setval()",
		"SELECT currval('s')":                                           "currval()",
		"SELECT id FROM t FOR NO KEY UPDATE":                            "UPDATE",
		"SELECT id FROM t FOR KEY SHARE":                                "SHARE",
		"SELECT id INTO x FROM t":                                       "INTO",
		"WITH x AS (INSERT INTO t VALUES (1) RETURNING id) TABLE x":     "INSERT",
		"WITH x AS (DELETE FROM t RETURNING id) SELECT 1":               "DELETE",
		"EXPLAIN ANALYZE INSERT INTO t VALUES (1)":                      "ANALYZE",
		"EXPLAIN (ANALYZE) DELETE FROM t":                               "ANALYZE",
		"SELECT set_config('transaction_read_only', 'off', false)":      "set_config()",
		"SELECT pg_notify('a', 'b')":                                    "pg_notify()",
		"NOTIFY a":                                                      "NOTIFY",
		"LISTEN a":                                                      "LISTEN",
		"DECLARE c CURSOR WITH HOLD FOR SELECT 1":                       "DECLARE",
		"SELECT lo_create(0)":                                           "lo_create()",
		"SELECT txid_current()":                                         "txid_current()",
		"SELECT pg_switch_wal()":                                        "pg_switch_wal()",
		"SELECT pg_logical_emit_message(false, 'a', 'b')":               "pg_logical_emit_message()",
		"SELECT dblink('x', 'y')":                                       "dblink()",
		"COPY t TO PROGRAM 'true'":                                      "COPY",
		"LOCK TABLE t IN SHARE MODE":                                    "LOCK",
		"DO $$ BEGIN INSERT INTO t VALUES (1); END $$":                  "DO",
		"SELECT $x$ a $x$ || nextval('s')":                              "nextval()",
		"VALUES (pg_advisory_lock(1))":                                  "pg_advisory_lock()",
		"SELECT * FROM t, LATERAL (SELECT pg_advisory_lock(t.id)) AS l": "pg_advisory_lock()",
	},
	"mysql": {
		"SELECT GET_LOCK('a', 1)":                         "GET_LOCK()",
		"SELECT RELEASE_LOCK('a')":                        "RELEASE_LOCK()",
		"SELECT id FROM t LOCK IN SHARE MODE":             "LOCK",
		"SELECT NEXTVAL(s)":                               "NEXTVAL()",
		"SELECT NEXT VALUE FOR s":                         "VALUE",
		"SELECT s.nextval":                                "nextval",
		"SELECT LAST_INSERT_ID()":                         "LAST_INSERT_ID()",
		"SELECT LAST_INSERT_ID(7)":                        "LAST_INSERT_ID()",
		"SELECT FOUND_ROWS()":                             "FOUND_ROWS()",
		"SELECT @a := 1":                                  ":=",
		"SELECT id INTO @a FROM t":                        "INTO",
		"SELECT id INTO OUTFILE '/tmp/x' FROM t":          "INTO",
		"SELECT /*!50000 GET_LOCK('a', 1) */":             "GET_LOCK()",
		"SELECT id FROM t /*!99999 LIMIT */ FOR UPDATE":   "UPDATE",
		"SELECT 1 /*!99999 , ' */ INTO @x /*!99999 ' */":  "INTO",
		"ANALYZE DELETE FROM t":                           "ANALYZE",
		"ANALYZE FORMAT=JSON SELECT 1":                    "ANALYZE",
		"SET STATEMENT max_statement_time=1 FOR SELECT 1": "SET",
		"SELECT SLEEP(0)":                                 "SLEEP()",
		"SELECT BENCHMARK(1, 1)":                          "BENCHMARK()",
		"HANDLER t OPEN":                                  "HANDLER",
		"LOCK TABLES t READ":                              "LOCK",
		"FLUSH TABLES":                                    "FLUSH",
		"REPLACE INTO t VALUES (1)":                       "REPLACE",
		"DO GET_LOCK('a', 1)":                             "DO",
	},
}

// plainCases are plain reads of both databases.
var plainCases = []string{
	"SELECT 1", "SELECT 1;", "SELECT COUNT(*) FROM t", "SELECT id, LOWER('A') FROM t WHERE id IN (1, 2) ORDER BY MAX(id) OVER ()",
	"WITH x AS (SELECT id FROM t) SELECT id FROM x", "(SELECT 1) UNION ALL (SELECT 2)", "SELECT 'FOR UPDATE'", "SELECT COALESCE(NULL, 1) -- FOR UPDATE",
	"/* nextval('s') */ SELECT CURRENT_TIMESTAMP", "EXPLAIN SELECT id FROM t", "SELECT t.id FROM t LEFT JOIN t AS u ON u.id = t.id",
}

// withAndWithout are a registry without replicas and one whose replica is the server
// itself, which would take a write that a session does not refuse.
func withAndWithout(t *testing.T, db dbtest.Database) []*dbfleet.Registry {
	t.Helper()
	alone := conformance.ConnectionTo(db)
	with := alone
	with.ReadHosts = []string{db.Server.Addr()}
	var out []*dbfleet.Registry
	for _, config := range []dbfleet.ConnectionConfig{alone, with} {
		out = append(out, conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config}))
	}
	return out
}

// promise: SQL on a handle for reads that is not known to be a plain read is refused before
// it is sent, the same whether or not there is a replica.
func TestReads_RefuseWhatIsNoPlainRead(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		db.Exec(t, "CREATE TABLE t (id INT)", "INSERT INTO t VALUES (1)")
		ctx := t.Context()
		cases := map[string]string{}
		for _, list := range []string{"", db.Dialect} {
			for text, word := range hardCases[list] {
				cases[text] = word
			}
		}
		told := map[string]string{}
		for _, r := range withAndWithout(t, db) {
			sent := conformance.Statements(t, r)
			reader := r.DB("main").Read()
			refused := func(text, word string, err error) {
				t.Helper()
				require.ErrorIs(t, err, dbfleet.ErrReadHandle, text)
				require.ErrorContains(t, err, word, text)
				require.NotErrorIs(t, err, dbfleet.ErrOutcomeUnknown, text)
			}
			for text, word := range cases {
				if word == ";" {
					word = "several statements"
				}
				_, err := reader.QueryContext(ctx, text)
				refused(text, word, err)
				if before, seen := told[text]; seen {
					require.Equal(t, before, err.Error(), "the same with and without replicas")
				}
				told[text] = err.Error()
				refused(text, word, reader.QueryRowContext(ctx, text).Scan(new(any)))
				refused(text, word, reader.QueryRowContext(dbfleet.ReadPrimary(ctx), text).Scan(new(any)))
				if _, err = dbfleet.Select[dbfleet.Row](ctx, reader, text); word != "several statements" {
					require.ErrorIs(t, err, dbfleet.ErrReadHandle, text)
				}
				require.Error(t, err, text)
				require.NoError(t, reader.Conn(ctx, func(ctx context.Context, c *dbfleet.Conn) error {
					_, err := c.QueryContext(ctx, text)
					refused(text, word, err)
					return nil
				}))
				require.NoError(t, r.Transaction(ctx, "", func(ctx context.Context, _ *dbfleet.Tx) error {
					refused(text, word, reader.QueryRowContext(ctx, text).Scan(new(any)))
					return nil
				}))
			}
			seen := sent()
			require.Zero(t, seen["query"], "nothing was sent: %v", seen)
			for _, text := range plainCases {
				rows, err := reader.QueryContext(ctx, text)
				require.NoError(t, err, text)
				require.NoError(t, rows.Close(), text)
				require.NoError(t, reader.Conn(ctx, func(ctx context.Context, c *dbfleet.Conn) error {
					rows, err := c.QueryContext(ctx, text)
					require.NoError(t, err, text)
					return rows.Close()
				}))
			}
			conformance.RequireIdle(t, r)
		}
		require.Equal(t, 1, conformance.Counted(t, db, "SELECT COUNT(*) FROM t"))
	})
}

// What the text does not show is refused by the session: a function that has the name of
// a harmless one, in a schema that comes first.
func TestReads_RunWhereWritesAreRefused(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t, "postgres")
	db.Exec(t, "CREATE TABLE t (id INT)", `CREATE FUNCTION lower(n INT) RETURNS INT LANGUAGE sql AS 'INSERT INTO t VALUES (n) RETURNING id'`)
	for _, r := range withAndWithout(t, db) {
		err := r.DB("main").Read().QueryRowContext(t.Context(), "SELECT lower(1)").Scan(new(int))
		require.ErrorIs(t, err, dbfleet.ErrReadOnly)
	}
	require.Zero(t, conformance.Counted(t, db, "SELECT COUNT(*) FROM t"))
}

// hazard: Params that have the sessions of the primary write, or those of a replica by
// mistake.
func TestReads_RunWhereWritesAreRefusedWhateverParamsSay(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		names, ask := []string{"default_transaction_read_only", "Default_Transaction_Read_Only", "transaction_read_only"}, "SHOW transaction_read_only"
		if db.Dialect == "mysql" {
			names, ask = []string{"tx_read_only", "TX_READ_ONLY"}, "SELECT CASE @@tx_read_only WHEN 1 THEN 'on' ELSE 'off' END"
		}
		for _, name := range names {
			writes := map[string]string{name: "0"}
			ofReplica, ofAll := conformance.ConnectionTo(db), conformance.ConnectionTo(db)
			self := net.JoinHostPort(db.Host, strconv.Itoa(db.Port))
			ofReplica.Replicas = []dbfleet.ReplicaConfig{{Host: self, Params: writes}}
			ofAll.ReadHosts, ofAll.Params = []string{self}, writes
			alone := ofAll
			alone.ReadHosts = nil
			for _, config := range []dbfleet.ConnectionConfig{ofReplica, ofAll, alone} {
				r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config})
				is, err := dbfleet.SelectOne[string](t.Context(), r.DB("main").Read(), ask)
				require.NoError(t, err, name)
				require.Equal(t, "on", is, name)
				is, err = dbfleet.SelectOne[string](t.Context(), r.DB("main"), ask)
				require.NoError(t, err, name)
				require.Equal(t, "off", is, name)
			}
		}
	})
}

var _ queryer = (*dbfleet.DB)(nil)
