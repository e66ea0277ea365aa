package pools

import (
	"context"
	"database/sql"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// outcome tells that there was an error, but not its words.
func outcome(what string, err error) string { return fmt.Sprintf("%s: %t", what, err == nil) }

// A plain *sql.Tx is the driver's: where the database commits at DDL it goes on, and
// what is undone is undone. fl's own transactions refuse that.
func TestTx_TakesDDLAsWithTheDriver(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, fl conformance.Fleet, db *sql.DB) (told []string) {
		ctx := t.Context()
		count := func() string {
			var n int
			return fmt.Sprint(db.QueryRowContext(ctx, "SELECT COUNT(*) FROM steps").Scan(&n) == nil, n)
		}
		_, err := db.ExecContext(ctx, "DROP TABLE IF EXISTS steps")
		require.NoError(t, err)
		for _, end := range []func(*sql.Tx) error{(*sql.Tx).Commit, (*sql.Tx).Rollback} {
			for _, ddl := range []string{"CREATE TABLE IF NOT EXISTS steps (id INT)", "CREATE TABLE nothing (id NOSUCHTYPE(", "DROP TABLE no_such_table"} {
				tx, err := db.BeginTx(ctx, nil)
				require.NoError(t, err)
				_, err = tx.ExecContext(ctx, ddl)
				told = append(told, outcome(ddl, err))
				_, err = tx.ExecContext(ctx, "INSERT INTO steps VALUES (1)")
				told = append(told, outcome("insert", err))
				told = append(told, outcome("end", end(tx)), count())
			}
		}
		_, err = db.ExecContext(ctx, "DROP TABLE IF EXISTS steps")
		require.NoError(t, err)
		return told
	})
}

// Two readers in isolation, and a transaction that only reads.
func TestTx_OptionsAreTheDrivers(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, fl conformance.Fleet, db *sql.DB) (told []string) {
		ctx := t.Context()
		_, err := db.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS things (id INT)")
		require.NoError(t, err)
		levels := []sql.IsolationLevel{sql.LevelDefault, sql.LevelSerializable}
		if fl.Database.Dialect != "sqlite" { // whose driver takes each for its only one
			levels = append(levels, sql.LevelReadUncommitted, sql.LevelReadCommitted, sql.LevelRepeatableRead, sql.LevelLinearizable)
		}
		asking := map[string]string{"postgres": "SHOW transaction_isolation", "mysql": "SELECT 1", "sqlite": "SELECT 1"}[fl.Database.Dialect]
		for _, level := range levels {
			for _, readOnly := range []bool{false, true} {
				if readOnly && fl.Database.Dialect == "sqlite" {
					continue // the driver does not hold it, see docs/pools.md
				}
				what := fmt.Sprintf("%s %t", level, readOnly)
				tx, err := db.BeginTx(ctx, &sql.TxOptions{Isolation: level, ReadOnly: readOnly})
				told = append(told, outcome(what, err))
				if err != nil {
					continue
				}
				var now string
				require.NoError(t, tx.QueryRowContext(ctx, asking).Scan(&now))
				_, err = tx.ExecContext(ctx, "INSERT INTO things VALUES (1)")
				told = append(told, now, outcome("insert", err))
				require.NoError(t, tx.Rollback())
			}
		}
		return told
	})
}

// Only the library's own transactions refuse a statement that commits by itself.
func TestTx_OwnTransactionsStillRefuseImplicitCommits(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		err := fl.Transaction(t.Context(), "", func(ctx context.Context, tx *dbfleet.Tx) error {
			_, err := tx.ExecContext(ctx, "CREATE TABLE made (id INT)")
			return err
		})
		if fl.Database.Dialect == "mysql" {
			require.ErrorContains(t, err, "commits the transaction")
			require.NotErrorIs(t, err, dbfleet.ErrTxLost)
			return
		}
		require.NoError(t, err)
	})
}
