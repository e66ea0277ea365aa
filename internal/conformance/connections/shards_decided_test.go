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

// truth 1021
//
// A shard may have a copy of a small table, whose model is on another connection.
func TestShards_PagesOfAJoinWithACopyShareNoRow(t *testing.T) {
	t.Parallel()
	onShards(t, func(t *testing.T, fl conformance.Fleet, orders *dbfleet.Model[shardedItem]) {
		ctx := t.Context()
		type buyer struct {
			ID     int64
			UserID int64
			Name   string
		}
		for _, name := range fl.Names() {
			for _, text := range []string{
				"CREATE TABLE buyers (id {bigint} PRIMARY KEY, user_id {bigint} NOT NULL, name {text} NOT NULL)",
				"INSERT INTO buyers VALUES (1, 1, 'Ann'), (2, 1, 'Bob'), (3, 2, 'Cid')",
			} {
				_, err := fl.DB(name).ExecContext(ctx, conformance.DDL(fl.Database.Dialect, text))
				require.NoError(t, err)
			}
		}
		type row struct {
			ID   int64
			Item string
			Name string
		}
		q := dbfleet.Into[row](orders.Where("orders.user_id", "=", 1).Join("buyers", "buyers.user_id", "=", "orders.user_id").Select("orders.id", "item").SelectAs("buyers.name", "name"))
		_, err := dbfleet.PageOf(ctx, q, 1, 2)
		require.ErrorContains(t, err, "no model tells the primary key")

		conformance.Model[buyer](t, fl.Registry, dbfleet.ModelConfig{Table: "buyers"})
		require.NoError(t, orders.CreateMany(ctx, []shardedItem{{UserID: 1, Item: "a"}, {UserID: 1, Item: "b"}, {UserID: 1, Item: "c"}}))
		seen := map[row]bool{}
		for number := range 3 {
			page, err := dbfleet.PageOf(ctx, q, number+1, 2)
			require.NoError(t, err)
			require.EqualValues(t, 6, page.Total)
			for _, r := range page.Items {
				seen[r] = true
			}
		}
		require.Len(t, seen, 6)
	})
}
