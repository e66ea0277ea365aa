package connections

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// shardedItem lives on the shard of its user: odd ones on one, even ones on two.
type shardedItem struct {
	ID     int64
	UserID int64
	Item   string
}

type customer struct {
	ID     int64
	Name   string
	Orders []shardedItem
}

// onShards runs f with two shards of orders, on every kind of database, and with a
// table of customers on "main".
func onShards(t *testing.T, f func(t *testing.T, fl conformance.Fleet, orders *dbfleet.Model[shardedItem])) {
	t.Helper()
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
		fl := conformance.Fleet{Registry: conformance.Open(t, map[string]dbfleet.ConnectionConfig{
			"main": conformance.ConnectionTo(db), "one": conformance.ConnectionTo(dbtest.New(t, db.Dialect)), "two": conformance.ConnectionTo(dbtest.New(t, db.Dialect)),
		}), Database: db}
		for _, name := range fl.Names() {
			_, err := fl.DB(name).ExecContext(t.Context(), conformance.DDL(db.Dialect, `CREATE TABLE orders (id {id}, user_id {bigint} NOT NULL, item VARCHAR(30) NOT NULL,
				UNIQUE (user_id, item))`))
			require.NoError(t, err)
		}
		fl.Create(t, `CREATE TABLE customers (id {id}, name {text})`)
		f(t, fl, conformance.Model[shardedItem](t, fl.Registry, dbfleet.ModelConfig{Table: "orders", Shard: dbfleet.ShardBy("user_id", oddEven)}))
	})
}

func oddEven(id int64) string {
	switch {
	case id >= 900:
		return "nowhere"
	case id >= 800:
		return ""
	case id%2 != 0:
		return "one"
	}
	return "two"
}

func on(t *testing.T, fl conformance.Fleet, name string) int {
	t.Helper()
	n, err := fl.DB(name).Table("orders").Count(t.Context())
	require.NoError(t, err)
	return int(n)
}

// promise 17: a record goes to the shard of its key, and is found, saved and deleted there.
func TestShards_HoldTheirOwnRecords(t *testing.T) {
	t.Parallel()
	onShards(t, func(t *testing.T, fl conformance.Fleet, orders *dbfleet.Model[shardedItem]) {
		ctx := t.Context()
		odd, even := shardedItem{UserID: 1, Item: "a"}, shardedItem{UserID: 2, Item: "b"}
		require.NoError(t, orders.Create(ctx, &odd))
		require.NoError(t, orders.Create(ctx, &even))
		require.Equal(t, odd.ID, even.ID, "each shard counts for itself")
		require.NoError(t, orders.CreateMany(ctx, []shardedItem{{UserID: 3, Item: "c"}, {UserID: 5, Item: "d"}}))
		require.Equal(t, []int{0, 3, 1}, []int{on(t, fl, "main"), on(t, fl, "one"), on(t, fl, "two")})
		require.ErrorContains(t, orders.CreateMany(ctx, []shardedItem{{UserID: 3, Item: "e"}, {UserID: 4, Item: "f"}}), `record 1 lives on shard "two"`)

		odd.Item = "aa"
		require.NoError(t, orders.Save(ctx, &odd))
		require.NoError(t, orders.Upsert(ctx, &shardedItem{UserID: 2, Item: "b"}, dbfleet.Conflict{Key: []string{"user_id", "item"}}))
		require.Equal(t, 1, on(t, fl, "two"))
		_, err := orders.Query().Insert(ctx, map[string]any{"user_id": "7", "item": "x"})
		require.NoError(t, err)
		require.Equal(t, 4, on(t, fl, "one"))

		// A record whose key was changed is not the one that has its id elsewhere.
		moved := odd
		moved.UserID, moved.Item = 4, "stolen" // id 1 is there too
		require.ErrorIs(t, orders.Save(ctx, &moved), dbfleet.ErrNotFound)
		require.ErrorIs(t, orders.SaveColumns(ctx, &moved, "item"), dbfleet.ErrNotFound)
		require.ErrorIs(t, orders.Delete(ctx, &moved), dbfleet.ErrNotFound)
		require.ErrorContains(t, orders.SaveColumns(ctx, &odd, "user_id"), "shard key")
		_, err = orders.Where("user_id", "=", 1).Update(ctx, map[string]any{"user_id": 3})
		require.ErrorContains(t, err, "shard key")
		got, err := orders.Where("user_id", "=", 2).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, []shardedItem{even}, got)

		require.NoError(t, orders.Shard(2).Delete(ctx, &shardedItem{ID: even.ID}), "the key given on the call is enough")
		require.Zero(t, on(t, fl, "two"))
		require.NoError(t, orders.Delete(ctx, &odd))
		n, err := orders.WhereIn("user_id", []int{3, 5, 7}).Delete(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 3, n)
	})
}

