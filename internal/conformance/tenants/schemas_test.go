package tenants

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

type invoice struct {
	ID     int64
	Number string
	Total  int64
	Rev    int64
	Parts  []part
}

type part struct {
	ID        int64
	InvoiceID int64
	Name      string
}

type office struct {
	*dbfleet.Registry
	prefix   string
	invoices *dbfleet.Model[invoice]
	parts    *dbfleet.Model[part]
	partsOf  dbfleet.ToMany[invoice, part]
}

// onOffices runs f with the tenants' tables in schemas of their own, and an invoice in each.
func onOffices(t *testing.T, f func(t *testing.T, s office)) {
	t.Helper()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(db)})
		s := office{Registry: r, prefix: strings.ToLower(db.Name) + "_"}
		rule := dbfleet.TenantBySchema(s.prefix)
		s.invoices = conformance.Model[invoice](t, r, dbfleet.ModelConfig{Table: "invoices", Tenant: rule, Version: "rev"})
		s.parts = conformance.Model[part](t, r, dbfleet.ModelConfig{Table: "invoice_parts", Tenant: rule})
		s.partsOf = dbfleet.HasMany(s.invoices, s.parts, dbfleet.On("invoice_id"), func(i *invoice) *[]part { return &i.Parts })
		for _, ctx := range []context.Context{acme(t), zeta(t)} {
			makeSchema(t, db, s.prefix+dbfleet.TenantOf(ctx))
			require.NoError(t, dbfleet.CreateTable(ctx, s.invoices))
			require.NoError(t, dbfleet.CreateTable(ctx, s.parts))
			one := invoice{Number: "of " + dbfleet.TenantOf(ctx), Total: 10}
			require.NoError(t, s.invoices.Create(ctx, &one))
			require.EqualValues(t, 1, one.ID)
			require.NoError(t, s.parts.Create(ctx, &part{InvoiceID: 1, Name: "part of " + dbfleet.TenantOf(ctx)}))
		}
		f(t, s)
	})
}

// makeSchema makes a schema until the test's end.
func makeSchema(t *testing.T, db dbtest.Database, name string) {
	t.Helper()
	if db.Dialect == "postgres" {
		db.Exec(t, `CREATE SCHEMA "`+name+`"`)
		t.Cleanup(func() { db.Exec(t, `DROP SCHEMA "`+name+`" CASCADE`) })
		return
	}
	db.Server.Exec(t, "CREATE DATABASE `"+name+"`", "GRANT ALL PRIVILEGES ON `"+name+"`.* TO '"+db.Username+"'@'%'")
	t.Cleanup(func() { db.Server.Exec(t, "DROP DATABASE `"+name+"`") })
}

func (s office) all(t *testing.T, ctx context.Context) []invoice {
	t.Helper()
	list, err := s.invoices.Query().With(s.partsOf).OrderBy("id", dbfleet.Asc).Get(ctx)
	require.NoError(t, err)
	return list
}

