package connections

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// truth 120, 121, 122
func TestShards_AreFoundBehindAnAliasOfTheirOwnTable(t *testing.T) {
	t.Parallel()
	onShards(t, func(t *testing.T, fl conformance.Fleet, orders *dbfleet.Model[shardedItem]) {
		ctx := t.Context()
		for _, item := range []shardedItem{{UserID: 1, Item: "a"}, {UserID: 1, Item: "b"}, {UserID: 2, Item: "c"}} {
			require.NoError(t, orders.Create(ctx, &item))
		}
		type Q = *dbfleet.Query[shardedItem]
		as := orders.Query().As("o")
		for claim, tt := range map[string]struct {
			q    Q
			want string
			n    int
		}{
			"alias":          {as.Where("o.user_id", "=", 1), "one", 2},
			"alias in":       {as.WhereIn("o.user_id", []int{1, 3}), "one", 2},
			"table's name":   {as.Where("orders.user_id", "=", 2), "two", 1},
			"alone":          {as.Where("user_id", "=", 2), "two", 1},
			"join":           {as.Join("orders AS p", "p.user_id", "=", "o.user_id").Where("p.item", "=", "a").Where("o.user_id", "=", 1), "one", 2},
			"join by name":   {as.Join("orders", "orders.id", "=", "o.id").Where("orders.item", "=", "c").Where("o.user_id", "=", 2), "two", 1},
			"beside a group": {as.WhereGroup(func(q Q) Q { return q.Where("o.item", "=", "a").OrWhere("o.item", "=", "b") }).Where("o.user_id", "=", 1), "one", 2},
		} {
			route, err := tt.q.Route(ctx)
			require.NoError(t, err, claim)
			require.Equal(t, tt.want, route.Connection, claim)
			got, err := tt.q.Get(ctx)
			require.NoError(t, err, claim)
			require.Len(t, got, tt.n, claim)
		}
		counts := conformance.Statements(t, fl.Registry)
		// Each is told what to do.
		for claim, tt := range map[string]struct {
			q    Q
			hint string
		}{
			"nothing":              {as, `by a condition "user_id" = …`},
			"the other side":       {as.Join("orders AS p", "p.user_id", "=", "o.user_id").Where("p.user_id", "=", 1), `is on "p.user_id", a column of another table; the key is "o.user_id"`},
			"the other, by name":   {as.Join("orders", "orders.id", "=", "o.id").Where("orders.user_id", "=", 1), `the key is "o.user_id"`},
			"the other, in SQL":    {as.JoinRaw("JOIN orders ON orders.id = o.id").Where("orders.user_id", "=", 1), `the key is "o.user_id"`},
			"unknown alias":        {as.Where("x.user_id", "=", 1), `the key is "o.user_id"`},
			"both arms":            {as.Where("o.user_id", "=", 1).OrWhere("o.user_id", "=", 1), "into a group (WhereGroup)"},
			"both arms, as groups": {orders.Query().WhereGroup(func(q Q) Q { return q.Where("user_id", "=", 1).Where("item", "=", "a") }).OrWhereGroup(func(q Q) Q { return q.Where("user_id", "=", 1) }), "beside an OR"},
			"or in a group":        {orders.Query().WhereGroup(func(q Q) Q { return q.Where("user_id", "=", 1).OrWhere("item", "=", "a") }), "put it outside of the group"},
			"unequal":              {as.Where("o.user_id", ">", 1), "> does not say which shard; = and IN do"},
			"negated":              {as.WhereNot(func(q Q) Q { return q.Where("user_id", "=", 1) }), "a negation"},
			"raw":                  {as.WhereRaw("o.user_id = ?", 1), "SQL is not looked into"},
			"column":               {as.WhereColumn("o.user_id", "=", "o.id"), "add the value"},
		} {
			_, err := tt.q.Get(ctx)
			require.ErrorIs(t, err, dbfleet.ErrMissingShardKey, claim)
			require.ErrorContains(t, err, tt.hint, claim)
			_, err = tt.q.AllRows().Delete(ctx)
			require.ErrorIs(t, err, dbfleet.ErrMissingShardKey, claim)
		}
		require.Empty(t, counts(), "nothing was sent anywhere")
	})
}
