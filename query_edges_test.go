package dbfleet_test

import (
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// The primary key can be the shard key: then Find knows where to look.
func TestShard_FindGoesByTheModelsOwnKey(t *testing.T) {
	t.Parallel()
	onShards(t, func(t *testing.T, fl fleet, _ *dbfleet.Model[shardedItem]) {
		ctx := t.Context()
		orders := model[shardedItem](t, fl.Registry, dbfleet.ModelConfig{Table: "orders", Shard: dbfleet.ShardBy("id", oddEven)})
		for id := range int64(4) {
			require.NoError(t, orders.Create(ctx, &shardedItem{ID: 1 + id, UserID: 1, Item: string(rune('a' + id))}))
		}
		require.Equal(t, []int{0, 2, 2}, []int{on(t, fl, "main"), on(t, fl, "one"), on(t, fl, "two")})
		var asked []string
		fl.OnAfterQuery(func(_ context.Context, e dbfleet.QueryEvent) { asked = append(asked, e.Route.Connection) })
		for id := range int64(4) {
			got, err := orders.Find(ctx, 1+id)
			require.NoError(t, err)
			require.Equal(t, shardedItem{ID: 1 + id, UserID: 1, Item: string(rune('a' + id))}, got)
		}
		require.Equal(t, []string{"one", "two", "one", "two"}, asked)
		_, err := orders.Find(ctx, 8)
		require.ErrorIs(t, err, dbfleet.ErrNotFound)
		_, err = orders.Find(ctx, 901)
		require.Error(t, err, "no shard of that name is known")
	})
}

// The smallest number has no opposite.
func TestDecrement_RefusesANumberWithoutAnOpposite(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
		ctx := t.Context()
		accounts := fl.bank(t)
		one := account{Owner: "a", Balance: 5}
		require.NoError(t, accounts.Create(ctx, &one))
		q := accounts.Where("id", "=", one.ID)
		balance := func() int64 {
			got, err := accounts.Find(ctx, one.ID)
			require.NoError(t, err)
			return got.Balance
		}
		for _, by := range []any{int64(math.MinInt64), uint64(math.MaxInt64) + 1} {
			_, err := q.Decrement(ctx, "balance", by)
			require.ErrorIs(t, err, dbfleet.ErrRange, "%v", by)
			require.EqualValues(t, 5, balance())
		}
		for _, by := range []any{0, int8(0), uint(0)} {
			_, err := q.Decrement(ctx, "balance", by)
			require.NoError(t, err, "%T", by)
			require.EqualValues(t, 5, balance())
		}
		for _, by := range []any{2, int64(-3)} {
			_, err := q.Decrement(ctx, "balance", by)
			require.NoError(t, err, "%T", by)
		}
		require.EqualValues(t, 6, balance())
	})
}

// MySQL compares text with a number as doubles: two texts that begin with the
// same digits would be equal to it.
func TestTable_ANumberIsComparedWithATextWhole(t *testing.T) {
	t.Parallel()
	for _, dialect := range []string{"sqlite", "mysql"} { // PostgreSQL does not compare them
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			db := dbtest.New(t, dialect)
			fl := fleet{open(t, map[string]dbfleet.ConnectionConfig{"main": connectionTo(db)}), db}
			fl.create(t, `CREATE TABLE codes (id {id}, code {text}, n {bigint})`, `INSERT INTO codes (code, n) VALUES
				('0', 0), ('x', 1), ('9007199254740992', 9007199254740992), ('9007199254740992x', 9007199254740993),
				('-9007199254740992', -9007199254740992), ('-9007199254740992x', -9007199254740993), ('1.5', 2), ('1.5x', 3)`)
			found := func(column string, value any) int64 {
				n, err := fl.DB("main").Table("codes").Where(column, "=", value).Count(t.Context())
				require.NoError(t, err)
				return n
			}
			for _, whole := range []any{0, int64(1 << 53), int64(-1 << 53), 1.5} {
				require.EqualValues(t, 1, found("code", whole), "%v", whole)
			}
			for _, n := range []int64{0, 1 << 53, 1<<53 + 1, -1 << 53, -1<<53 - 1} {
				require.EqualValues(t, 1, found("n", n), "%d", n)
			}
		})
	}
}
