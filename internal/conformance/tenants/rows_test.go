package tenants

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

type order struct {
	ID       int64
	TenantID string
	Number   string
	Total    int64
	Lines    []line
}

type line struct {
	ID       int64
	TenantID string
	OrderID  int64
	Article  string
}

// shop is a table for all tenants, and another one that belongs to it.
type shop struct {
	conformance.Fleet
	orders  *dbfleet.Model[order]
	lines   *dbfleet.Model[line]
	linesOf dbfleet.ToMany[order, line]
}

func acme(t *testing.T) context.Context { return dbfleet.WithTenant(t.Context(), "acme") }

func zeta(t *testing.T) context.Context { return dbfleet.WithTenant(t.Context(), "zeta") }

func all(t *testing.T) context.Context { return dbfleet.AcrossTenants(t.Context()) }

// onShops runs f with a shop in which both tenants have two orders of the same numbers.
func onShops(t *testing.T, f func(t *testing.T, s shop)) {
	t.Helper()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) { f(t, shopOn(t, fl)) })
}

func shopOn(t *testing.T, fl conformance.Fleet) shop {
	t.Helper()
	fl.Create(t,
		`CREATE TABLE orders (id {id}, tenant_id {text} NOT NULL, number {text} NOT NULL, total {bigint} NOT NULL, UNIQUE (tenant_id, number))`,
		`CREATE TABLE order_lines (id {id}, tenant_id {text} NOT NULL, order_id {bigint} NOT NULL, article {text} NOT NULL UNIQUE)`)
	rule := dbfleet.TenantByColumn("tenant_id", dbfleet.TenantOptions{Across: true})
	s := shop{
		Fleet:  fl,
		orders: conformance.Model[order](t, fl.Registry, dbfleet.ModelConfig{Table: "orders", Tenant: rule, Fillable: []string{"number", "total"}}),
		lines:  conformance.Model[line](t, fl.Registry, dbfleet.ModelConfig{Table: "order_lines", Tenant: rule}),
	}
	s.linesOf = dbfleet.HasMany(s.orders, s.lines, dbfleet.On("order_id"), func(o *order) *[]line { return &o.Lines })
	for _, ctx := range []context.Context{acme(t), zeta(t)} {
		list := []order{{Number: "1", Total: 10}, {Number: "2", Total: 20}}
		require.NoError(t, s.orders.CreateMany(ctx, list))
		for _, o := range list {
			require.NoError(t, s.lines.Create(ctx, &line{OrderID: o.ID, Article: o.TenantID + " " + o.Number}))
		}
	}
	return s
}

// of are the orders of a tenant, without their lines.
func (s shop) of(t *testing.T, tenant string) []order {
	t.Helper()
	list, err := s.orders.Where("tenant_id", "=", tenant).OrderBy("id", dbfleet.Asc).Get(all(t))
	require.NoError(t, err)
	return list
}

func TestTenant_SeesItsOwnRowsOnly(t *testing.T) {
	t.Parallel()
	onShops(t, func(t *testing.T, s shop) {
		ctx, theirs := acme(t), s.of(t, "zeta")
		list, err := s.orders.Query().OrWhere("total", ">", 0).OrWhere("tenant_id", "=", "zeta").With(s.linesOf).OrderBy("id", dbfleet.Asc).Get(ctx)
		require.NoError(t, err)
		require.Len(t, list, 2)
		for _, o := range list {
			require.Equal(t, "acme", o.TenantID)
			require.Len(t, o.Lines, 1)
			require.Equal(t, "acme "+o.Number, o.Lines[0].Article)
		}
		n, err := s.orders.Query().Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		_, err = s.orders.Find(ctx, theirs[0].ID)
		require.ErrorIs(t, err, dbfleet.ErrNotFound)
		_, err = s.orders.Find(ctx, list[0].ID)
		require.NoError(t, err)
		found, err := s.orders.Where("id", "=", theirs[0].ID).Exists(ctx)
		require.NoError(t, err)
		require.False(t, found)
		total, err := dbfleet.Sum[int64](ctx, s.orders.Query(), "total")
		require.NoError(t, err)
		require.EqualValues(t, 30, total)
		rows, err := s.DB("main").Table("orders").Get(ctx)
		require.NoError(t, err)
		require.Len(t, rows, 2)
		for o, err := range s.orders.Query().Iter(ctx) {
			require.NoError(t, err)
			require.Equal(t, "acme", o.TenantID)
		}
		gone := theirs[0]
		gone.TenantID = ""
		require.ErrorIs(t, s.orders.Refresh(ctx, &gone), dbfleet.ErrNotFound)
	})
}

