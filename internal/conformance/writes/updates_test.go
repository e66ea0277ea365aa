package writes

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// Affected counts are rows found: MySQL's own count would leave out those that
// had the values already.
func TestUpdate_CountsTheRowsItFound(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE stock (id {id}, name {text}, n {int})`)
		type item struct {
			ID   int64
			Name string
			N    *int
		}
		m := conformance.Model[item](t, fl.Registry, dbfleet.ModelConfig{Table: "stock"})
		two := 2
		items := []item{{Name: "a", N: &two}, {Name: "b", N: &two}, {Name: "c"}}
		require.NoError(t, m.CreateMany(ctx, items))

		for range 2 {
			n, err := m.WhereIn("name", []string{"a", "b", "zz"}).Update(ctx, map[string]any{"n": 2})
			require.NoError(t, err)
			require.EqualValues(t, 2, n)
		}
		require.NoError(t, m.Save(ctx, &items[0]), "nothing changes, the row is there")
		n, err := m.Query().AllRows().Increment(ctx, "n", 3)
		require.NoError(t, err)
		require.EqualValues(t, 3, n)
		n, err = m.Where("name", "=", "a").Decrement(ctx, "n", uint8(1))
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		got, err := m.OrderBy("id", dbfleet.Asc).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, 4, *got[0].N)
		require.Equal(t, 5, *got[1].N)
		require.Nil(t, got[2].N, "NULL stays NULL")

		sub := m.Where("name", "=", "b").Select("n")
		n, err = m.Where("name", "=", "c").Update(ctx, map[string]any{"n": dbfleet.Raw("1 + ?", 6), "name": "cc"})
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		c, err := m.Where("name", "=", "cc").First(ctx)
		require.NoError(t, err)
		require.Equal(t, 7, *c.N)
		if fl.Database.Dialect != "mysql" { // which cannot read the table that it updates
			_, err = m.Where("name", "=", "cc").Update(ctx, map[string]any{"n": sub})
			require.NoError(t, err)
		}

		n, err = m.Where("name", "=", "nobody").Delete(ctx)
		require.NoError(t, err)
		require.Zero(t, n)
		n, err = m.Where("n", ">", 3).Delete(ctx)
		require.NoError(t, err)
		require.Positive(t, n)
		n, err = m.Query().AllRows().Delete(ctx)
		require.NoError(t, err)
		left, err := m.Count(ctx)
		require.NoError(t, err)
		require.Zero(t, left)
		_ = n
	})
}

// promise: missing WHERE refused. hazard 72: an empty list is no row, and never
// every row.
func TestWrite_WithoutConditionIsRefused(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE stock (id {id}, n {int})`)
		type item struct {
			ID int64
			N  int
		}
		m := conformance.Model[item](t, fl.Registry, dbfleet.ModelConfig{Table: "stock"})
		require.NoError(t, m.CreateMany(ctx, []item{{N: 1}, {N: 2}}))
		table := fl.DB("main").Table("stock")

		set := map[string]any{"n": 0}
		none := func(q *dbfleet.Query[item]) *dbfleet.Query[item] { return q }
		for name, q := range map[string]*dbfleet.Query[item]{
			"nothing": m.Query(), "empty group": m.Query().WhereGroup(none), "empty groups": m.Query().WhereGroup(none).OrWhereGroup(none),
			"empty filter": m.Filter(), "empty And": m.Filter(dbfleet.And()),
		} {
			_, err := q.Update(ctx, set)
			require.ErrorIs(t, err, dbfleet.ErrMissingWhere, name)
			_, err = q.Delete(ctx)
			require.ErrorIs(t, err, dbfleet.ErrMissingWhere, name)
			_, err = q.Increment(ctx, "n", 1)
			require.ErrorIs(t, err, dbfleet.ErrMissingWhere, name)
		}
		_, err := table.Delete(ctx)
		require.ErrorIs(t, err, dbfleet.ErrMissingWhere)
		_, err = table.Update(ctx, set)
		require.ErrorIs(t, err, dbfleet.ErrMissingWhere)

		for name, q := range map[string]*dbfleet.Query[item]{
			"WhereIn": m.WhereIn("id", []int64{}), "WhereIn nil slice": m.WhereIn("id", []int64(nil)), "IN": m.Where("id", "IN", []string{}),
		} {
			n, err := q.Update(ctx, set)
			require.NoError(t, err, name)
			require.Zero(t, n, name)
			n, err = q.Delete(ctx)
			require.NoError(t, err, name)
			require.Zero(t, n, name)
		}
		for name, q := range map[string]*dbfleet.Query[item]{
			"order": m.Where("n", ">", 0).OrderBy("n", dbfleet.Asc), "offset": m.Where("n", ">", 0).Offset(1),
			"join": m.Where("n", ">", 0).Join("stock", "stock.id", "=", "stock.id"), "distinct": m.Where("n", ">", 0).Distinct(),
		} {
			var refused *dbfleet.StatementError
			_, err := q.Delete(ctx)
			require.ErrorAs(t, err, &refused, name)
			_, err = q.Update(ctx, set)
			require.ErrorAs(t, err, &refused, name)
		}
		sum, err := m.Query().Sum(ctx, "n")
		require.NoError(t, err)
		require.InDelta(t, 3, sum, 0, "nothing was changed")

		var empty *dbfleet.StatementError
		for _, set := range []map[string]any{nil, {}} {
			_, err := m.Where("id", "=", 1).Update(ctx, set)
			require.ErrorAs(t, err, &empty)
			_, err = m.Query().AllRows().Update(ctx, set)
			require.ErrorAs(t, err, &empty)
		}
		var unknown *dbfleet.UnknownColumnError
		_, err = m.Where("id", "=", 1).Update(ctx, map[string]any{"m": 1})
		require.ErrorAs(t, err, &unknown)
		_, err = m.Where("id", "=", 1).Increment(ctx, "m", 1)
		require.ErrorAs(t, err, &unknown)
		_, err = m.Where("id", "=", 1).Increment(ctx, "n", "one")
		require.ErrorIs(t, err, dbfleet.ErrType)
		_, err = m.Where("id", "=", 1).Decrement(ctx, "n", "one")
		require.Error(t, err)
	})
}

// The smallest number has no opposite.
func TestDecrement_RefusesANumberWithoutAnOpposite(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		accounts := fl.Bank(t)
		one := conformance.Account{Owner: "a", Balance: 5}
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
