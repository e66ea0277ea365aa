package language

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// truth 535
func TestCompare_OfTwoExpressionsWithValuesIsByTheirType(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		m := newAmounts(t, fl)
		day := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
		require.NoError(t, m.CreateMany(t.Context(), []amount{
			{ID: 1, Price: at("10"), NeverPrice: at("9"), Ratio: at(10.5), NeverRatio: at(9.25), At: at(day), NeverAt: at(day.Add(time.Hour))},
			{ID: 2, Price: at("9"), NeverPrice: at("10"), Ratio: at(9.25), NeverRatio: at(10.5), At: at(day), NeverAt: at(day)},
		}))
		decimal := func(name string) dbfleet.Operand[string] {
			return dbfleet.Coalesce[string](dbfleet.Col[string](name), dbfleet.Value("0"))
		}
		float := func(name string) dbfleet.Operand[float64] {
			return dbfleet.Coalesce[float64](dbfleet.Col[float64](name), dbfleet.Value(0.0))
		}
		moment := func(name string) dbfleet.Operand[time.Time] {
			return dbfleet.Coalesce[time.Time](dbfleet.Col[time.Time](name), dbfleet.Value(day))
		}
		later := dbfleet.Case[time.Time]().When(dbfleet.Col[int64]("id").Gt(0), day).ElseOf(dbfleet.Col[time.Time]("at"))
		for claim, c := range map[string]struct {
			c    dbfleet.Cond
			want []int64
		}{
			"decimals":           {dbfleet.Compare(decimal("price"), "<", decimal("never_price")), []int64{2}},
			"floats":             {dbfleet.Compare(float("ratio"), "<", float("never_ratio")), []int64{2}},
			"times":              {dbfleet.Compare(moment("at"), "=", moment("never_at")), []int64{2}},
			"a time and a value": {dbfleet.Compare(moment("at"), "=", dbfleet.Operand[time.Time](later)), []int64{1, 2}},
		} {
			t.Run(claim, func(t *testing.T) {
				ids, err := dbfleet.Pluck[int64](t.Context(), m.Filter(c.c).OrderBy("id", dbfleet.Asc), "id")
				require.NoError(t, err)
				require.Equal(t, c.want, ids)
			})
		}
	})
}

// truth 536
func TestOrder_TakesValuesOfGoAmongNumbersForNumbers(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		m := newAmounts(t, fl)
		ratio, id := dbfleet.Col[float64]("ratio"), dbfleet.Col[int64]("id")
		require.NoError(t, m.CreateMany(t.Context(), []amount{{ID: 1, Ratio: at(10.5)}, {ID: 2, Ratio: at(9.25)}, {ID: 3}}))
		weight := dbfleet.Case[float64]().When(id.Eq(1), 10).When(id.Eq(2), 9.5).Else(1)
		first := dbfleet.Coalesce[float64](ratio, dbfleet.Value(9.5))
		for claim, c := range map[string]struct {
			o    dbfleet.Order
			want []int64
		}{"Coalesce": {first.Desc(), []int64{1, 3, 2}}, "Case": {weight.Desc(), []int64{1, 2, 3}}} {
			t.Run(claim, func(t *testing.T) {
				ids, err := dbfleet.Pluck[int64](t.Context(), m.Query().OrderWith(c.o), "id")
				require.NoError(t, err)
				require.Equal(t, c.want, ids)
			})
		}
		for claim, e := range map[string]struct {
			of   dbfleet.Term
			want float64
		}{"MaxOf Coalesce": {dbfleet.MaxOf[float64](first), 10.5}, "MaxOf Case": {dbfleet.MaxOf[float64](weight), 10}} {
			t.Run(claim, func(t *testing.T) {
				got, err := dbfleet.Pluck[float64](t.Context(), m.Query().SelectValue(e.of, "most"), "most")
				require.NoError(t, err)
				require.Equal(t, []float64{e.want}, got)
			})
		}
		t.Run("the last row by a window", func(t *testing.T) {
			rank := dbfleet.Rank().Over(dbfleet.Window{OrderBy: []dbfleet.Order{weight.Desc()}})
			got, err := dbfleet.Pluck[int64](t.Context(), m.Query().SelectValue(rank, "place").OrderBy("id", dbfleet.Asc), "place")
			require.NoError(t, err)
			require.Equal(t, []int64{1, 2, 3}, got)
		})
	})
}