// The key is taken from where it is certain, and nowhere else.
func TestShards_AreFoundByCertainKeysOnly(t *testing.T) {
	t.Parallel()
	onShards(t, func(t *testing.T, fl conformance.Fleet, orders *dbfleet.Model[shardedItem]) {
		ctx := t.Context()
		require.NoError(t, orders.Create(ctx, &shardedItem{UserID: 1, Item: "a"}))
		text, null, five := "5", (*int64)(nil), int64(5)
		userID := dbfleet.Col[int64]("user_id")
		for name, tt := range map[string]struct {
			q    *dbfleet.Query[shardedItem]
			want string
		}{
			"on the call":        {orders.Shard(2).Query(), "two"},
			"text on the call":   {orders.Shard("2").Query(), "two"},
			"uint on the call":   {orders.Shard(uint8(3)).Query(), "one"},
			"pointer":            {orders.Shard(&five).Query(), "one"},
			"equality":           {orders.Where("user_id", "=", 2), "two"},
			"equality of text":   {orders.Where("user_id", "=", text), "one"},
			"typed":              {orders.Filter(userID.Eq(4)), "two"},
			"typed and":          {orders.Filter(dbfleet.And(userID.Eq(4), dbfleet.Col[string]("item").Eq("x"))), "two"},
			"qualified":          {orders.Where("orders.user_id", "=", 2), "two"},
			"among others":       {orders.Where("item", "=", "a").Where("user_id", "=", 1).Where("id", ">", 0), "one"},
			"in":                 {orders.WhereIn("user_id", []int64{1, 3, 5}), "one"},
			"in of any":          {orders.Where("user_id", "IN", []any{1, "3", int8(5)}), "one"},
			"group":              {orders.Query().WhereGroup(func(q *dbfleet.Query[shardedItem]) *dbfleet.Query[shardedItem] { return q.Where("user_id", "=", 2) }), "two"},
			"call and condition": {orders.Shard(4).Where("user_id", "=", 2), "two"},
			"named":              {orders.DB("main").Query(), "main"},
			"named, with keys":   {orders.DB("two").Where("user_id", "=", 1), "two"},
		} {
			route, err := tt.q.Route(ctx)
			require.NoError(t, err, name)
			require.Equal(t, tt.want, route.Connection, name)
			_, err = tt.q.Get(ctx)
			require.NoError(t, err, name)
		}
		or := func(q *dbfleet.Query[shardedItem]) *dbfleet.Query[shardedItem] {
			return q.Where("user_id", "=", 1).OrWhere("item", "=", "a")
		}
		same := func(q *dbfleet.Query[shardedItem]) *dbfleet.Query[shardedItem] { return q.Where("user_id", "=", 1) }
		counts := conformance.Statements(t, fl.Registry)
		for name, q := range map[string]*dbfleet.Query[shardedItem]{
			"nothing":           orders.Query(),
			"other column":      orders.Where("item", "=", "a"),
			"or":                orders.Where("user_id", "=", 1).OrWhere("item", "=", "a"),
			"or before":         orders.Where("item", "=", "a").OrWhere("user_id", "=", 1),
			"or in a group":     orders.Query().WhereGroup(or),
			"or of groups":      orders.Query().WhereGroup(same).OrWhereGroup(same),
			"typed or":          orders.Filter(dbfleet.Or(userID.Eq(1), userID.Eq(3))),
			"not":               orders.Query().WhereNot(same),
			"typed not":         orders.Filter(dbfleet.Not(userID.Eq(1))),
			"unequal":           orders.Where("user_id", "!=", 1),
			"range":             orders.Query().WhereBetween("user_id", 1, 1),
			"not in":            orders.Query().WhereNotIn("user_id", []int{1}),
			"raw":               orders.Query().WhereRaw("user_id = ?", 1),
			"null":              orders.Where("user_id", "=", nil),
			"is null":           orders.Query().WhereNull("user_id"),
			"nil pointer":       orders.Where("user_id", "=", null),
			"zero":              orders.Where("user_id", "=", 0),
			"empty list":        orders.WhereIn("user_id", []int64{}),
			"list with nil":     orders.WhereIn("user_id", []any{1, nil}),
			"list with zero":    orders.WhereIn("user_id", []int{1, 0}),
			"on several shards": orders.WhereIn("user_id", []int64{1, 2}),
			"subquery":          orders.WhereIn("user_id", fl.DB("one").Table("orders").Select("user_id")),
			"nil on the call":   orders.Shard(nil).Query(),
			"null on the call":  orders.Shard(null).Query(),
			"zero on the call":  orders.Shard(0).Query(),
			"no name":           orders.Shard(800).Query(),
			"other table's":     orders.Where("customers.user_id", "=", 1),
			"having":            orders.Query().GroupBy("user_id").Having("user_id", "=", 1),
		} {
			_, err := q.Route(ctx)
			require.ErrorIs(t, err, dbfleet.ErrMissingShardKey, name)
			_, err = q.Get(ctx)
			require.ErrorIs(t, err, dbfleet.ErrMissingShardKey, name)
			_, err = q.AllRows().Delete(ctx)
			require.ErrorIs(t, err, dbfleet.ErrMissingShardKey, name)
			_, err = q.AllRows().Update(ctx, map[string]any{"item": "x"})
			require.ErrorIs(t, err, dbfleet.ErrMissingShardKey, name)
		}
		for _, err := range []error{
			orders.Create(ctx, &shardedItem{Item: "x"}), orders.Save(ctx, &shardedItem{ID: 1, Item: "x"}), orders.Delete(ctx, &shardedItem{ID: 1}),
			orders.Upsert(ctx, &shardedItem{Item: "x"}, dbfleet.Conflict{}), orders.CreateMany(ctx, []shardedItem{{UserID: 1}, {}}),
			func() error { _, err := orders.Query().Insert(ctx, map[string]any{"item": "x"}); return err }(),
			func() error { _, err := orders.Find(ctx, 1); return err }(),
		} {
			require.ErrorIs(t, err, dbfleet.ErrMissingShardKey)
		}
		var conflict *dbfleet.StatementError
		for name, err := range map[string]error{
			"condition": func() error { _, err := orders.Shard(1).Where("user_id", "=", 2).Get(ctx); return err }(),
			"list":      func() error { _, err := orders.Shard(1).WhereIn("user_id", []int{1, 2}).Get(ctx); return err }(),
			"record":    orders.Shard(1).Create(ctx, &shardedItem{UserID: 2, Item: "x"}),
			"records":   orders.Shard(1).CreateMany(ctx, []shardedItem{{UserID: 1, Item: "x"}, {UserID: 2, Item: "x"}}),
			"row": func() error {
				_, err := orders.Shard(1).Query().Insert(ctx, map[string]any{"user_id": 2, "item": "x"})
				return err
			}(),
		} {
			require.ErrorAs(t, err, &conflict, name)
		}
		for name, key := range map[string]any{"text": "five", "fraction": 1.5, "too large": uint64(1) << 63, "list": []int{1}} {
			_, err := orders.Shard(key).Get(ctx)
			require.Error(t, err, name)
		}
		var unknown *dbfleet.UnknownConnectionError
		_, err := orders.Where("user_id", "=", 900).Get(ctx)
		require.ErrorAs(t, err, &unknown)
		require.Equal(t, "nowhere", unknown.Name)
		require.Equal(t, []string{"main", "one", "two"}, unknown.Known)
		require.ErrorAs(t, orders.Create(ctx, &shardedItem{UserID: 901}), &unknown)
		require.Empty(t, counts(), "nothing was sent anywhere")

		unsharded := conformance.Model[shardedItem](t, fl.Registry, dbfleet.ModelConfig{Table: "orders"})
		_, err = unsharded.Shard(1).Get(ctx)
		require.ErrorContains(t, err, "not sharded")
		_, err = dbfleet.NewModel[shardedItem](fl.Registry, dbfleet.ModelConfig{Table: "orders", Connection: "one", Shard: dbfleet.ShardBy("usr_id", oddEven)})
		var fault *dbfleet.ModelError
		require.ErrorAs(t, err, &fault)
		require.ErrorContains(t, err, "usr_id")
		require.ErrorContains(t, err, "no Connection of its own")
	})
}

