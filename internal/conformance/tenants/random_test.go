package tenants

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
)

// doing is a tenant's code that does whatever it likes, also with what it knows of others.
type doing struct {
	shop
	rng *rand.Rand
	ids []int64 // of rows of everybody
}

func (d *doing) id() int64 { return d.ids[d.rng.IntN(len(d.ids))] }

func (d *doing) number() string { return fmt.Sprint(d.rng.IntN(12)) }

func (d *doing) order() order {
	o := order{Number: d.number(), Total: d.rng.Int64N(100)}
	if d.rng.IntN(2) == 0 {
		o.ID = d.id()
	}
	if d.rng.IntN(4) == 0 {
		o.TenantID = []string{"acme", "zeta"}[d.rng.IntN(2)]
	}
	return o
}

// query is a query for some orders; changes says that it is one for a write.
func (d *doing) query(changes bool) *dbfleet.Query[order] {
	q := d.orders.Query()
	of := [2]string{"", "orders."}[min(1, d.rng.IntN(4))]
	for range d.rng.IntN(4) {
		switch d.rng.IntN(9) {
		case 0:
			q = q.Where(of+"id", "=", d.id())
		case 1:
			q = q.OrWhere(of+"tenant_id", "=", "zeta")
		case 2:
			q = q.OrWhere(of+"total", ">", d.rng.IntN(100))
		case 3:
			q = q.WhereNot(func(q *dbfleet.Query[order]) *dbfleet.Query[order] {
				return q.Where(of+"tenant_id", "=", "acme").OrWhere(of+"id", "=", d.id())
			})
		case 4:
			q = q.WhereRaw(of+"total >= ? OR 1 = 1", d.rng.IntN(100))
		case 5:
			q = q.WhereRaw("1 = 1) OR (1 = 1")
		case 6:
			q = q.WhereIn(of+"id", d.lines.Query().OrWhere("tenant_id", "=", "zeta").Select("order_id"))
		case 7:
			q = q.Filter(d.linesOf.Has())
		case 8:
			q = q.WhereIn(of+"number", []string{"1", d.number()})
		}
	}
	if changes {
		switch d.rng.IntN(8) {
		case 0, 1:
			q = q.OrderBy("id", dbfleet.Desc).Limit(1 + d.rng.IntN(3))
		case 2:
			q = q.Join("order_lines", "order_lines.order_id", "<>", "orders.id")
		case 3:
			q = q.Join("orders AS other", "other.number", "=", "orders.number").CrossJoin("order_lines AS l")
		}
		return q.AllRows()
	}
	switch d.rng.IntN(6) {
	case 0:
		q = q.Join("order_lines", "order_lines.order_id", "<>", "orders.id").SelectAs("order_lines.tenant_id", "tenant_id")
	case 1:
		q = q.CrossJoin("order_lines AS l").SelectAs("l.tenant_id", "tenant_id")
	case 2:
		q = q.With(d.linesOf)
	case 3:
		q = q.UnionAll(d.orders.Query())
	case 4:
		q = q.As("o").LeftJoin("orders AS other", "other.number", "=", "o.number").SelectAs("other.tenant_id", "tenant_id")
	}
	return q
}

// once does one thing, and returns what it has seen of orders.
func (d *doing) once(ctx context.Context) ([]order, error) {
	one := d.order()
	conflict := []dbfleet.Conflict{{}, {DoNothing: true}, {Key: []string{"tenant_id", "number"}}, {Key: []string{"tenant_id", "number"}, DoNothing: true}}[d.rng.IntN(4)]
	switch d.rng.IntN(16) {
	case 0:
		return nil, d.orders.Create(ctx, &one)
	case 1:
		return nil, d.orders.CreateMany(ctx, []order{one, d.order()})
	case 2:
		return nil, d.orders.Save(ctx, &one)
	case 3:
		return nil, d.orders.SaveMany(ctx, []order{one, d.order()})
	case 4:
		err := d.orders.Upsert(ctx, &one, conflict)
		if err == nil {
			return []order{one}, nil
		}
		return nil, err
	case 5:
		return nil, d.orders.UpsertMany(ctx, []order{one, d.order()}, conflict)
	case 6:
		_, err := d.query(true).Update(ctx, dbfleet.Row{"total": d.rng.Int64N(100)})
		return nil, err
	case 7:
		_, err := d.query(true).Where("id", "=", d.id()).Delete(ctx)
		return nil, err
	case 8:
		return nil, d.orders.Delete(ctx, &one)
	case 9:
		_, err := d.orders.Load(ctx, func(yield func(order) bool) { _ = yield(one) && yield(d.order()) })
		return nil, err
	case 10:
		_, err := d.orders.UpdateOrCreate(ctx, &one, "number")
		return nil, err
	case 11:
		row := dbfleet.Row{"id": d.id(), "number": d.number(), "total": 1}
		if conflict.Key != nil {
			row["tenant_id"] = "acme"
		}
		return nil, d.DB("main").Table("orders").Upsert(ctx, row, conflict)
	case 12:
		_, err := d.orders.FirstOrCreate(ctx, &one, "number")
		if err == nil {
			return []order{one}, nil
		}
		return nil, err
	}
	return d.query(false).Get(ctx)
}

