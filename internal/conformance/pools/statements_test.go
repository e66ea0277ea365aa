package pools

import (
	"database/sql"
	"fmt"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

const several = "CREATE TABLE several (id INT); INSERT INTO several VALUES (1), (2); INSERT INTO several VALUES (3)"

// Several statements in one text without arguments are taken where the driver takes them.
func TestStatements_SeveralInOneText(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, _ conformance.Fleet, db *sql.DB) (told []string) {
		_, err := db.ExecContext(t.Context(), "DROP TABLE IF EXISTS several")
		require.NoError(t, err)
		_, err = db.ExecContext(t.Context(), several)
		told = append(told, outcome("several", err))
		var n int
		told = append(told, outcome("count", db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM several").Scan(&n)), fmt.Sprint(n))
		return told
	})
}

// On MySQL a connection may be configured to take them, and then gives all their rows.
func TestStatements_SeveralOnMySQLWithMultiStatements(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		if db.Dialect != "mysql" {
			return
		}
		config := conformance.ConnectionTo(db)
		config.Params = map[string]string{"multiStatements": "true", "wait_timeout": "77"}
		pool := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config}).DB("main").Pool()
		_, err := pool.ExecContext(t.Context(), several)
		require.NoError(t, err)
		rows, err := pool.QueryContext(t.Context(), "SELECT COUNT(*) FROM several; SELECT @@wait_timeout, 'x'")
		require.NoError(t, err)
		defer rows.Close()
		var count, timeout int
		var x string
		require.True(t, rows.Next())
		require.NoError(t, rows.Scan(&count))
		require.True(t, rows.NextResultSet())
		require.True(t, rows.Next())
		require.NoError(t, rows.Scan(&timeout, &x))
		require.False(t, rows.NextResultSet())
		require.Equal(t, []any{3, 77, "x"}, []any{count, timeout, x})
		require.NoError(t, rows.Err())
		// A session that the second of them has changed serves nobody else.
		_, err = pool.ExecContext(t.Context(), "SELECT 1; SET @a = 1")
		require.NoError(t, err)
		var a any
		require.NoError(t, pool.QueryRowContext(t.Context(), "SELECT @a").Scan(&a))
		require.Nil(t, a)
	})
}

// A procedure's sets of rows, and their columns, come as with the driver.
func TestStatements_SetsOfRows(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, fl conformance.Fleet, db *sql.DB) []string {
		if fl.Database.Dialect != "mysql" {
			return []string{"the others have none"}
		}
		_, err := db.ExecContext(t.Context(), "CREATE OR REPLACE PROCEDURE two() BEGIN SELECT 1 AS a, 2 AS b; SELECT 'x' AS c, CAST('2024-05-06' AS DATE) AS d; END")
		require.NoError(t, err)
		rows, err := db.QueryContext(t.Context(), "CALL two()")
		require.NoError(t, err)
		defer rows.Close()
		var told []string
		for more := true; more; more = rows.NextResultSet() {
			columns, err := rows.Columns()
			require.NoError(t, err)
			told = append(told, fmt.Sprint(columns))
			if len(columns) == 2 {
				told = append(told, columnsOf(t, "set", rows)...)
			}
			for rows.Next() {
				var a, b any
				require.NoError(t, rows.Scan(&a, &b))
				told = append(told, text(a)+text(b))
			}
		}
		require.NoError(t, rows.Err())
		return told
	})
}

// What the driver says by itself after a whole exchange costs neither the connection nor
// the transaction, and is no unknown outcome.
func TestErrors_OfTheDriverItselfAreDefinite(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		switch fl.Database.Dialect {
		case "mysql":
			_, err := fl.DB("main").ExecContext(ctx, "CREATE TABLE line_texts (body VARCHAR(100))")
			require.NoError(t, err)
			load := "LOAD DATA LOCAL INFILE '/no/such/file' INTO TABLE line_texts"
			_, err = fl.DB("main").ExecContext(ctx, load)
			require.ErrorContains(t, err, "not registered")
			require.NotErrorIs(t, err, dbfleet.ErrOutcomeUnknown)
			tx, err := fl.DB("main").Pool().BeginTx(ctx, nil)
			require.NoError(t, err)
			_, err = tx.ExecContext(ctx, "INSERT INTO line_texts VALUES ('kept')")
			require.NoError(t, err)
			_, err = tx.ExecContext(ctx, load)
			require.ErrorContains(t, err, "not registered")
			var me *mysql.MySQLError
			require.NotErrorAs(t, err, &me)
			require.NoError(t, tx.Commit())
			require.Equal(t, 1, conformance.Counted(t, fl.Database, "SELECT COUNT(*) FROM line_texts"))
		case "postgres":
			tx, err := fl.DB("main").Pool().BeginTx(ctx, nil)
			require.NoError(t, err)
			_, err = tx.ExecContext(ctx, "SELECT $1::int", struct{}{})
			require.Error(t, err)
			require.NoError(t, tx.Commit())
		default:
			_, err := fl.DB("main").ExecContext(ctx, "SELECT ?", struct{}{})
			require.Error(t, err)
			require.NotErrorIs(t, err, dbfleet.ErrOutcomeUnknown)
		}
		for _, stats := range fl.Stats() {
			require.EqualValues(t, 1, stats.OpenConnections)
		}
	})
}
