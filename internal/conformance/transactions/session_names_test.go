package transactions

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// truth 1113
// What a SET TRANSACTION outside of a transaction asks for is for nobody's next one.
func TestSession_SetTransactionIsForNobody(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		fl := ofOne(t, db)
		accounts := fl.Bank(t)
		for _, statement := range []string{
			"SET TRANSACTION READ ONLY", "SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED", "/* a */ set transaction read only", "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
			"SET SESSION TRANSACTION READ ONLY", "SET LOCAL TRANSACTION READ ONLY", "SET @@tx_read_only = 1", "SET @@session.tx_read_only = 1", "/*!50000 SET TRANSACTION READ ONLY */",
		} {
			_, _ = fl.DB("main").ExecContext(t.Context(), statement)
			require.NoError(t, fl.Transaction(t.Context(), "", func(ctx context.Context, tx *dbfleet.Tx) error {
				return accounts.Create(ctx, &conformance.Account{Owner: statement})
			}), statement)
		}
	})
}

// tenants makes a second place for the names of a database, with tables of the same
// names, each with a row that says where it is.
func tenants(t *testing.T, fl conformance.Fleet) (moves, back []string) {
	db := fl.Database
	switch db.Dialect {
	case "mysql":
		other := db.Name + "_b"
		db.Server.Exec(t, "CREATE DATABASE "+other, "GRANT ALL PRIVILEGES ON `"+other+"`.* TO '"+db.Username+"'@'%'")
		t.Cleanup(func() { db.Server.Exec(t, "DROP DATABASE "+other) })
		db.Exec(t,
			"CREATE TABLE things (place VARCHAR(10) NOT NULL, n INT NOT NULL)", "INSERT INTO things VALUES ('a', 0)",
			"CREATE TABLE "+other+".things (place VARCHAR(10) NOT NULL, n INT NOT NULL)", "INSERT INTO "+other+".things VALUES ('b', 0)",
			"CREATE PROCEDURE moves() BEGIN EXECUTE IMMEDIATE 'USE "+other+"'; END",
			"CREATE PROCEDURE "+other+".moves() BEGIN EXECUTE IMMEDIATE 'USE "+other+"'; END")
		return []string{
			"USE " + other, "use `" + other + "`", "EXECUTE IMMEDIATE 'USE " + other + "'", "CALL moves()", "/*!50000 USE " + other + " */", "/*!99999 x */ USE " + other,
			"CREATE TEMPORARY TABLE things AS SELECT 'b' AS place, 0 AS n", "CREATE OR REPLACE TEMPORARY TABLE things AS SELECT 'b' AS place, 0 AS n",
		}, []string{"USE " + db.Name}
	case "postgres":
		db.Exec(t, "CREATE SCHEMA b",
			"CREATE TABLE things (place TEXT NOT NULL, n INT NOT NULL)", "INSERT INTO things VALUES ('a', 0)",
			"CREATE TABLE b.things (n BIGINT NOT NULL, place VARCHAR(10) NOT NULL)", "INSERT INTO b.things VALUES (0, 'b')",
			"CREATE PROCEDURE public.moves() LANGUAGE plpgsql AS $$ BEGIN PERFORM set_config('search_path', 'b', false); END $$",
			"CREATE PROCEDURE public.makes() LANGUAGE plpgsql AS $$ BEGIN CREATE TEMP TABLE things AS SELECT 'b' AS place, 0 AS n; END $$")
		return []string{
			"SET search_path = b", "SET LOCAL search_path = b", "SET SESSION search_path TO b, public", "SET SCHEMA 'b'", "SELECT set_config('search_path', 'b', true)", "SELECT set_config('search_path', 'b', false)",
			"SELECT pg_catalog.set_config('search_path', 'b', false)", "DO $$ BEGIN PERFORM set_config('search_path', 'b', false); END $$", "CALL public.moves()", "CALL public.makes()",
			"CREATE TEMP TABLE things AS SELECT 'b' AS place, 0 AS n", "CREATE LOCAL TEMPORARY TABLE things AS SELECT 'b' AS place, 0 AS n", "CREATE TABLE pg_temp.things AS SELECT 'b' AS place, 0 AS n",
			"SELECT 'b' AS place, 0 AS n INTO TEMP things", "SELECT 'b' AS place, 0 AS n INTO pg_temp.things", "CREATE TEMP VIEW things AS SELECT * FROM b.things", "SELECT 1; SET search_path = b",
		}, []string{"SET search_path = public"}
	}
	db.Exec(t, "CREATE TABLE things (place TEXT NOT NULL, n INTEGER NOT NULL)", "INSERT INTO things VALUES ('a', 0)")
	return []string{
		"CREATE TEMP TABLE things AS SELECT 'b' AS place, 0 AS n", "CREATE TEMPORARY TABLE things AS SELECT 'b' AS place, 0 AS n", "CREATE TABLE temp.things AS SELECT 'b' AS place, 0 AS n",
		`CREATE TABLE "temp"."things" AS SELECT 'b' AS place, 0 AS n`, "CREATE TABLE made (v); DROP TABLE made; CREATE TABLE temp.things AS SELECT 'b' AS place, 0 AS n",
		"ATTACH ':memory:' AS other; CREATE TEMP TABLE things AS SELECT 'b' AS place, 0 AS n",
	}, nil
}

