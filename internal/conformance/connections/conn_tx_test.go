package connections

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// Rows that a Conn's function leaves open cost the transaction nothing.
func TestConn_RowsLeftOpenDoNotCostTheTransaction(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		fl.Create(t, conformance.AccountsTable, conformance.Inserting("a"), conformance.Inserting("b"))
		for name, leave := range map[string]func(ctx context.Context, c *dbfleet.Conn) error{
			"rows": func(ctx context.Context, c *dbfleet.Conn) error {
				rows, err := c.QueryContext(ctx, "SELECT owner FROM accounts")
				if err == nil {
					rows.Next()
				}
				return err
			},
			"a row": func(ctx context.Context, c *dbfleet.Conn) error {
				c.QueryRowContext(ctx, "SELECT owner FROM accounts")
				return nil
			},
		} {
			for i := range 10 {
				require.NoError(t, fl.Transaction(t.Context(), "", func(ctx context.Context, tx *dbfleet.Tx) error {
					if i%2 == 0 {
						if err := fl.DB("main").Conn(ctx, leave); err != nil {
							return err
						}
					}
					if _, err := tx.ExecContext(ctx, conformance.Inserting(fmt.Sprint(name, i))); err != nil {
						return err
					}
					return fl.DB("main").Conn(ctx, leave)
				}), name)
			}
		}
		require.Len(t, conformance.Owners(t, fl.Database), 22)
	})
}

func TestConn_ANilContextIsAnError(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		var none context.Context
		require.NoError(t, fl.DB("main").Conn(t.Context(), func(_ context.Context, c *dbfleet.Conn) error {
			const says = `dbfleet: connection "main": the context is nil`
			_, err := c.ExecContext(none, "SELECT 1")
			require.EqualError(t, err, says)
			_, err = c.QueryContext(none, "SELECT 1") //nolint:rowserrcheck,sqlclosecheck // there are none
			require.EqualError(t, err, says)
			require.EqualError(t, c.QueryRowContext(none, "SELECT 1").Scan(new(int)), says)
			_, err = c.PrepareContext(none, "SELECT 1")
			require.EqualError(t, err, says)
			return nil
		}))
	})
}

// What Raw commits is not the library's transaction any more.
func TestConn_ATransactionThatRawEndsIsLost(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		fl.Create(t, conformance.AccountsTable)
		for _, end := range []string{"COMMIT", "ROLLBACK"} {
			err := fl.Transaction(t.Context(), "", func(ctx context.Context, tx *dbfleet.Tx) error {
				if err := fl.DB("main").Conn(ctx, func(ctx context.Context, c *dbfleet.Conn) error {
					return c.Raw(func(dc any) (err error) {
						if pc, ok := dc.(*pgx.Conn); ok {
							_, err = pc.Exec(ctx, end)
						} else {
							_, err = dc.(driver.ExecerContext).ExecContext(ctx, end, nil)
						}
						return err
					})
				}); err != nil {
					return err
				}
				if _, err := tx.ExecContext(ctx, conformance.Inserting("after")); err != nil {
					return err
				}
				return errors.New("rolled back")
			})
			require.ErrorIs(t, err, dbfleet.ErrTxLost, end)
			require.NotContains(t, conformance.Owners(t, fl.Database), "after", end)
		}
	})
}

// Rows of a statement that Conn has prepared end with its function, and cost the
// transaction nothing.
func TestConn_InATransactionEndsThePreparedRowsThatItLeavesOpen(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		accounts := fl.Bank(t)
		require.NoError(t, accounts.CreateMany(t.Context(), []conformance.Account{{Owner: "a"}, {Owner: "b"}, {Owner: "c"}}))
		db := fl.DB("main")
		require.NoError(t, fl.Transaction(t.Context(), "main", func(ctx context.Context, tx *dbfleet.Tx) error {
			for range 3 {
				var rows *sql.Rows
				require.NoError(t, db.Conn(ctx, func(ctx context.Context, c *dbfleet.Conn) error {
					stmt, err := c.PrepareContext(ctx, "SELECT owner FROM accounts ORDER BY owner") //nolint:sqlclosecheck // left open
					require.NoError(t, err)
					rows, err = stmt.QueryContext(ctx) //nolint:sqlclosecheck // left open
					require.NoError(t, err)
					require.True(t, rows.Next())
					return nil
				}))
				_, err := tx.ExecContext(ctx, "UPDATE accounts SET balance = balance + 1")
				require.NoError(t, err)
				require.False(t, rows.Next())
				require.ErrorIs(t, rows.Err(), sql.ErrConnDone)
			}
			return nil
		}))
		sum, err := dbfleet.Sum[int64](t.Context(), accounts.Query(), "balance")
		require.NoError(t, err)
		require.EqualValues(t, 9, sum)
	})
}
