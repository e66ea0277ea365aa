package language

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// truth 539
func TestConditions_OfWindowsWithinOthersAreTrueWhereTheyHold(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		m := newAmounts(t, fl)
		require.NoError(t, m.CreateMany(t.Context(), alikeRows()))
		id, window := dbfleet.Col[int64]("id"), dbfleet.Window{OrderBy: []dbfleet.Order{idOf.Asc()}}
		least := dbfleet.MinOf[string](dbfleet.Col[string]("never_word")).Over(window) // 9, and 10 behind
		count := dbfleet.CountRows().Over(window)
		for claim, of := range map[string]struct {
			c    dbfleet.Cond
			want []int64
		}{
			"AND in OR":           {dbfleet.Or(least.Eq("9"), dbfleet.And(count.Gt(2), id.Lt(5))), []int64{1, 0, 1, 1, 0, 0}},
			"OR in AND":           {dbfleet.And(id.Lt(4), dbfleet.Or(least.Eq("9"), id.Gt(2))), []int64{1, 0, 1, 0, 0, 0}},
			"NOT of AND in AND":   {dbfleet.And(count.Gt(1), dbfleet.Not(dbfleet.And(least.Eq("10"), id.Gt(3)))), []int64{0, 1, 1, 0, 0, 0}},
			"a range in OR":       {dbfleet.Or(count.Between(2, 3), count.Eq(5)), []int64{0, 1, 1, 0, 1, 0}},
			"digits and words":    {least.In("9", "x"), []int64{1, 0, 0, 0, 0, 0}},
			"none of these":       {least.NotIn("9", "x"), []int64{0, 1, 1, 1, 1, 1}},
			"another one's count": {dbfleet.Or(dbfleet.Compare(count, "=", id), dbfleet.And(count.Lt(0), id.Gt(0))), []int64{1, 1, 1, 1, 1, 1}},
		} {
			got, err := dbfleet.Pluck[*int64](t.Context(), m.Query().SelectValue(dbfleet.Case[int64]().When(of.c, 1).When(dbfleet.Not(of.c), 0).ElseNull(), "holds").OrderBy("id", dbfleet.Asc), "holds")
			require.NoError(t, err, claim)
			require.Equal(t, mapped(of.want, at[int64]), got, claim)
		}
	})
}

// truth 540
func TestWhere_OfColumnsThatAQueryComputesTakesNumbersForNumbers(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		m := newAmounts(t, fl)
		require.NoError(t, m.CreateMany(t.Context(), alikeRows()))
		price, whole := dbfleet.Col[string]("price"), dbfleet.Col[string]("whole")
		read := m.Select("id").SelectValue(dbfleet.Coalesce[string](price, dbfleet.Value("9")), "first").SelectValue(whole.Times("10"), "ten")
		sums := m.Select("id").SelectSum("price", "sum").SelectMax("price", "most").GroupBy("id")
		for claim, of := range map[string]struct {
			q    *dbfleet.Query[dbfleet.Row]
			want []int64
		}{
			"more than":       {dbfleet.From(read, "x").Where("first", ">", "9.5"), []int64{1, 4}},
			"equal":           {dbfleet.From(read, "x").Where("first", "=", "9.0"), []int64{2, 3}},
			"of a table":      {dbfleet.From(read, "x").Where("x.first", "<", "9.50"), []int64{2, 3, 5}},
			"in a list":       {dbfleet.From(read, "x").WhereIn("first", []string{"9.50", "1e1"}), []int64{1, 6}},
			"in a range":      {dbfleet.From(read, "x").WhereBetween("first", "9.25", "10"), []int64{1, 6}},
			"not in a range":  {dbfleet.From(read, "x").Where("first", "NOT BETWEEN", []string{"9", "10"}), []int64{4, 5}},
			"computed":        {dbfleet.From(read, "x").Where("ten", "<", "91"), []int64{2, 5, 6}},
			"a sum":           {dbfleet.From(sums, "x").Where("sum", ">", "9.5"), []int64{1, 4}},
			"the largest":     {dbfleet.From(sums, "x").Where("most", "<=", "9.50"), []int64{2, 5, 6}},
			"of a CTE":        {fl.DB("main").Table("cheap").WithCTE(dbfleet.CTE{Name: "cheap", Query: read}).Where("first", ">", "9.5"), []int64{1, 4}},
			"a sum in a list": {fl.DB("main").Table("cheap").WithCTE(dbfleet.CTE{Name: "cheap", Query: sums}).WhereIn("sum", []string{"10.0", "9"}), []int64{1, 2}},
		} {
			ids, err := dbfleet.Pluck[int64](t.Context(), of.q.OrderBy("id", dbfleet.Asc), "id")
			require.NoError(t, err, claim)
			require.Equal(t, of.want, ids, claim)
		}
	})
}

