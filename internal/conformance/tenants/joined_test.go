package tenants

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
)

// A write that reads other tables changes the tenant's rows, by the tenant's rows.
func TestTenant_ChangesRowsByItsOwnRowsThatAreJoined(t *testing.T) {
	t.Parallel()
	onShops(t, func(t *testing.T, s shop) {
		ctx, theirs := acme(t), s.of(t, "zeta")
		own := s.of(t, "acme")
		// Lines of each tenant that belong to an order of the other one.
		require.NoError(t, s.lines.Create(ctx, &line{OrderID: theirs[0].ID, Article: "stray of acme"}))
		require.NoError(t, s.lines.Create(zeta(t), &line{OrderID: own[0].ID, Article: "stray of zeta"}))
		total := dbfleet.Field(s.orders, func(o *order) *int64 { return &o.Total })

		byLines := s.orders.Query().Join("order_lines", "order_lines.order_id", "=", "orders.id")
		n, err := byLines.Where("order_lines.article", "=", "stray of acme").Update(ctx, dbfleet.Row{"total": 99})
		require.NoError(t, err)
		require.Zero(t, n, "the order is another tenant's")
		n, err = byLines.Where("order_lines.article", "LIKE", "stray%").OrWhere("order_lines.tenant_id", "=", "zeta").Update(ctx, dbfleet.Row{"total": 99})
		require.NoError(t, err)
		require.Zero(t, n, "the line is another tenant's")
		n, err = byLines.Where("order_lines.article", "=", "acme 1").OrWhere("orders.tenant_id", "=", "zeta").Increment(ctx, "total", 5)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		n, err = byLines.Where("order_lines.article", "=", "acme 2").Update(ctx, dbfleet.Row{"total": total.Add(total), "number": dbfleet.RawValue[string]("order_lines.article")})
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		now := s.of(t, "acme")
		require.Equal(t, []int64{15, 40}, []int64{now[0].Total, now[1].Total})
		require.Equal(t, "acme 2", now[1].Number)

		n, err = s.orders.Query().Join("orders AS other", "other.id", "<>", "orders.id").AllRows().Update(ctx, dbfleet.Row{"total": total.Of("other")})
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		for _, o := range s.of(t, "acme") {
			require.Contains(t, []int64{15, 40}, o.Total, "a value of the tenant's own row")
		}
		n, err = s.orders.Query().CrossJoin("order_lines").AllRows().Update(ctx, dbfleet.Row{"total": 1})
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		_, err = byLines.AllRows().Update(ctx, dbfleet.Row{"tenant_id": "zeta"})
		require.ErrorContains(t, err, "says whose row it is")
		_, err = byLines.AllRows().Update(t.Context(), dbfleet.Row{"total": 1})
		require.ErrorIs(t, err, dbfleet.ErrNoTenant)

		n, err = byLines.Where("order_lines.article", "LIKE", "stray%").Delete(ctx)
		require.NoError(t, err)
		require.Zero(t, n)
		n, err = byLines.Where("order_lines.article", "=", "acme 1").OrWhere("orders.tenant_id", "=", "zeta").Delete(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		n, err = s.DB("main").Table("orders").Join("order_lines AS l", "l.id", "<>", "orders.id").AllRows().Delete(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		require.Equal(t, theirs, s.of(t, "zeta"))

		n, err = byLines.AllRows().Update(all(t), dbfleet.Row{"total": 7})
		require.NoError(t, err)
		require.EqualValues(t, 2, n, "a context of all tenants changes the rows of all")
	})
}

// A table of nobody's is changed by the tenant's rows only, and joined it is read whole.
func TestTenant_ATableOfNobodysIsChangedByItsRowsOnly(t *testing.T) {
	t.Parallel()
	onShops(t, func(t *testing.T, s shop) {
		ctx := acme(t)
		s.Create(t, `CREATE TABLE tags (id {id}, word {text} NOT NULL, order_id {bigint} NOT NULL)`)
		tags := s.DB("main").Table("tags")
		for _, tenant := range []string{"acme", "zeta"} {
			for _, o := range s.of(t, tenant) {
				_, err := tags.Insert(t.Context(), dbfleet.Row{"word": tenant, "order_id": o.ID})
				require.NoError(t, err)
			}
		}
		joined := tags.Join("orders AS o", "o.id", "=", "tags.order_id")
		n, err := joined.Where("o.total", ">", 10).OrWhere("o.tenant_id", "=", "zeta").Update(ctx, dbfleet.Row{"word": "seen"})
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		_, err = joined.AllRows().Update(t.Context(), dbfleet.Row{"word": "seen"})
		require.ErrorIs(t, err, dbfleet.ErrNoTenant)
		n, err = joined.AllRows().Delete(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		n, err = tags.CrossJoin("orders").AllRows().Update(ctx, dbfleet.Row{"word": "crossed"})
		require.NoError(t, err)
		require.EqualValues(t, 2, n)

		n, err = s.orders.Query().Join("tags", "tags.id", ">", "orders.total").Where("tags.word", "=", "crossed").Delete(ctx)
		require.NoError(t, err)
		require.Zero(t, n)
		n, err = s.orders.Query().Join("tags", "tags.id", "<", "orders.total").Where("tags.word", "=", "crossed").Delete(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		require.Len(t, s.of(t, "zeta"), 2)
	})
}

// A CTE hides a table that is joined, and never the one that is written to.
func TestTenant_ACTEOfAJoinedWriteIsNoWayOut(t *testing.T) {
	t.Parallel()
	onShops(t, func(t *testing.T, s shop) {
		if s.Database.Dialect == "mysql" { // takes no CTE there
			_, err := s.orders.Query().WithCTE(dbfleet.CTE{Name: "few", Query: s.lines.Query()}).Join("few", "few.order_id", "=", "orders.id").AllRows().Delete(acme(t))
			require.ErrorContains(t, err, "CTE")
			return
		}
		ctx, theirs := acme(t), s.of(t, "zeta")
		ids, err := dbfleet.Pluck[int64](all(t), s.orders.Query(), "id")
		require.NoError(t, err)
		// A CTE whose rows have the keys of everybody's orders, as the caller may have learned them.
		s.Create(t, `CREATE TABLE known (id {bigint} NOT NULL, order_id {bigint} NOT NULL)`)
		for i, id := range ids {
			_, err := s.DB("main").Table("known").Insert(ctx, dbfleet.Row{"id": id, "order_id": ids[len(ids)-1-i]})
			require.NoError(t, err)
		}
		known := s.DB("main").Table("known").Select("id", "order_id")
		few := s.orders.Query().WithCTE(dbfleet.CTE{Name: "order_lines", Query: known}).Join("order_lines", "order_lines.order_id", "=", "orders.id")
		n, err := few.AllRows().Update(ctx, dbfleet.Row{"total": 8})
		require.NoError(t, err)
		require.EqualValues(t, 2, n, "the CTE has no tenants, the table has")
		self := s.orders.Query().WithCTE(dbfleet.CTE{Name: "orders", Query: known}).Join("order_lines", "order_lines.id", "<>", "orders.id")
		_, _ = self.AllRows().Delete(ctx)
		_, _ = self.Where("orders.id", "=", theirs[0].ID).Update(ctx, dbfleet.Row{"total": 9})
		require.Equal(t, theirs, s.of(t, "zeta"))
	})
}

func TestSchemas_JoinedWritesStayInTheSchema(t *testing.T) {
	t.Parallel()
	onOffices(t, func(t *testing.T, s office) {
		ctx, theirs := acme(t), s.all(t, zeta(t))
		joined := s.invoices.Query().Join("invoice_parts", "invoice_parts.invoice_id", "=", "invoices.id")
		n, err := joined.Where("invoice_parts.name", "LIKE", "part%").Update(ctx, dbfleet.Row{"total": 12, "number": dbfleet.RawValue[string]("invoice_parts.name")})
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		one := s.all(t, ctx)[0]
		require.EqualValues(t, 12, one.Total)
		require.Equal(t, "part of acme", one.Number)
		require.EqualValues(t, 2, one.Rev)
		_, err = s.invoices.Query().Join(s.prefix+"zeta.invoice_parts AS p", "p.invoice_id", "=", "invoices.id").AllRows().Update(ctx, dbfleet.Row{"total": 1})
		require.ErrorIs(t, err, dbfleet.ErrOtherTenant)
		_, err = joined.AllRows().Delete(t.Context())
		require.ErrorIs(t, err, dbfleet.ErrNoTenant)
		n, err = joined.Where("invoice_parts.name", "=", "part of zeta").Delete(ctx)
		require.NoError(t, err)
		require.Zero(t, n)
		n, err = joined.AllRows().Delete(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		require.Empty(t, s.all(t, ctx))
		require.Equal(t, theirs, s.all(t, zeta(t)))
	})
}
