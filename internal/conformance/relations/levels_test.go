package relations

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

type customer struct {
	ID     int64
	Orders []purchase
	Spent  int64 `db:"-"`
}

type purchase struct {
	ID         int64
	CustomerID int64
	Lines      []line
}

type line struct {
	ID         int64
	CustomerID int64
	PurchaseID int64
	ProductID  int64
	Amount     int64
	Product    *product
}

type product struct {
	ID      int64
	MakerID int64
	Maker   *maker
}

type maker struct {
	ID   int64
	Name string
}

// Five levels over PostgreSQL, two shards on MariaDB, and SQLite are one statement for each
// level and database that it is on, however many records there are.
func TestWith_SendsOneStatementForEachLevelAndDatabase(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	kinds := map[string]string{"people": "postgres", "shard_0": "mysql", "shard_1": "mysql", "catalog": "sqlite"}
	connections := map[string]dbfleet.ConnectionConfig{}
	for name, kind := range kinds {
		connections[name] = conformance.ConnectionTo(dbtest.New(t, kind))
	}
	r := conformance.Open(t, connections)
	create := func(on, ddl string) {
		_, err := r.DB(on).ExecContext(ctx, conformance.DDL(kinds[on], ddl))
		require.NoError(t, err)
	}
	create("people", `CREATE TABLE customers (id {bigint} PRIMARY KEY)`)
	create("people", `CREATE TABLE makers (id {bigint} PRIMARY KEY, name {text} NOT NULL)`)
	create("catalog", `CREATE TABLE products (id {bigint} PRIMARY KEY, maker_id {bigint} NOT NULL)`)
	for _, on := range []string{"shard_0", "shard_1"} {
		create(on, `CREATE TABLE purchases (id {bigint} PRIMARY KEY, customer_id {bigint} NOT NULL)`)
		create(on, `CREATE TABLE item_lines (id {bigint} PRIMARY KEY, customer_id {bigint} NOT NULL, purchase_id {bigint} NOT NULL, product_id {bigint} NOT NULL, amount {bigint} NOT NULL)`)
	}
	rule := dbfleet.ShardBy("customer_id", func(id int64) string { return fmt.Sprint("shard_", id%2) })
	customers := conformance.Model[customer](t, r, dbfleet.ModelConfig{Table: "customers", Connection: "people"})
	purchases := conformance.Model[purchase](t, r, dbfleet.ModelConfig{Table: "purchases", Shard: rule})
	lines := conformance.Model[line](t, r, dbfleet.ModelConfig{Table: "item_lines", Shard: rule})
	products := conformance.Model[product](t, r, dbfleet.ModelConfig{Table: "products", Connection: "catalog"})
	makers := conformance.Model[maker](t, r, dbfleet.ModelConfig{Table: "makers", Connection: "people"})
	ordersOf := dbfleet.HasMany(customers, purchases, dbfleet.On("customer_id"), func(c *customer) *[]purchase { return &c.Orders })
	linesOf := dbfleet.HasMany(purchases, lines, dbfleet.On("purchase_id"), func(p *purchase) *[]line { return &p.Lines })
	productOf := dbfleet.BelongsTo(lines, products, dbfleet.On("product_id"), func(l *line) **product { return &l.Product })
	makerOf := dbfleet.BelongsTo(products, makers, dbfleet.On("maker_id"), func(p *product) **maker { return &p.Maker })
	for id := range int64(20) {
		require.NoError(t, customers.Create(ctx, &customer{ID: id + 1}))
		require.NoError(t, makers.Create(ctx, &maker{ID: id + 1, Name: fmt.Sprint("maker ", id+1)}))
		require.NoError(t, products.Create(ctx, &product{ID: id + 1, MakerID: 20 - id}))
		for n := range int64(3) {
			order := 10*(id+1) + n
			require.NoError(t, purchases.Create(ctx, &purchase{ID: order, CustomerID: id + 1}))
			require.NoError(t, lines.CreateMany(ctx, []line{
				{ID: 2 * order, CustomerID: id + 1, PurchaseID: order, ProductID: id + 1, Amount: 5},
				{ID: 2*order + 1, CustomerID: id + 1, PurchaseID: order, ProductID: (id+n)%20 + 1, Amount: 7},
			}))
		}
	}
	var mu sync.Mutex
	sent := map[string]int{}
	t.Cleanup(r.OnAfterQuery(func(_ context.Context, e dbfleet.QueryEvent) {
		mu.Lock()
		defer mu.Unlock()
		sent[e.Table+" on "+e.Route.Connection]++
	}))
	list, err := customers.With(ordersOf.With(linesOf.With(productOf.With(makerOf)))).OrderBy("id", "asc").Get(ctx)
	require.NoError(t, err)
	require.Equal(t, map[string]int{
		"customers on people": 1, "purchases on shard_0": 1, "purchases on shard_1": 1, "item_lines on shard_0": 1, "item_lines on shard_1": 1,
		"products on catalog": 1, "makers on people": 1,
	}, sent)
	require.Len(t, list, 20)
	for _, c := range list {
		require.Len(t, c.Orders, 3)
		for _, o := range c.Orders {
			require.Len(t, o.Lines, 2)
			require.EqualValues(t, 21-c.ID, o.Lines[0].Product.Maker.ID)
		}
	}

	// Counts over the shards, and conditions that lead through them: a customer's orders are
	// on one shard, which the conditions need not name if both sides have one rule.
	clear(sent)
	loaded, err := customers.With(dbfleet.CountRelated(ordersOf, func(c *customer) *int64 { return &c.Spent })).Get(ctx)
	require.NoError(t, err)
	for _, c := range loaded {
		require.EqualValues(t, 3, c.Spent)
	}
	require.Len(t, sent, 3)
	one, err := purchases.Where("customer_id", "=", 3).Filter(linesOf.Has(productOf.Has(makerOf.Has(dbfleet.Col[string]("name").Eq("maker 18"))))).Get(ctx)
	require.NoError(t, err)
	require.Len(t, one, 3)
	_, err = customers.Filter(ordersOf.Has()).Get(ctx)
	require.ErrorIs(t, err, dbfleet.ErrMissingShardKey)
	n, err := customers.Filter(ordersOf.Has(dbfleet.Col[int64]("customer_id").In(4, 6))).Count(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 2, n, "the conditions name a shard")
}
