package promises

import (
	"context"
	"testing"
	"time"

	"github.com/Masterminds/squirrel"
	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// promise 11
func TestPromise11_QueriesOnAConnectionWithoutAModel(t *testing.T) {
	t.Parallel()
	onEachEstate(t, []string{"main", "users_db"}, func(t *testing.T, e estate) {
		ctx := t.Context()
		e.create(membersTable, "users_db")
		now := time.Date(2024, 2, 29, 12, 0, 0, 123456000, time.UTC)
		db, err := e.Connect(ctx, "users_db")
		require.NoError(t, err)
		_, err = db.Table("members").Insert(ctx, dbfleet.Row{
			"name": "Ada", "email": "a", "is_admin": true, "created_at": now, "updated_at": now,
		})
		require.NoError(t, err)

		row, err := db.Table("members").Where("name", "=", "Ada").Limit(1).First(ctx)
		require.NoError(t, err)
		require.Equal(t, "a", row["email"])
		require.Equal(t, now, row["created_at"])
		ada, err := dbfleet.Table[guideUser](db, "members").Where("name", "=", "Ada").First(ctx)
		require.NoError(t, err)
		require.Equal(t, guideUser{ID: ada.ID, Name: "Ada", Email: "a", IsAdmin: true, CreatedAt: now, UpdatedAt: now}, ada)
	})
}

// promise 12
func TestPromise12_RawPartsWithBindings(t *testing.T) {
	t.Parallel()
	onEachEstate(t, []string{"orders_db"}, func(t *testing.T, e estate) {
		ctx := t.Context()
		e.fill("orders_db")
		type stats struct {
			TotalOrders                           int64
			TotalSpent, AvgOrderValue, LargestOne float64
		}
		got, err := dbfleet.Table[stats](e.DB("orders_db"), "purchases").
			SelectRaw("COUNT(*) AS total_orders").SelectRaw("SUM(total) AS total_spent").
			SelectRaw("AVG(total) AS avg_order_value").SelectRaw("MAX(total) AS largest_one").
			WhereRaw("user_id = ?", 3).First(ctx)
		require.NoError(t, err)
		require.Equal(t, stats{3, 60, 20, 30}, got)

		purchases := e.DB("orders_db").Table("purchases")
		n, err := purchases.WhereRaw("CONCAT(id, '-', user_id) LIKE ?", "%-3").Where("total", "<", 25).Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		n, err = purchases.Filter(dbfleet.Or(dbfleet.Raw("total > ?", 25), dbfleet.Expr(squirrel.Eq{"user_id": []int{1}}))).Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		_, err = purchases.WhereRaw("user_id = ? OR total = ?", 3).Get(ctx)
		var fault *dbfleet.StatementError
		require.ErrorAs(t, err, &fault, "the number of arguments is checked")
	})
}

// promise 13
func TestPromise13_TheWholeBuilder(t *testing.T) {
	t.Parallel()
	onEachEstate(t, []string{"orders_db"}, func(t *testing.T, e estate) {
		ctx := t.Context()
		e.fill("orders_db")
		e.create("CREATE TABLE clients (id {bigint} PRIMARY KEY, name {text} NOT NULL)", "orders_db")
		clients, purchases := e.DB("orders_db").Table("clients"), e.DB("orders_db").Table("purchases")
		for i, name := range []string{"Ada", "Bob", "Cyd", "Dan"} {
			require.NoError(t, clients.Upsert(ctx, dbfleet.Row{"id": i + 1, "name": name}, dbfleet.Conflict{Key: []string{"id"}}))
		}
		require.NoError(t, clients.Upsert(ctx, dbfleet.Row{"id": 2, "name": "Bea"}, dbfleet.Conflict{Key: []string{"id"}}))

		names := func(q *dbfleet.Query[dbfleet.Row]) []string {
			t.Helper()
			list, err := dbfleet.Pluck[string](ctx, q, "name")
			require.NoError(t, err)
			return list
		}
		byName := clients.OrderBy("name", dbfleet.Asc)
		require.Equal(t, []string{"Ada", "Bea", "Cyd", "Dan"}, names(byName))
		require.Equal(t, []string{"Bea", "Cyd"}, names(byName.Limit(2).Offset(1)))
		require.Equal(t, []string{"Ada", "Dan"}, names(byName.Where("id", "=", 1).OrWhere("id", ">", 3)))
		require.Equal(t, []string{"Ada", "Bea"}, names(byName.WhereIn("id", []int{1, 2})))
		require.Equal(t, []string{"Cyd"}, names(byName.WhereBetween("id", 3, 3)))
		buyers := byName.As("c").WhereExists(e.DB("orders_db").Table("purchases").WhereColumn("purchases.user_id", "=", "c.id"))
		require.Equal(t, []string{"Ada", "Bea", "Cyd"}, names(buyers))
		require.Equal(t, []string{"Ada", "Dan"}, names(clients.Where("id", "=", 1).Select("name").
			Union(clients.Where("id", "=", 4).Select("name")).OrderBy("name", dbfleet.Asc)))

		joined, err := clients.Join("purchases", "purchases.user_id", "=", "clients.id").Select("clients.name").
			SelectRaw("COUNT(*) AS n").GroupBy("clients.name").HavingRaw("COUNT(*) > ?", 1).OrderBy("n", dbfleet.Desc).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, []dbfleet.Row{{"name": "Cyd", "n": int64(3)}, {"name": "Bea", "n": int64(2)}}, joined)
		distinct, err := purchases.Distinct().Select("total").Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 3, distinct)
		sum, err := purchases.Sum(ctx, "total")
		require.NoError(t, err)
		require.InDelta(t, 100, sum, 0)
		there, err := purchases.Where("user_id", "=", 9).Exists(ctx)
		require.NoError(t, err)
		require.False(t, there)
		n, err := purchases.Where("user_id", "=", 3).Update(ctx, dbfleet.Row{"total": dbfleet.Raw("total + ?", 1)})
		require.NoError(t, err)
		require.EqualValues(t, 3, n)
		largest, err := purchases.Max(ctx, "total")
		require.NoError(t, err)
		require.InDelta(t, 31, largest, 0)
		n, err = purchases.Where("user_id", "=", 3).Delete(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 3, n)

		err = e.Transaction(ctx, "orders_db", func(ctx context.Context, tx *dbfleet.Tx) error {
			_, err := tx.Table("purchases").Where("user_id", "=", 1).ForUpdate().Get(ctx)
			return err
		})
		if e.dialect == "sqlite" { // which has no row locks, and is told so
			var fault *dbfleet.StatementError
			require.ErrorAs(t, err, &fault)
		} else {
			require.NoError(t, err)
		}
	})
}