func TestTenant_HoldsWhereverTheTableStands(t *testing.T) {
	t.Parallel()
	onShops(t, func(t *testing.T, s shop) {
		ctx := acme(t)
		db := s.DB("main")
		joined, err := s.orders.Query().Join("order_lines", "order_lines.id", ">", "orders.id").SelectAs("order_lines.article", "number").Get(ctx)
		require.NoError(t, err)
		for _, o := range joined {
			require.Contains(t, o.Number, "acme")
		}
		left, err := s.orders.Query().As("o").LeftJoin("order_lines AS l", "l.order_id", "<>", "o.id").Select("o.id").SelectAs("l.article", "number").Get(ctx)
		require.NoError(t, err)
		require.Len(t, left, 2)
		for _, o := range left {
			require.Contains(t, o.Number, "acme")
		}
		cross, err := s.orders.Query().CrossJoin("order_lines").SelectAs("order_lines.article", "number").Get(ctx)
		require.NoError(t, err)
		require.Len(t, cross, 4)
		theirs, err := dbfleet.Pluck[int64](all(t), s.lines.Where("tenant_id", "=", "zeta"), "order_id")
		require.NoError(t, err)
		sub := s.lines.Where("article", "LIKE", "%").Select("order_id")
		n, err := s.orders.Query().WhereIn("id", sub).Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		within, err := dbfleet.Pluck[int64](ctx, s.lines.Query(), "order_id")
		require.NoError(t, err)
		require.NotContains(t, within, theirs[0])
		united, err := s.orders.Where("number", "=", "1").UnionAll(s.orders.Query()).Get(ctx)
		require.NoError(t, err)
		require.Len(t, united, 3)
		from, err := dbfleet.From(s.orders.Select("id", "tenant_id"), "mine").Get(ctx)
		require.NoError(t, err)
		require.Len(t, from, 2)
		cte, err := db.Table("few").WithCTE(dbfleet.CTE{Name: "few", Query: s.orders.Query()}).Get(ctx)
		require.NoError(t, err)
		require.Len(t, cte, 2)
		has, err := s.orders.Query().Filter(s.linesOf.Has()).Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 2, has)
	})
}

