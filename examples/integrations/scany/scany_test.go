package scany_test

import (
	"context"
	"testing"

	"github.com/georgysavva/scany/v2/sqlscan"
	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/examples/integrations/scany"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

func TestScany_MapsTheRowsOfConnectionsAndTransactions(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		fl.Create(t,
			`CREATE TABLE customers (id {id}, name {text} NOT NULL, city {text} NOT NULL)`,
			`CREATE TABLE sales (id {id}, customer_id {bigint} NOT NULL, total {float} NOT NULL)`,
			`INSERT INTO customers (id, name, city) VALUES (1, 'Ada', 'London'), (2, 'Edsger', 'Austin')`,
			`INSERT INTO sales (id, customer_id, total) VALUES (1, 1, 10.5), (2, 2, 20), (3, 1, 30)`)

		sales, err := scany.SalesIn(t.Context(), fl.DB("main"), "London")
		require.NoError(t, err)
		require.Len(t, sales, 2)
		require.Equal(t, "Ada", sales[0].Customer.Name)
		require.InDelta(t, 40.5, sales[0].Total+sales[1].Total, 0)

		err = fl.Transaction(t.Context(), "main", func(ctx context.Context, tx *dbfleet.Tx) error {
			if _, err := tx.ExecContext(ctx, "DELETE FROM sales"); err != nil {
				return err
			}
			var left int
			require.NoError(t, sqlscan.Get(ctx, tx, &left, "SELECT COUNT(*) FROM sales"))
			require.Zero(t, left)
			return nil
		})
		require.NoError(t, err)
	})
}
