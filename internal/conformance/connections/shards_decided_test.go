package connections

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// A value that only the database knows is no key of a shard, and keeps none from being
// given.
func TestShards_AreNotFoundBySQLOrQueries(t *testing.T) {
	t.Parallel()
	onShards(t, func(t *testing.T, fl conformance.Fleet, orders *dbfleet.Model[shardedItem]) {
		ctx := t.Context()
		require.NoError(t, orders.Create(ctx, &shardedItem{UserID: 1, Item: "a"}))
		one := dbfleet.Raw("1")
		sub := orders.Where("user_id", "=", 1).Select("user_id")
		for name, q := range map[string]func(*dbfleet.Query[shardedItem]) *dbfleet.Query[shardedItem]{
			"SQL":               func(q *dbfleet.Query[shardedItem]) *dbfleet.Query[shardedItem] { return q.Where("user_id", "=", one) },
			"a query":           func(q *dbfleet.Query[shardedItem]) *dbfleet.Query[shardedItem] { return q.Where("user_id", "=", sub) },
			"a query in a list": func(q *dbfleet.Query[shardedItem]) *dbfleet.Query[shardedItem] { return q.WhereIn("user_id", sub) },
		} {
			_, err := q(orders.Query()).Get(ctx)
			require.ErrorIs(t, err, dbfleet.ErrMissingShardKey, name)
			require.EqualError(t, err, `dbfleet: table "orders", shard key "user_id": SQL or a query in the place of its value does not say which shard; give the key by Shard: no shard key`, name)
			for _, with := range []*dbfleet.Query[shardedItem]{q(orders.Shard(1).Query()), q(orders.Query()).Where("user_id", "=", 1), q(orders.Where("user_id", "=", 1))} {
				list, err := with.Get(ctx)
				require.NoError(t, err, name)
				require.Len(t, list, 1, name)
			}
		}
	})
}