// Keys of text route by their text.
func TestShards_ByText(t *testing.T) {
	t.Parallel()
	r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{
		"eu": {Driver: dbfleet.SQLite, Database: ":memory:"}, "us": {Driver: dbfleet.SQLite, Database: ":memory:"},
	})
	type account struct {
		ID     int64
		Region string
	}
	m := conformance.Model[account](t, r, dbfleet.ModelConfig{Table: "accounts", Shard: dbfleet.ShardBy("region", func(region string) string { return region })})
	for _, name := range []string{"eu", "us"} {
		route, err := m.Where("region", "=", name).Route(t.Context())
		require.NoError(t, err)
		require.Equal(t, name, route.Connection)
		require.Contains(t, route.Reason, "shard")
	}
	_, err := m.Where("region", "=", "").Get(t.Context())
	require.ErrorIs(t, err, dbfleet.ErrMissingShardKey)
	_, err = m.Where("region", "=", "asia").Get(t.Context())
	var unknown *dbfleet.UnknownConnectionError
	require.ErrorAs(t, err, &unknown)
}

// A transaction on one shard carries what routes there; what routes elsewhere runs on
// its own, and Using refuses it.
func TestShards_AndTransactions(t *testing.T) {
	t.Parallel()
	onShards(t, func(t *testing.T, fl conformance.Fleet, orders *dbfleet.Model[shardedItem]) {
		ctx := t.Context()
		boom := errors.New("boom")
		err := fl.Transaction(ctx, "one", func(ctx context.Context, tx *dbfleet.Tx) error {
			require.NoError(t, orders.Create(ctx, &shardedItem{UserID: 1, Item: "in"}))
			require.NoError(t, orders.Create(ctx, &shardedItem{UserID: 2, Item: "out"}))
			route, err := orders.Shard(1).Query().Route(ctx)
			require.NoError(t, err)
			require.True(t, route.Tx)
			route, err = orders.Shard(2).Query().Route(ctx)
			require.NoError(t, err)
			require.False(t, route.Tx)

			require.NoError(t, orders.Using(tx).Create(ctx, &shardedItem{UserID: 3, Item: "using"}))
			var other *dbfleet.TxConnectionError
			require.ErrorAs(t, orders.Using(tx).Create(ctx, &shardedItem{UserID: 4, Item: "using"}), &other)
			require.Equal(t, "one", other.Tx)
			require.Equal(t, "two", other.Want)
			_, err = orders.Using(tx).Where("user_id", "=", 4).Delete(ctx)
			require.ErrorAs(t, err, &other)
			return boom
		})
		require.ErrorIs(t, err, boom)
		require.Zero(t, on(t, fl, "one"))
		require.Equal(t, 1, on(t, fl, "two"))
		require.NoError(t, orders.Shard(2).Query().Transaction(ctx, func(ctx context.Context, tx *dbfleet.Tx) error {
			require.Equal(t, "two", tx.Connection())
			return nil
		}))
	})
}

