package language

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

func TestAggregation_CountsOfEachGroup(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		s := newSales(t, fl)
		type group struct {
			Shop                                  string
			Rows, Buyers, Different, Dear, Amount int64
			Cheapest, DearestOfAda                *int64
			Mean, Rate                            float64
			Sum                                   *int64
		}
		total := s.price.Mul(s.count)
		q := s.Select("shop").
			SelectValue(dbfleet.CountRows(), "rows").
			SelectValue(dbfleet.CountOf(s.buyer), "buyers").
			SelectValue(dbfleet.CountOf(s.buyer).Distinct(), "different").
			SelectValue(dbfleet.CountRows().Where(s.price.GtEq(10)), "dear").
			SelectValue(dbfleet.SumOf(total), "amount").
			SelectValue(dbfleet.MinOf(s.price).Where(s.price.Gt(0)), "cheapest").
			SelectValue(dbfleet.MaxOf(s.price).Where(s.buyer.Eq("Ada"), s.id.Gt(0)), "dearest_of_ada").
			SelectValue(dbfleet.AvgOf(s.price), "mean").
			SelectValue(dbfleet.AvgOf(s.rate), "rate").
			SelectValue(dbfleet.SumOf(s.count).Where(s.buyer.Eq("Eve")).Plus(1), "sum").
			GroupBy("shop")
		rows, err := dbfleet.Into[group](q.OrderBy("amount", dbfleet.Desc)).Get(t.Context())
		require.NoError(t, err)
		require.Equal(t, []group{
			{"west", 1, 0, 0, 1, 200, at[int64](100), nil, 100, 1, nil},
			{"south", 3, 3, 3, 0, 99, at[int64](5), at[int64](7), 4, float64(4) / 3, at[int64](5)},
			{"north", 2, 1, 1, 2, 50, at[int64](10), at[int64](10), 15, 0.375, nil},
		}, rows)
		found, err := dbfleet.Pluck[string](t.Context(), q.Having("amount", ">", 60).Having("dear", "=", 0), "shop")
		require.NoError(t, err)
		require.Equal(t, []string{"south"}, found)
		found, err = dbfleet.Pluck[string](t.Context(), q.HavingRaw("? > ?", dbfleet.CountRows().Where(s.price.Lt(8)), 2), "shop")
		require.NoError(t, err)
		require.Equal(t, []string{"south"}, found)
		n, err := q.Count(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 3, n)

		// Groups by an expression, under its alias.
		type month struct{ Year, Month, Sales int64 }
		months, err := dbfleet.Into[month](s.Query().SelectValue(dbfleet.Year(s.soldAt), "year").SelectValue(dbfleet.Month(s.soldAt), "month").
			SelectValue(dbfleet.CountRows(), "sales").GroupBy("year", "month").OrderBy("year", dbfleet.Asc).OrderBy("month", dbfleet.Asc)).Get(t.Context())
		require.NoError(t, err)
		require.Equal(t, []month{{2024, 2, 2}, {2024, 3, 1}, {2025, 1, 1}, {2025, 12, 2}}, months)
		type sized struct {
			Size string
			N    int64
		}
		size := dbfleet.Case[string]().When(s.price.GtEq(20), "large").Else("small")
		sizes, err := dbfleet.Into[sized](s.Query().SelectValue(size, "size").SelectCount("n").GroupBy("size").Having("n", ">", 1).OrderBy("size", dbfleet.Asc)).Get(t.Context())
		require.NoError(t, err)
		require.Equal(t, []sized{{"large", 2}, {"small", 4}}, sizes)
	})
}

func TestWindow_LooksAtTheRowsAround(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		s := newSales(t, fl)
		byShop := dbfleet.Window{PartitionBy: []dbfleet.Term{s.shop}, OrderBy: []dbfleet.Order{s.price.Desc(), s.id.Asc()}}
		require.Equal(t, []int64{2, 1, 2, 1, 3, 1}, column[int64](t, s, dbfleet.RowNumber().Over(byShop)))
		byRate := dbfleet.Window{OrderBy: []dbfleet.Order{s.rate.Asc()}}
		require.Equal(t, []int64{2, 1, 6, 3, 3, 3}, column[int64](t, s, dbfleet.Rank().Over(byRate)))
		require.Equal(t, []int64{2, 1, 4, 3, 3, 3}, column[int64](t, s, dbfleet.DenseRank().Over(byRate)))
		require.Equal(t, []*int64{at[int64](20), nil, at[int64](7), nil, at[int64](5), nil}, column[*int64](t, s, dbfleet.Lag(s.price, 1).Over(byShop)))
		require.Equal(t, []*int64{nil, nil, nil, at[int64](0), nil, nil}, column[*int64](t, s, dbfleet.Lead(s.price, 2).Over(byShop)))
		require.Equal(t, []int64{20, 20, 7, 7, 7, 100}, column[int64](t, s, dbfleet.FirstValue(s.price).Over(byShop)))
		require.Equal(t, []int64{30, 20, 12, 7, 12, 100}, column[int64](t, s, dbfleet.SumOf(s.price).Over(byShop)), "up to the row")
		require.Equal(t, []int64{30, 30, 12, 12, 12, 100}, column[int64](t, s, dbfleet.SumOf(s.price).Over(dbfleet.Window{PartitionBy: []dbfleet.Term{s.shop}})))
		require.Equal(t, []int64{6, 6, 6, 6, 6, 6}, column[int64](t, s, dbfleet.CountRows().Over(dbfleet.Window{})))
		require.Equal(t, []float64{15, 15, 4, 4, 4, 100}, column[float64](t, s, dbfleet.AvgOf(s.price).Over(dbfleet.Window{PartitionBy: []dbfleet.Term{s.shop}})))
		require.Equal(t, []int64{2, 2, 1, 1, 1, 1}, column[int64](t, s, dbfleet.CountRows().Where(s.price.GtEq(10)).Over(dbfleet.Window{PartitionBy: []dbfleet.Term{dbfleet.Year(s.soldAt), s.shop}}).Add(dbfleet.Case[int64]().When(s.price.Lt(10), 1).Else(0))))
		nulls := dbfleet.Window{OrderBy: []dbfleet.Order{s.buyer.Asc().NullsLast(), s.id.Asc()}}
		require.Equal(t, []int64{1, 5, 3, 2, 4, 6}, column[int64](t, s, dbfleet.RowNumber().Over(nulls)))
		nulls.OrderBy[0] = s.buyer.Desc().NullsFirst()
		require.Equal(t, []int64{5, 1, 4, 6, 3, 2}, column[int64](t, s, dbfleet.RowNumber().Over(nulls)))
		// Sorted by one, and written by none.
		require.Equal(t, []int64{2, 4, 6, 1, 3, 5}, must(dbfleet.Pluck[int64](t.Context(), s.Query().OrderWith(dbfleet.RowNumber().Over(byShop).Asc(), s.id.Asc()), "id")))
	})
}