// truth 537
func TestCompare_TakesComputedNumbersForNumbersBesideAValue(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		m := newAmounts(t, fl)
		price, ratio, id := dbfleet.Col[string]("price"), dbfleet.Col[float64]("ratio"), dbfleet.Col[int64]("id")
		require.NoError(t, m.CreateMany(t.Context(), []amount{{ID: 1, Price: at("1"), Ratio: at(1.5)}, {ID: 2, Price: at("10"), Ratio: at(10.5)}, {ID: 3, Price: at("9"), Ratio: at(9.25)}}))
		for claim, c := range map[string]struct {
			c    dbfleet.Cond
			want []int64
		}{
			"a float computed":          {dbfleet.Coalesce[float64](ratio.Times(2), dbfleet.Value(0.0)).Gt(18.75), []int64{2}},
			"a float computed, less":    {dbfleet.Coalesce[float64](ratio.Times(2), dbfleet.Value(0.0)).Lt(5.5), []int64{1}},
			"Case of a float computed":  {dbfleet.Case[float64]().WhenOf(id.Gt(0), ratio.Plus(0.25)).Else(0).GtEq(9.5), []int64{2, 3}},
			"Case of floats":            {dbfleet.Case[float64]().When(id.Eq(2), 10).When(id.Eq(3), 2.5).Else(1).Gt(2), []int64{2, 3}},
			"a decimal computed":        {dbfleet.Coalesce[string](price.Plus("1"), dbfleet.Value("0")).Gt("9.5"), []int64{2, 3}},
			"a decimal computed, less":  {dbfleet.Coalesce[string](price.Plus("1"), dbfleet.Value("0")).Lt("9.5"), []int64{1}},
			"a decimal computed, equal": {dbfleet.Coalesce[string](price.Plus("1"), dbfleet.Value("0")).Eq("11.0"), []int64{2}},
			"two decimals computed":     {dbfleet.Coalesce[string](price.Plus("1"), price.Plus("2")).Lt("9.5"), []int64{1}},
			"in a list":                 {dbfleet.Coalesce[string](price.Plus("1"), dbfleet.Value("0")).In("11.0", "8"), []int64{2}},
		} {
			t.Run(claim, func(t *testing.T) {
				ids, err := dbfleet.Pluck[int64](t.Context(), m.Filter(c.c).OrderBy("id", dbfleet.Asc), "id")
				require.NoError(t, err)
				require.Equal(t, c.want, ids)
			})
		}
		holds := func(c dbfleet.Cond) dbfleet.Term { return dbfleet.Case[int64]().When(c, 1).Else(0) }
		for claim, c := range map[string]dbfleet.Cond{
			"Coalesce of a sum, more":  dbfleet.Coalesce[string](dbfleet.SumOf[string](price), dbfleet.Value("0")).Gt("9.5"),
			"Coalesce of a sum, less":  dbfleet.Coalesce[string](dbfleet.SumOf[string](price), dbfleet.Value("0")).Lt("100"),
			"Coalesce of a sum, equal": dbfleet.Coalesce[string](dbfleet.SumOf[string](price), dbfleet.Value("0")).Eq("20.0"),
			"Coalesce of a mean":       dbfleet.Coalesce[float64](dbfleet.AvgOf(ratio.Times(10)), dbfleet.Value(0.0)).Lt(100),
			"Case of a sum":            dbfleet.Case[string]().WhenOf(dbfleet.CountRows().Gt(0), dbfleet.SumOf[string](price)).Else("0").Gt("9.5"),
		} {
			t.Run(claim, func(t *testing.T) {
				got, err := dbfleet.Pluck[int64](t.Context(), m.Query().SelectValue(holds(c), "holds"), "holds")
				require.NoError(t, err)
				require.Equal(t, []int64{1}, got)
			})
		}
		t.Run("Lag of a computed decimal", func(t *testing.T) {
			c := dbfleet.Lag[string](price.Plus("1"), 1).Over(dbfleet.Window{OrderBy: []dbfleet.Order{id.Asc()}}).Gt("9.5")
			got, err := dbfleet.Pluck[int64](t.Context(), m.Query().SelectValue(holds(c), "holds").OrderBy("id", dbfleet.Asc), "holds")
			require.NoError(t, err)
			require.Equal(t, []int64{0, 0, 1}, got)
		})
	})
}

// truth 538
func TestSums_OfValuesOfGoAmongDecimalsAreExact(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		if fl.Database.Dialect == "sqlite" {
			return
		}
		m := newAmounts(t, fl)
		price := dbfleet.Col[string]("price")
		require.NoError(t, m.CreateMany(t.Context(), []amount{{ID: 1, Price: at("12345678901234567.8912")}, {ID: 2, Price: at("0.0001")}, {ID: 3}}))
		first := dbfleet.Coalesce[string](price, dbfleet.Value("0"))
		for claim, e := range map[string]struct {
			of   dbfleet.Term
			q    *dbfleet.Query[amount]
			want string
		}{
			"SumOf": {dbfleet.SumOf[string](first), m.Query(), "12345678901234567.8913"},
			"Plus":  {first.Plus("0.0001"), m.Where("id", "=", 1), "12345678901234567.8913"},
			"Add":   {first.Add(price), m.Where("id", "=", 1), "24691357802469135.7824"},
		} {
			t.Run(claim, func(t *testing.T) {
				got, err := dbfleet.Pluck[string](t.Context(), e.q.SelectValue(e.of, "e"), "e")
				require.NoError(t, err)
				require.Equal(t, []string{e.want}, got)
			})
		}
	})
}