// Related records of several shards come from each of them, in one statement a shard.
func TestShards_LoadRelationsShardByShard(t *testing.T) {
	t.Parallel()
	onShards(t, func(t *testing.T, fl conformance.Fleet, orders *dbfleet.Model[shardedItem]) {
		ctx := t.Context()
		customers := conformance.Model[customer](t, fl.Registry, dbfleet.ModelConfig{Table: "customers"})
		list := []customer{{Name: "a"}, {Name: "b"}, {Name: "c"}, {Name: "d"}}
		require.NoError(t, customers.CreateMany(ctx, list))
		for _, c := range list {
			for i := range c.ID {
				require.NoError(t, orders.Create(ctx, &shardedItem{UserID: c.ID, Item: fmt.Sprint(i)}))
			}
		}
		ordersOf := dbfleet.HasMany(customers, orders, dbfleet.On("user_id"), func(c *customer) *[]shardedItem { return &c.Orders })
		counts := conformance.Statements(t, fl.Registry)
		got, err := customers.With(ordersOf).OrderBy("id", dbfleet.Asc).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, map[string]int{"select": 3}, counts())
		for _, c := range got {
			require.Len(t, c.Orders, int(c.ID))
			for _, o := range c.Orders {
				require.Equal(t, c.ID, o.UserID)
			}
		}
		lazy, err := ordersOf.For(&got[2]).Get(ctx)
		require.NoError(t, err)
		require.Len(t, lazy, 3)
	})
}