// truth 1112
// What changes the meaning of a name does so for what was prepared before, too, until it
// is changed back; and for nobody who comes later.
func TestSession_ReadsAndWritesAreWhereTheNamesAre(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
		fl := ofOne(t, db)
		moves, back := tenants(t, fl)
		things := fl.DB("main").Table("things")
		fresh := 0
		where := func(ctx context.Context) string {
			// One text that was sent often, by a model and by hand, and one that never was.
			row, err := things.Where("n", "=", 0).Select("place").First(ctx)
			require.NoError(t, err)
			place, _ := row["place"].(string)
			var raw, now string
			query := marks(db.Dialect, "SELECT place FROM things WHERE n = ?")
			require.NoError(t, fl.DB("main").QueryRowContext(ctx, query, 0).Scan(&raw))
			fresh++
			require.NoError(t, fl.DB("main").QueryRowContext(ctx, fmt.Sprintf("SELECT /* %d */ place FROM things WHERE n = 0", fresh)).Scan(&now))
			require.Equal(t, now, place, "by a query")
			require.Equal(t, now, raw, "by hand")
			return now
		}
		warm := func(ctx context.Context) {
			for range 3 {
				require.Equal(t, "a", where(ctx))
				_, err := fl.DB("main").ExecContext(ctx, marks(db.Dialect, "UPDATE things SET n = ? WHERE n = ? AND place = ?"), 0, 0, "a")
				require.NoError(t, err)
			}
		}
		lands := func(ctx context.Context, move string) {
			n, err := things.Where("n", "=", 0).Count(ctx)
			require.NoError(t, err)
			require.EqualValues(t, 1, n, move)
			res, err := fl.DB("main").ExecContext(ctx, marks(db.Dialect, "UPDATE things SET n = ? WHERE n = ? AND place = ?"), 0, 0, "a")
			require.NoError(t, err)
			_ = res
			var a int
			require.NoError(t, fl.DB("main").QueryRowContext(ctx, marks(db.Dialect, "SELECT COUNT(*) FROM things WHERE place = ?"), "a").Scan(&a))
			require.Zero(t, a, "%s: the row of the other place", move)
		}
		for _, move := range moves {
			for _, end := range []error{nil, errUndo} {
				warm(t.Context())
				err := fl.Transaction(t.Context(), "", func(ctx context.Context, tx *dbfleet.Tx) error {
					warm(ctx)
					_, err := tx.ExecContext(ctx, move)
					require.NoError(t, err, move)
					require.Equal(t, "b", where(ctx), move)
					lands(ctx, move)
					return end
				})
				require.Equal(t, end, err)
				require.Equal(t, "a", where(t.Context()), "after %s", move)

				// A savepoint that is rolled back may move the names back.
				err = fl.Transaction(t.Context(), "", func(ctx context.Context, tx *dbfleet.Tx) error {
					warm(ctx)
					require.ErrorIs(t, tx.Transaction(ctx, func(ctx context.Context, tx *dbfleet.Tx) error {
						_, err := tx.ExecContext(ctx, move)
						require.NoError(t, err, move)
						require.Equal(t, "b", where(ctx), move)
						return errUndo
					}), errUndo)
					where(ctx)
					for _, statement := range back {
						_, err := tx.ExecContext(ctx, statement)
						require.NoError(t, err)
						where(ctx)
					}
					return end
				})
				require.Equal(t, end, err)
				require.Equal(t, "a", where(t.Context()), "after %s", move)
			}
			// Outside of a transaction the next one gets another session.
			warm(t.Context())
			_, err := fl.DB("main").ExecContext(t.Context(), move)
			require.NoError(t, err, move)
			require.Equal(t, "a", where(t.Context()), "after %s alone", move)
			// And in the hands of a Conn.
			require.NoError(t, fl.DB("main").Conn(t.Context(), func(ctx context.Context, c *dbfleet.Conn) error {
				query := marks(db.Dialect, "SELECT place FROM things WHERE n = ?")
				for range 3 {
					var place string
					require.NoError(t, c.QueryRowContext(ctx, query, 0).Scan(&place))
					require.Equal(t, "a", place)
				}
				if _, err := c.ExecContext(ctx, move); err != nil {
					return err
				}
				var place, now string
				fresh++
				require.NoError(t, c.QueryRowContext(ctx, query, 0).Scan(&place))
				require.NoError(t, c.QueryRowContext(ctx, fmt.Sprintf("SELECT /* %d */ place FROM things WHERE n = 0", fresh)).Scan(&now))
				require.Equal(t, now, place, move)
				return nil
			}))
			require.Equal(t, "a", where(t.Context()), "after %s in a Conn", move)
		}
	})
}