// truth 541
func TestCoalesce_OfDigitsThatNoNumberIsWrittenWithIsATextOrRefused(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		m := newAmounts(t, fl)
		require.NoError(t, m.CreateMany(t.Context(), alikeRows()))
		price, word := dbfleet.Col[string]("price"), dbfleet.Col[string]("word")
		for _, digits := range []string{"007", "+7", "7e0", "7.", " 7"} {
			ids, err := dbfleet.Pluck[int64](t.Context(), m.Where("id", "<=", 3).OrderWith(dbfleet.Coalesce[string](price, dbfleet.Value(digits)).Asc()), "id")
			if fl.Database.Dialect == "mysql" {
				require.ErrorContains(t, err, "refused", digits)
			} else if err == nil {
				require.Equal(t, []int64{3, 2, 1}, ids, digits)
			}
			texts, err := dbfleet.Pluck[string](t.Context(), m.Where("id", "=", 3).SelectValue(dbfleet.Coalesce[string](word, dbfleet.Value(digits)), "e"), "e")
			require.NoError(t, err, digits)
			require.Equal(t, []string{digits}, texts)
			sum, err := dbfleet.Pluck[float64](t.Context(), m.Where("id", "<=", 3).SelectValue(dbfleet.SumOf[string](dbfleet.Coalesce[string](price, dbfleet.Value(digits))), "e"), "e")
			require.NoError(t, err, digits)
			require.Equal(t, []float64{26}, sum, digits)
		}
	})
}

// truth 542, 536
func TestCoalesce_OfDigitsIsANumberBesideNumbersAndATextBesideTexts(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		m := newAmounts(t, fl)
		require.NoError(t, m.CreateMany(t.Context(), alikeRows()))
		price, word := dbfleet.Coalesce[string](dbfleet.Col[string]("price"), dbfleet.Value("9.00")), dbfleet.Coalesce[string](dbfleet.Col[string]("word"), dbfleet.Value("9.00"))
		alone := m.Query().As("other")
		for claim, of := range map[string]struct {
			q    *dbfleet.Query[amount]
			want []int64
		}{
			"sorted":            {m.Query().OrderWith(price.Desc(), idOf.Asc()), []int64{4, 1, 6, 2, 3, 5}},
			"by its alias":      {m.Select("id").SelectValue(price, "e").OrderBy("e", dbfleet.Desc).OrderBy("id", dbfleet.Asc), []int64{4, 1, 6, 2, 3, 5}},
			"of an alias":       {alone.Select("other.id").OrderWith(dbfleet.Coalesce[string](dbfleet.Col[string]("other.price"), dbfleet.Value("9.00")).Desc(), dbfleet.Col[int64]("other.id").Asc()), []int64{4, 1, 6, 2, 3, 5}},
			"of a join":         {m.Query().Join("amounts AS other", "other.id", "=", "amounts.id").OrderWith(dbfleet.Coalesce[string](dbfleet.Col[string]("other.price"), dbfleet.Value("9.00")).Desc(), dbfleet.Col[int64]("amounts.id").Asc()), []int64{4, 1, 6, 2, 3, 5}},
			"less":              {m.Filter(price.Lt("9.5")).OrderBy("id", dbfleet.Asc), []int64{2, 3, 5}},
			"equal":             {m.Filter(price.Eq("9")).OrderBy("id", dbfleet.Asc), []int64{2, 3}},
			"equal to a column": {m.Filter(dbfleet.Compare(price, "<", dbfleet.Coalesce[string](dbfleet.Col[string]("never_price"), dbfleet.Value("9.25")))).OrderBy("id", dbfleet.Asc), []int64{2, 3, 5}},
			"a text, equal":     {m.Filter(word.Eq("9.00")).OrderBy("id", dbfleet.Asc), []int64{3}},
			"a text, less":      {m.Filter(word.Lt("9.0")).OrderBy("id", dbfleet.Asc), []int64{1, 2, 5}},
		} {
			ids, err := dbfleet.Pluck[int64](t.Context(), of.q, "id")
			require.NoError(t, err, claim)
			require.Equal(t, of.want, ids, claim)
		}
		n, err := dbfleet.Pluck[int64](t.Context(), m.Query().SelectValue(dbfleet.CountOf(price).Distinct(), "n"), "n")
		require.NoError(t, err)
		require.Equal(t, []int64{5}, n)
		texts, err := dbfleet.Pluck[string](t.Context(), m.Where("id", "=", 3).SelectValue(word, "e"), "e")
		require.NoError(t, err)
		require.Equal(t, []string{"9.00"}, texts)
	})
}