// promise 14
func TestPromise14_TheInsertedID(t *testing.T) {
	t.Parallel()
	onEachEstate(t, []string{"users_db"}, func(t *testing.T, e estate) {
		ctx := t.Context()
		e.create(conformance.PurchasesTable, "users_db")
		result, err := e.DB("users_db").Table("purchases").Insert(ctx, dbfleet.Row{"user_id": 1, "total": 1.5})
		require.NoError(t, err)
		require.EqualValues(t, 1, result.LastInsertID)

		purchases := conformance.Model[conformance.Purchase](t, e.Registry, dbfleet.ModelConfig{Table: "purchases"})
		one := conformance.Purchase{UserID: 2}
		require.NoError(t, purchases.Create(ctx, &one))
		require.EqualValues(t, 2, one.ID)
		many := []conformance.Purchase{{UserID: 3}, {UserID: 4}, {UserID: 5}}
		require.NoError(t, purchases.CreateMany(ctx, many))
		for _, p := range many {
			found, err := purchases.Find(ctx, p.ID)
			require.NoError(t, err)
			require.Equal(t, p, found)
		}
	})
}

// promise 15
func TestPromise15_TimesInConditions(t *testing.T) {
	t.Parallel()
	onEachEstate(t, []string{"analytics"}, func(t *testing.T, e estate) {
		ctx := t.Context()
		e.create(visitsTable, "analytics")
		visits := conformance.Model[guideEvent](t, e.Registry, dbfleet.ModelConfig{Table: "visits"})
		tokyo := time.FixedZone("Tokyo", 9*60*60)
		at := time.Date(2024, 3, 10, 2, 30, 0, 123456000, tokyo)
		for _, d := range []time.Duration{-time.Hour, 0, time.Microsecond, time.Hour} {
			require.NoError(t, visits.Create(ctx, &guideEvent{EventType: "x", CreatedAt: at.Add(d)}))
		}
		for op, want := range map[string]int64{"=": 1, ">=": 3, ">": 2, "<": 1, "<=": 2, "!=": 3} {
			n, err := visits.Where("created_at", op, at.UTC()).Count(ctx)
			require.NoError(t, err)
			require.Equal(t, want, n, op)
		}
		same, err := visits.Where("created_at", "=", at).First(ctx)
		require.NoError(t, err)
		require.True(t, same.CreatedAt.Equal(at))
		last, err := dbfleet.Max[time.Time](ctx, visits, "created_at")
		require.NoError(t, err)
		require.True(t, last.Equal(at.Add(time.Hour)))
	})
}