func TestTenant_ChangesItsOwnRowsOnly(t *testing.T) {
	t.Parallel()
	onShops(t, func(t *testing.T, s shop) {
		ctx, theirs := acme(t), s.of(t, "zeta")
		n, err := s.orders.Query().AllRows().Update(ctx, dbfleet.Row{"total": 1})
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		n, err = s.orders.Where("total", ">", 0).OrWhere("tenant_id", "=", "zeta").Increment(ctx, "total", 1)
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		n, err = s.DB("main").Table("orders").Where("id", "=", theirs[0].ID).Update(ctx, dbfleet.Row{"total": 1})
		require.NoError(t, err)
		require.Zero(t, n)
		n, err = s.orders.Query().AllRows().OrderBy("id", dbfleet.Desc).Limit(1).Update(ctx, dbfleet.Row{"total": 7})
		require.NoError(t, err)
		require.EqualValues(t, 1, n, "the limit is of the tenant's rows")
		stolen := theirs[0]
		stolen.TenantID, stolen.Total = "", 99
		require.ErrorIs(t, s.orders.Save(ctx, &stolen), dbfleet.ErrNotFound)
		require.ErrorIs(t, s.orders.SaveMany(ctx, []order{stolen}), dbfleet.ErrNotFound)
		require.ErrorIs(t, s.orders.Delete(ctx, &stolen), dbfleet.ErrNotFound)
		n, err = s.orders.Where("id", "=", theirs[0].ID).OrWhere("1", "=", 1).Delete(ctx)
		require.Error(t, err)
		require.Zero(t, n)
		n, err = s.orders.Query().AllRows().Delete(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		require.Equal(t, theirs, s.of(t, "zeta"))
		require.Empty(t, s.of(t, "acme"))
	})
}

func TestTenant_IsSetInWhatIsCreated(t *testing.T) {
	t.Parallel()
	onShops(t, func(t *testing.T, s shop) {
		ctx := acme(t)
		o := order{Number: "3"}
		require.NoError(t, s.orders.Create(ctx, &o))
		require.Equal(t, "acme", o.TenantID)
		made, err := s.orders.CreateFrom(ctx, dbfleet.Row{"number": "4"})
		require.NoError(t, err)
		require.Equal(t, "acme", made.TenantID)
		_, err = s.orders.Query().Insert(ctx, dbfleet.Row{"number": "5", "total": 1}, dbfleet.Row{"number": "6", "total": 1})
		require.NoError(t, err)
		_, err = s.DB("main").Table("orders").Insert(ctx, dbfleet.Row{"number": "7", "total": 1})
		require.NoError(t, err)
		_, err = s.orders.Load(ctx, func(yield func(order) bool) { yield(order{Number: "8"}) })
		require.NoError(t, err)
		require.NoError(t, s.orders.Upsert(ctx, &order{Number: "9"}, dbfleet.Conflict{Key: []string{"tenant_id", "number"}}))
		_, err = dbfleet.InsertFrom(ctx, s.orders.Query(), []string{"number", "total"}, s.orders.Where("number", "=", "1").SelectRaw("'10'").Select("total"))
		require.NoError(t, err)
		f := order{Number: "11"}
		created, err := s.orders.FirstOrCreate(ctx, &f, "number")
		require.NoError(t, err)
		require.True(t, created)
		require.Equal(t, "acme", f.TenantID)
		require.Len(t, s.of(t, "acme"), 11)
		require.Len(t, s.of(t, "zeta"), 2)
	})
}

func TestTenant_OfAnotherRecordIsRefused(t *testing.T) {
	t.Parallel()
	onShops(t, func(t *testing.T, s shop) {
		ctx, before := acme(t), s.of(t, "zeta")
		theirs := before[0]
		theirs.Total = 99
		fresh := order{TenantID: "zeta", Number: "3"}
		require.ErrorIs(t, s.orders.Create(ctx, &fresh), dbfleet.ErrOtherTenant)
		require.Equal(t, order{TenantID: "zeta", Number: "3"}, fresh)
		require.ErrorIs(t, s.orders.CreateMany(ctx, []order{{Number: "4"}, fresh}), dbfleet.ErrOtherTenant)
		require.ErrorIs(t, s.orders.Save(ctx, &theirs), dbfleet.ErrOtherTenant)
		require.ErrorIs(t, s.orders.Delete(ctx, &theirs), dbfleet.ErrOtherTenant)
		require.ErrorIs(t, s.orders.Upsert(ctx, &theirs), dbfleet.ErrOtherTenant)
		_, err := s.orders.Query().Insert(ctx, dbfleet.Row{"number": "5", "total": 1, "tenant_id": "zeta"})
		require.ErrorIs(t, err, dbfleet.ErrOtherTenant)
		_, err = s.orders.Load(ctx, func(yield func(order) bool) { yield(fresh) })
		require.ErrorIs(t, err, dbfleet.ErrOtherTenant)
		_, err = s.orders.Query().AllRows().Update(ctx, dbfleet.Row{"tenant_id": "zeta"})
		require.ErrorContains(t, err, `column "tenant_id" says whose row it is`)
		_, err = s.DB("main").Table("orders").AllRows().Update(ctx, dbfleet.Row{"tenant_id": "zeta"})
		require.ErrorContains(t, err, `says whose row it is`)
		require.Equal(t, before, s.of(t, "zeta"))
		require.Len(t, s.of(t, "acme"), 2)
	})
}

func TestTenant_UpsertLeavesTheRowOfAnother(t *testing.T) {
	t.Parallel()
	onShops(t, func(t *testing.T, s shop) {
		ctx, before, own := acme(t), s.of(t, "zeta"), s.of(t, "acme")
		for _, conflict := range []dbfleet.Conflict{{}, {DoNothing: true}, {Update: []string{"total"}}} {
			hit := order{ID: before[0].ID, Number: "9", Total: 99}
			require.ErrorIs(t, s.orders.Upsert(ctx, &hit, conflict), dbfleet.ErrOtherTenant)
			require.ErrorIs(t, s.orders.UpsertMany(ctx, []order{{ID: own[0].ID, Number: "1", Total: 99}, hit}, conflict), dbfleet.ErrOtherTenant)
			err := s.DB("main").Table("orders").Upsert(ctx, dbfleet.Row{"id": before[0].ID, "number": "9", "total": 99}, conflict)
			require.ErrorIs(t, err, dbfleet.ErrOtherTenant)
		}
		article := dbfleet.Conflict{Key: []string{"article"}, DoNothing: true}
		taken := line{OrderID: own[0].ID, Article: "zeta 1"}
		require.ErrorIs(t, s.lines.Upsert(ctx, &taken, article), dbfleet.ErrOtherTenant)
		require.Zero(t, taken.ID)
		require.Equal(t, before, s.of(t, "zeta"))
		require.Equal(t, own, s.of(t, "acme"))

		mine := order{Number: "1", Total: 5}
		require.NoError(t, s.orders.Upsert(ctx, &mine, dbfleet.Conflict{Key: []string{"tenant_id", "number"}}))
		require.Equal(t, own[0].ID, mine.ID)
		kept := order{Number: "2", Total: 5}
		require.NoError(t, s.orders.Upsert(ctx, &kept, dbfleet.Conflict{Key: []string{"tenant_id", "number"}, DoNothing: true}))
		require.Equal(t, own[1].ID, kept.ID)
		now := s.of(t, "acme")
		require.EqualValues(t, 5, now[0].Total)
		require.EqualValues(t, 20, now[1].Total)
	})
}

func TestTenant_MissingIsAnErrorBeforeAnythingIsSent(t *testing.T) {
	t.Parallel()
	onShops(t, func(t *testing.T, s shop) {
		sent := 0
		s.DB("main").OnBeforeQuery(func(ctx context.Context, _ dbfleet.QueryEvent) context.Context { sent++; return ctx })
		ctx := t.Context()
		_, err := s.orders.Query().Get(ctx)
		require.ErrorIs(t, err, dbfleet.ErrNoTenant)
		_, err = s.DB("main").Table("orders").Get(ctx)
		require.ErrorIs(t, err, dbfleet.ErrNoTenant)
		_, err = s.DB("main").Table("few").WhereExists(s.orders.Query()).Get(ctx)
		require.ErrorIs(t, err, dbfleet.ErrNoTenant)
		_, err = s.orders.Query().AllRows().Delete(ctx)
		require.ErrorIs(t, err, dbfleet.ErrNoTenant)
		require.ErrorIs(t, s.orders.Create(ctx, &order{TenantID: "acme"}), dbfleet.ErrNoTenant)
		require.ErrorIs(t, s.orders.CreateMany(ctx, []order{{TenantID: "acme"}, {}}), dbfleet.ErrNoTenant)
		require.ErrorIs(t, s.orders.Upsert(ctx, &order{TenantID: "acme"}), dbfleet.ErrNoTenant)
		require.ErrorIs(t, s.orders.Save(ctx, &order{ID: 1}), dbfleet.ErrNoTenant)
		_, err = s.orders.Find(dbfleet.WithTenant(ctx, "Acme Inc"), 1)
		require.ErrorIs(t, err, dbfleet.ErrNoTenant)
		require.ErrorContains(t, err, `"Acme Inc" is no name of a tenant`)
		require.Zero(t, sent)
	})
}

func TestTenant_RawPartsDoNotLeadOut(t *testing.T) {
	t.Parallel()
	onShops(t, func(t *testing.T, s shop) {
		ctx := acme(t)
		for _, q := range []*dbfleet.Query[order]{
			s.orders.Query().WhereRaw("1 = 1) OR (1 = 1"),
			s.orders.Query().WhereRaw("id IN (SELECT id FROM orders)"),
			s.orders.Query().WhereRaw(`id IN (SELECT order_id FROM order_lines AS l)`),
			s.orders.Query().SelectRaw("(SELECT MAX(total) FROM Orders) AS total"),
			s.orders.Query().JoinRaw("JOIN order_lines ON order_lines.order_id <> orders.id"),
			s.orders.Query().OrderByRaw("id UNION SELECT * FROM orders"),
		} {
			_, err := q.Get(ctx)
			require.Error(t, err)
			require.Regexp(t, "belong to tenants|rows of tenants", err.Error())
		}
		list, err := s.orders.Query().WhereRaw("orders.total > ?", 10).Get(ctx)
		require.NoError(t, err)
		require.Len(t, list, 1)
		_, err = dbfleet.Select[order](ctx, s.orders, "SELECT * FROM orders")
		require.ErrorContains(t, err, "a whole statement cannot be narrowed")
		rows, err := dbfleet.Select[order](ctx, s.DB("main"), "SELECT * FROM orders")
		require.NoError(t, err)
		require.Len(t, rows, 4, "the connection's own handle sends what it is given")
	})
}

func TestTenant_IsLocked(t *testing.T) {
	t.Parallel()
	onShops(t, func(t *testing.T, s shop) {
		ctx := acme(t)
		for _, inner := range []context.Context{dbfleet.WithTenant(ctx, "zeta"), dbfleet.AcrossTenants(ctx), dbfleet.WithTenant(dbfleet.AcrossTenants(ctx), "acme")} {
			_, err := s.orders.Query().Get(inner)
			require.ErrorIs(t, err, dbfleet.ErrOtherTenant)
			_, err = s.DB("main").ExecContext(inner, "SELECT 1")
			require.ErrorIs(t, err, dbfleet.ErrOtherTenant)
			require.Equal(t, "acme", dbfleet.TenantOf(inner))
		}
		n, err := s.orders.Query().Count(dbfleet.WithTenant(ctx, "acme"))
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		n, err = s.orders.Query().Count(dbfleet.WithTenant(all(t), "zeta"))
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		n, err = s.orders.Query().Count(all(t))
		require.NoError(t, err)
		require.EqualValues(t, 4, n)
		require.ErrorContains(t, s.orders.Create(all(t), &order{Number: "5"}), "does not say whose it is")
		require.NoError(t, s.orders.Create(all(t), &order{TenantID: "zeta", Number: "5"}))
	})
}

func TestTenant_OfATransactionIsThatOfItsStatements(t *testing.T) {
	t.Parallel()
	onShops(t, func(t *testing.T, s shop) {
		var route dbfleet.Route
		told := ""
		err := s.Transaction(acme(t), "main", func(ctx context.Context, tx *dbfleet.Tx) error {
			_, err := s.orders.Query().Get(dbfleet.WithRoute(ctx, &route))
			require.NoError(t, err)
			_, err = s.orders.Using(tx).Query().Get(zeta(t))
			require.ErrorIs(t, err, dbfleet.ErrOtherTenant)
			_, err = s.orders.Using(tx).Query().Get(all(t))
			require.ErrorIs(t, err, dbfleet.ErrOtherTenant)
			_, err = tx.ExecContext(zeta(t), "SELECT 1")
			require.ErrorIs(t, err, dbfleet.ErrOtherTenant)
			_, err = s.orders.Using(tx).Query().Get(t.Context())
			require.ErrorIs(t, err, dbfleet.ErrNoTenant)
			return dbfleet.AfterCommit(ctx, func(ctx context.Context) { told = dbfleet.TenantOf(ctx) })
		})
		require.NoError(t, err)
		require.Equal(t, "acme", told)
		require.Equal(t, "acme", route.Tenant)
	})
}

func TestTenant_AnotherModelOfTheTableIsNoWayOut(t *testing.T) {
	t.Parallel()
	onShops(t, func(t *testing.T, s shop) {
		type plain struct {
			ID    int64
			Total int64
		}
		orders := conformance.Model[plain](t, s.Registry, dbfleet.ModelConfig{Table: "orders"})
		list, err := orders.Query().Get(acme(t))
		require.NoError(t, err)
		require.Len(t, list, 2)
		theirs := s.of(t, "zeta")[0]
		require.ErrorIs(t, orders.Save(acme(t), &plain{ID: theirs.ID, Total: 99}), dbfleet.ErrNotFound)
		require.ErrorIs(t, orders.SaveMany(acme(t), []plain{{ID: theirs.ID, Total: 99}, {ID: theirs.ID + 1, Total: 99}}), dbfleet.ErrNotFound)
		_, err = orders.Find(acme(t), theirs.ID)
		require.ErrorIs(t, err, dbfleet.ErrNotFound)
		_, err = orders.Query().Get(t.Context())
		require.ErrorIs(t, err, dbfleet.ErrNoTenant)
		require.ErrorContains(t, orders.Create(acme(t), &plain{Total: 1}), "has no Tenant")
		_, err = dbfleet.NewModel[order](s.Registry, dbfleet.ModelConfig{Table: "orders", Tenant: dbfleet.TenantByColumn("number")})
		require.ErrorContains(t, err, "another model of table")
	})
}