func TestSchemas_EachTenantHasItsTable(t *testing.T) {
	t.Parallel()
	onOffices(t, func(t *testing.T, s office) {
		ctx := acme(t)
		theirs := s.all(t, zeta(t))
		require.Equal(t, []invoice{{1, "of zeta", 10, 1, []part{{1, 1, "part of zeta"}}}}, theirs)
		one := s.all(t, ctx)[0]
		require.Equal(t, "of acme", one.Number)
		require.Equal(t, "part of acme", one.Parts[0].Name)

		one.Total = 11
		require.NoError(t, s.invoices.Save(ctx, &one))
		require.NoError(t, s.invoices.SaveMany(ctx, []invoice{one}))
		require.NoError(t, s.invoices.CreateMany(ctx, []invoice{{Number: "2"}, {Number: "3"}}))
		require.NoError(t, s.invoices.Upsert(ctx, &invoice{ID: 1, Number: "1", Total: 12}))
		require.NoError(t, s.invoices.UpsertMany(ctx, []invoice{{ID: 1, Number: "1", Total: 13}, {ID: 2, Number: "2"}}))
		_, err := s.invoices.Query().Insert(ctx, dbfleet.Row{"number": "4", "total": 1})
		require.NoError(t, err)
		_, err = s.DB("main").Table("invoices").Insert(ctx, dbfleet.Row{"number": "5", "total": 1, "rev": 1})
		require.NoError(t, err)
		require.NoError(t, s.DB("main").Table("invoices").Upsert(ctx, dbfleet.Row{"id": 1, "number": "1", "total": 14, "rev": 9}))
		n, err := s.invoices.Load(ctx, func(yield func(invoice) bool) { yield(invoice{Number: "6"}) })
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		f := invoice{Number: "7"}
		created, err := s.invoices.FirstOrCreate(ctx, &f, "number")
		require.NoError(t, err)
		require.True(t, created)
		require.NoError(t, s.invoices.Refresh(ctx, &f))
		_, err = s.invoices.UpdateOrCreate(ctx, &f, "number")
		require.NoError(t, err)
		_, err = dbfleet.InsertFrom(ctx, s.invoices.Query(), []string{"number", "total", "rev"}, s.invoices.Where("number", "=", "7").Select("number", "total", "rev"))
		require.NoError(t, err)
		n, err = s.invoices.Query().AllRows().Increment(ctx, "total", 1)
		require.NoError(t, err)
		require.EqualValues(t, 8, n)
		n, err = s.invoices.Where("number", "=", "7").OrderBy("id", dbfleet.Asc).Limit(1).Delete(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		last, err := s.invoices.Where("number", "=", "7").First(ctx)
		require.NoError(t, err)
		require.NoError(t, s.invoices.Delete(ctx, &last))
		require.Len(t, s.all(t, ctx), 6)
		require.Equal(t, theirs, s.all(t, zeta(t)))
	})
}

func TestSchemas_HoldWhereverTheTableStands(t *testing.T) {
	t.Parallel()
	onOffices(t, func(t *testing.T, s office) {
		ctx := acme(t)
		joined, err := s.invoices.Query().Join("invoice_parts", "invoice_parts.invoice_id", "=", "invoices.id").Select("invoices.id").SelectAs("invoice_parts.name", "number").Get(ctx)
		require.NoError(t, err)
		require.Equal(t, []invoice{{ID: 1, Number: "part of acme"}}, joined)
		n, err := s.invoices.Query().Filter(s.partsOf.Has(dbfleet.Col[string]("name").Eq("part of zeta"))).Count(ctx)
		require.NoError(t, err)
		require.Zero(t, n)
		n, err = s.invoices.Query().WhereIn("id", s.parts.Where("name", "=", "part of acme").Select("invoice_id")).Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		united, err := s.invoices.Query().UnionAll(s.invoices.Query()).Get(ctx)
		require.NoError(t, err)
		require.Len(t, united, 2)
		require.Equal(t, "of acme", united[1].Number)
		rows, err := s.DB("main").Table(s.prefix + "acme.invoices").Get(ctx)
		require.NoError(t, err)
		require.Len(t, rows, 1)

		_, err = s.DB("main").Table(s.prefix + "zeta.invoices").Get(ctx)
		require.ErrorIs(t, err, dbfleet.ErrOtherTenant)
		_, err = s.invoices.Query().Join(s.prefix+"zeta.invoices AS z", "z.id", "=", "invoices.id").Get(ctx)
		require.ErrorIs(t, err, dbfleet.ErrOtherTenant)
		_, err = s.invoices.Query().WhereRaw("id IN (SELECT id FROM " + s.prefix + "zeta.invoices)").Get(ctx)
		require.ErrorContains(t, err, "belong to tenants")
		for _, none := range []context.Context{t.Context(), all(t), dbfleet.WithTenant(t.Context(), "a.b")} {
			_, err = s.invoices.Query().Get(none)
			require.ErrorIs(t, err, dbfleet.ErrNoTenant)
			require.ErrorIs(t, s.invoices.Create(none, &invoice{Number: "x"}), dbfleet.ErrNoTenant)
		}
	})
}

func TestSchemas_ManyAtOnceDoNotMix(t *testing.T) {
	t.Parallel()
	onOffices(t, func(t *testing.T, s office) {
		ctxs := []context.Context{acme(t), zeta(t)}
		errs := make(chan error, 64*4)
		var work sync.WaitGroup
		for g := range 64 {
			work.Go(func() {
				ctx := ctxs[g%2]
				tenant := dbfleet.TenantOf(ctx)
				for range 2 {
					errs <- s.invoices.Create(ctx, &invoice{Number: "of " + tenant})
					list, err := s.invoices.Where("number", "<>", "of "+tenant).Get(ctx)
					if len(list) > 0 {
						t.Error("a row of another tenant was read")
					}
					errs <- err
				}
			})
		}
		work.Wait()
		close(errs)
		for err := range errs {
			require.NoError(t, err)
		}
		for _, ctx := range ctxs {
			require.Len(t, s.all(t, ctx), 65)
		}
	})
}

func TestSchemas_AreRefusedWhereThereAreNone(t *testing.T) {
	t.Parallel()
	fl := conformance.OnSQLite(t)
	_, err := dbfleet.NewModel[invoice](fl.Registry, dbfleet.ModelConfig{Table: "invoices", Tenant: dbfleet.TenantBySchema("")})
	require.ErrorContains(t, err, "SQLite has no schemas")
	_, err = dbfleet.NewModel[invoice](fl.Registry, dbfleet.ModelConfig{Table: "invoices", Tenant: dbfleet.TenantBySchema("A;")})
	require.ErrorContains(t, err, "other characters")
	_, err = dbfleet.NewModel[invoice](fl.Registry, dbfleet.ModelConfig{Table: "s.invoices", Tenant: dbfleet.TenantBySchema("a_")})
	require.ErrorContains(t, err, "names the schema")
}