// moving is a record whose callback changes its shard key.
type moving struct {
	ID     int64
	UserID int64
	Item   string
	to     int64
}

func (m *moving) BeforeCreate(context.Context) error {
	if m.to != 0 {
		m.UserID = m.to
	}
	return nil
}

// A record is never stored on a shard that is not its own.
func TestShards_BeforeCreateMovesNoRecord(t *testing.T) {
	t.Parallel()
	onShards(t, func(t *testing.T, fl conformance.Fleet, _ *dbfleet.Model[shardedItem]) {
		ctx := t.Context()
		orders := conformance.Model[moving](t, fl.Registry, dbfleet.ModelConfig{Table: "orders", Shard: dbfleet.ShardBy("user_id", oddEven)})
		require.NoError(t, orders.Create(ctx, &moving{UserID: 1, Item: "a", to: 3}), "the same shard")
		require.ErrorContains(t, orders.Create(ctx, &moving{UserID: 1, Item: "b", to: 2}), `from "one" to "two"`)
		require.ErrorContains(t, orders.CreateMany(ctx, []moving{{UserID: 1, Item: "c"}, {UserID: 3, Item: "d", to: 2}}), `from "one" to "two"`)
		require.Equal(t, []int{0, 1, 0}, []int{on(t, fl, "main"), on(t, fl, "one"), on(t, fl, "two")})
	})
}

// The primary key can be the shard key: then Find knows where to look.
func TestShard_FindGoesByTheModelsOwnKey(t *testing.T) {
	t.Parallel()
	onShards(t, func(t *testing.T, fl conformance.Fleet, _ *dbfleet.Model[shardedItem]) {
		ctx := t.Context()
		orders := conformance.Model[shardedItem](t, fl.Registry, dbfleet.ModelConfig{Table: "orders", Shard: dbfleet.ShardBy("id", oddEven)})
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
