package transactions

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// hazard 140: statements of two goroutines in one transaction run one at a time.
func TestTx_ServesTwoGoroutines(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		accounts := fl.Bank(t)
		const goroutines, each = 6, 15
		err := fl.Transaction(t.Context(), "", func(ctx context.Context, tx *dbfleet.Tx) error {
			var wg sync.WaitGroup
			for g := range goroutines {
				wg.Go(func() {
					for i := range each {
						owner := fmt.Sprintf("%d-%d", g, i)
						if i%2 == 0 {
							require.NoError(t, accounts.Create(ctx, &conformance.Account{Owner: owner}))
						} else {
							_, err := tx.ExecContext(ctx, conformance.Inserting(owner))
							require.NoError(t, err)
						}
						_, err := accounts.Where("owner", "=", owner).Update(ctx, map[string]any{"balance": i})
						require.NoError(t, err)
						require.NoError(t, accounts.Upsert(ctx, &conformance.Account{ID: int64(-1 - 100*g - i), Owner: owner + " again"}))
						_, err = accounts.Where("id", "=", -1-100*g-i).Delete(ctx)
						require.NoError(t, err)
						found, err := accounts.Where("owner", "=", owner).Get(ctx)
						require.NoError(t, err)
						require.Len(t, found, 1)
					}
				})
			}
			wg.Wait()
			return nil
		})
		require.NoError(t, err)
		require.Len(t, conformance.Owners(t, fl.Database), goroutines*each)
	})
}

// hazard 142: rows left open in a transaction.
func TestTx_OpenRows(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		accounts := fl.Bank(t)
		db := fl.DB("main")
		require.NoError(t, accounts.CreateMany(t.Context(), []conformance.Account{{Owner: "a"}, {Owner: "b"}, {Owner: "c"}}))
		var left []*sql.Rows
		var stmt *sql.Stmt
		err := fl.Transaction(t.Context(), "", func(ctx context.Context, tx *dbfleet.Tx) error {
			rows, err := tx.QueryContext(ctx, "SELECT owner FROM accounts")
			require.NoError(t, err)
			require.True(t, rows.Next())
			err = accounts.Create(ctx, &conformance.Account{Owner: "meanwhile"})
			if fl.Database.Dialect == "sqlite" {
				require.NoError(t, err, "SQLite does both at once")
			} else {
				require.ErrorIs(t, err, dbfleet.ErrBusy)
				_, err = tx.ExecContext(ctx, conformance.Inserting("meanwhile"))
				require.ErrorIs(t, err, dbfleet.ErrBusy)
				_, err = db.QueryContext(ctx, "SELECT 1")
				require.ErrorIs(t, err, dbfleet.ErrBusy)
				require.NoError(t, rows.Close())
				require.NoError(t, accounts.Create(ctx, &conformance.Account{Owner: "meanwhile"}), "it goes on once they are closed")
			}
			// An iteration that is broken off gives the connection back.
			for _, err := range accounts.Query().Iter(ctx) {
				require.NoError(t, err)
				break
			}
			left = append(left, rows)
			// Rows that nobody closes, of the handle, of the connection and of a statement.
			rows, err = db.QueryContext(ctx, "SELECT owner FROM accounts")
			require.NoError(t, err)
			left = append(left, rows)
			return nil
		})
		require.NoError(t, err)
		require.Len(t, conformance.Owners(t, fl.Database), 4)

		err = fl.Transaction(t.Context(), "", func(ctx context.Context, tx *dbfleet.Tx) error {
			tx.QueryRowContext(ctx, "SELECT owner FROM accounts") // never scanned
			return nil
		})
		require.NoError(t, err)

		err = fl.Transaction(t.Context(), "", func(ctx context.Context, tx *dbfleet.Tx) error {
			require.NoError(t, accounts.Create(ctx, &conformance.Account{Owner: "with a statement"}))
			stmt, err = tx.PrepareContext(ctx, "SELECT owner FROM accounts")
			require.NoError(t, err)
			rows, err := stmt.QueryContext(ctx)
			require.NoError(t, err)
			require.True(t, rows.Next())
			left = append(left, rows)
			return nil
		})
		require.NoError(t, err)
		require.Len(t, conformance.Owners(t, fl.Database), 5)
		for _, rows := range left {
			require.False(t, rows.Next(), "the transaction's end has closed them")
			_ = rows.Err()
		}
		_, err = stmt.QueryContext(t.Context())
		require.Error(t, err, "the statement has ended with its transaction")
		conformance.RequireIdle(t, fl.Registry)
	})
}

// hazard 141: a transaction reaches its own connection only.
func TestTx_IsForItsConnectionOnly(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
		file := dbtest.New(t, "sqlite")
		fl := conformance.Fleet{Registry: conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(db), "second": conformance.ConnectionTo(file)}), Database: db}
		accounts := fl.Bank(t)
		other := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(fl.Database)})
		_, err := fl.DB("second").ExecContext(t.Context(), conformance.DDL("sqlite", conformance.AccountsTable))
		require.NoError(t, err)
		second := conformance.Model[conformance.Account](t, fl.Registry, dbfleet.ModelConfig{Table: "accounts", Connection: "second"})
		theirs := conformance.Model[conformance.Account](t, other, dbfleet.ModelConfig{Table: "accounts"})

		err = fl.Transaction(t.Context(), "main", func(ctx context.Context, tx *dbfleet.Tx) error {
			require.NoError(t, accounts.Create(ctx, &conformance.Account{Owner: "mine"}))
			var wrong *dbfleet.TxConnectionError
			require.ErrorAs(t, second.Using(tx).Create(ctx, &conformance.Account{Owner: "wrong"}), &wrong)
			require.Equal(t, dbfleet.TxConnectionError{Tx: "main", Want: "second"}, *wrong)
			_, err := accounts.DB("second").Using(tx).Count(ctx)
			require.ErrorAs(t, err, &wrong)
			// Another registry's connection of the same name is another connection.
			require.ErrorAs(t, theirs.Using(tx).Create(ctx, &conformance.Account{Owner: "wrong"}), &wrong)
			n, err := theirs.Count(ctx)
			require.NoError(t, err)
			require.Zero(t, n, "it does not join by name")

			// What routes elsewhere runs on its own, or in a transaction of its own.
			require.NoError(t, second.Create(ctx, &conformance.Account{Owner: "on its own"}))
			require.NoError(t, fl.Transaction(ctx, "second", func(ctx context.Context, tx2 *dbfleet.Tx) error {
				require.NoError(t, second.Create(ctx, &conformance.Account{Owner: "in its own"}))
				require.NoError(t, accounts.Create(ctx, &conformance.Account{Owner: "mine too"}), "both transactions are in ctx")
				r, err := accounts.Query().Route(ctx)
				require.NoError(t, err)
				require.True(t, r.Tx)
				return nil
			}))
			// Outside of both.
			err = fl.Transaction(dbfleet.OutsideTx(ctx), "second", func(ctx context.Context, _ *dbfleet.Tx) error {
				r, err := accounts.Query().Route(ctx)
				require.NoError(t, err)
				require.False(t, r.Tx, "OutsideTx hides the transactions that were there")
				r, err = second.Query().Route(ctx)
				require.NoError(t, err)
				require.True(t, r.Tx)
				return nil
			})
			require.NoError(t, err)
			return errUndo
		})
		require.ErrorIs(t, err, errUndo)
		require.Empty(t, conformance.Owners(t, fl.Database))
		require.Equal(t, []string{"in its own", "on its own"}, conformance.Owners(t, file))
	})
}
