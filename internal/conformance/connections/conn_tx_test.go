package connections

import (
	"context"
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