func TestExpression_TellsWhatIsMissing(t *testing.T) {
	t.Parallel()
	fl := conformance.OnSQLite(t)
	s := newSales(t, fl)
	var none *dbfleet.Query[sale]
	for want, value := range map[string]dbfleet.Term{
		"arithmetic +: an operand is nil":      s.price.Add(nil),
		"the zero value":                       dbfleet.Expression[int64]{},
		"Over: the function is the zero value": dbfleet.WindowFunction[int64]{}.Over(dbfleet.Window{}),
		"Case: has no When":                    dbfleet.Case[int64]().Else(1),
		"an empty condition":                   dbfleet.Case[int64]().When(dbfleet.Cond{}, 1).Else(2),
		"Coalesce: an operand is nil":          dbfleet.Coalesce[int64](s.price, nil),
		"Lower: an operand is nil":             dbfleet.Lower(nil),
		"Concat: an operand is nil":            dbfleet.Concat(s.shop, nil),
		`there is no unit "week"`:              dbfleet.Truncate(s.soldAt, "week"),
		"Year: an operand is nil":              dbfleet.Year(nil),
		"CountOf: an operand is nil":           dbfleet.CountOf(nil),
		"SumOf: an operand is nil":             dbfleet.SumOf[int64](nil).Distinct().Where(s.id.Eq(1)),
		"Distinct: CountRows counts no values": dbfleet.CountRows().Distinct(),
		"PartitionBy: an operand is nil":       dbfleet.RowNumber().Over(dbfleet.Window{PartitionBy: []dbfleet.Term{nil}}),
		"order: is the zero value":             dbfleet.RowNumber().Over(dbfleet.Window{OrderBy: []dbfleet.Order{{}}}),
		"Lag: -1 rows":                         dbfleet.Lag(s.price, -1).Over(dbfleet.Window{}),
		"QueryValue: the query is nil":         dbfleet.QueryValue[int64](none),
		"no decimal number":                    dbfleet.Col[string]("total").Plus("x"),
		"nothing can be added":                 dbfleet.Col[bool]("total").Plus(true),
		`has no column "nope"`:                 dbfleet.Col[int64]("nope").Plus(1),
		"the name of a column is empty":        dbfleet.Col[int64](""),
		"1 placeholders for 0 arguments":       dbfleet.RawValue[int64]("id + ?"),
	} {
		_, err := s.Query().SelectValue(value, "value").Pluck(t.Context(), "value")
		require.ErrorContains(t, err, want)
		if _, column := value.(dbfleet.Col[int64]); column {
			continue
		}
		_, err = s.Where("id", "=", value).Get(t.Context())
		require.ErrorContains(t, err, want)
		_, err = s.Where("id", "=", 1).Update(t.Context(), map[string]any{"price": value})
		require.ErrorContains(t, err, want)
	}
	for want, cond := range map[string]dbfleet.Cond{
		"Known":                      dbfleet.Compare(s.price, "BETWEEN", s.count),
		"Compare: an operand is nil": dbfleet.Compare[int64](s.price, "=", nil),
		"InQuery: the query is nil":  s.price.InQuery(none),
		"must select one column":     s.price.Plus(1).InQuery(s.Query()),
		"NULL cannot follow <":       dbfleet.Coalesce(dbfleet.Col[*int64]("price"), dbfleet.Value[*int64](nil)).Lt(nil),
	} {
		_, err := s.Filter(cond).Get(t.Context())
		if want == "Known" {
			var fault *dbfleet.OperatorError
			require.ErrorAs(t, err, &fault)
			continue
		}
		require.ErrorContains(t, err, want)
	}
	_, err := s.Query().SelectValue(s.price, "").Get(t.Context())
	require.ErrorContains(t, err, "SelectValue: the alias is empty")
}
