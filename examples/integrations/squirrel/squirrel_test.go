package squirrel_test

import (
	"context"
	"testing"

	sq "github.com/Masterminds/squirrel"
	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/examples/integrations/squirrel"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

func TestSquirrel_RunsThroughModelsAndHandles(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		fl.Create(t, `CREATE TABLE orders (id {id}, user_id {bigint} NOT NULL, total {float} NOT NULL)`)
		orders := conformance.Model[squirrel.Order](t, fl.Registry, dbfleet.ModelConfig{Table: "orders"})
		ctx := t.Context()
		require.NoError(t, orders.CreateMany(ctx, []squirrel.Order{{UserID: 1, Total: 10}, {UserID: 1, Total: 30}, {UserID: 2, Total: 20}}))

		largest, err := squirrel.Largest(ctx, orders)
		require.NoError(t, err)
		require.Equal(t, []squirrel.Order{{ID: 2, UserID: 1, Total: 30}, {ID: 3, UserID: 2, Total: 20}}, largest)
		n, err := squirrel.Above(ctx, orders, 15)
		require.NoError(t, err)
		require.EqualValues(t, 2, n)

		format := sq.PlaceholderFormat(sq.Question)
		if fl.DB("main").Driver() == dbfleet.Postgres {
			format = sq.Dollar
		}
		err = fl.Transaction(ctx, "main", func(ctx context.Context, tx *dbfleet.Tx) error {
			return squirrel.Refund(ctx, tx, format, 2)
		})
		require.NoError(t, err)
		n, err = squirrel.Above(ctx, orders, 15)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
	})
}