func TestTenant_WhateverItDoesTheRowsOfAnotherStay(t *testing.T) {
	t.Parallel()
	onShops(t, func(t *testing.T, s shop) {
		theirs := s.of(t, "zeta")
		seed := rand.Uint64() //nolint:gosec // it is logged
		t.Log("seed", seed)
		d := &doing{shop: s, rng: rand.New(rand.NewPCG(seed, 1))} //nolint:gosec // operations for a test
		done := 0
		for i := range 600 {
			if i%20 == 0 {
				ids, err := dbfleet.Pluck[int64](all(t), s.orders.Query(), "id")
				require.NoError(t, err)
				d.ids = append(ids, 1_000_000)
			}
			seen, err := d.once(acme(t))
			if err == nil {
				done++
			}
			for _, o := range seen {
				require.Contains(t, []string{"acme", ""}, o.TenantID, "operation %d", i)
				for _, l := range o.Lines {
					require.Equal(t, "acme", l.TenantID)
				}
			}
			require.Equal(t, theirs, s.of(t, "zeta"), "operation %d", i)
		}
		require.Greater(t, done, 200)
	})
}

func TestTenant_ACTEOfTheTablesNameHidesNothing(t *testing.T) {
	t.Parallel()
	onShops(t, func(t *testing.T, s shop) {
		theirs := s.of(t, "zeta")
		none := s.DB("main").Table("order_lines").Select("id")
		_, err := s.DB("main").Table("orders").WithCTE(dbfleet.CTE{Name: "orders", Query: none}).AllRows().Delete(acme(t))
		if s.Database.Dialect != "mysql" { // which takes no CTE there
			require.NoError(t, err)
			require.Empty(t, s.of(t, "acme"))
		}
		require.Equal(t, theirs, s.of(t, "zeta"))
		_, err = s.DB("main").Table("orders").Insert(acme(t), dbfleet.Row{"number": "9", "total": 1, "TENANT_ID": "zeta"})
		require.ErrorContains(t, err, `"TENANT_ID"`)
	})
}

// A CTE of the table's name whose rows are another table's is narrowed as the table is, or
// refused.
func TestTenant_ACTEOfTheTablesNameGivesNoOthersRows(t *testing.T) {
	t.Parallel()
	onShops(t, func(t *testing.T, s shop) {
		s.Create(t, `CREATE TABLE archive (id {id}, tenant_id {text} NOT NULL, number {text} NOT NULL, total {bigint} NOT NULL)`)
		archive := s.DB("main").Table("archive")
		for _, tenant := range []string{"acme", "zeta"} {
			_, err := archive.Insert(t.Context(), dbfleet.Row{"tenant_id": tenant, "number": tenant, "total": 1})
			require.NoError(t, err)
		}
		old := dbfleet.CTE{Name: "orders", Query: archive.Select("id", "tenant_id", "number", "total")}
		list, err := s.orders.Query().WithCTE(old).Get(acme(t))
		require.NoError(t, err)
		require.Len(t, list, 1)
		require.Equal(t, "acme", list[0].Number)
		bare := dbfleet.CTE{Name: "orders", Query: archive.Select("id", "number")}
		_, err = s.orders.Select("id", "number").WithCTE(bare).Get(acme(t))
		require.ErrorContains(t, err, `"tenant_id"`)
		everybodys, err := s.orders.Select("id", "number").WithCTE(bare).Get(all(t))
		require.NoError(t, err)
		require.Len(t, everybodys, 2)
		if s.Database.Dialect != "sqlite" { // which takes the name for itself
			own := dbfleet.CTE{Name: "orders", Query: s.DB("main").Table("orders").Select("id", "number")}
			mine, err := s.orders.Select("id", "number").WithCTE(own).Get(acme(t))
			require.NoError(t, err)
			require.Len(t, mine, 2, "its query is narrowed")
		}
	})
}
