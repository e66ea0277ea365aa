package language

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

type sale struct {
	ID     int64
	Shop   string
	Buyer  *string
	Price  int64
	Count  int64
	Rate   float64
	Total  string // a decimal
	SoldAt time.Time
}

// sales are six rows and their columns.
type sales struct {
	*dbfleet.Model[sale]
	id, price, count dbfleet.Col[int64]
	rate             dbfleet.Col[float64]
	shop, buyer      dbfleet.Col[string]
	total            dbfleet.Col[string]
	soldAt           dbfleet.Col[time.Time]
}

func newSales(t *testing.T, fl conformance.Fleet) sales {
	t.Helper()
	fl.Create(t, `CREATE TABLE sales (id {id}, shop {text} NOT NULL, buyer {text}, price {bigint} NOT NULL, count {bigint} NOT NULL, rate {float} NOT NULL, total {decimal} NOT NULL, sold_at {time} NOT NULL)`)
	m := conformance.Model[sale](t, fl.Registry, dbfleet.ModelConfig{Table: "sales"})
	day := func(year int, month time.Month, day, hour int) time.Time {
		return time.Date(year, month, day, hour, 59, 58, 123456000, time.UTC)
	}
	require.NoError(t, m.CreateMany(t.Context(), []sale{
		{ID: 1, Shop: "north", Buyer: at("Ada"), Price: 10, Count: 3, Rate: 0.5, Total: "30", SoldAt: day(2024, 2, 29, 23)},
		{ID: 2, Shop: "north", Price: 20, Count: 1, Rate: 0.25, Total: "20", SoldAt: day(2024, 2, 1, 0)},
		{ID: 3, Shop: "south", Buyer: at("Bob"), Price: 5, Count: 10, Rate: 2, Total: "50", SoldAt: day(2024, 3, 1, 5)},
		{ID: 4, Shop: "south", Buyer: at("Ada"), Price: 7, Count: 7, Rate: 1, Total: "49", SoldAt: day(2025, 12, 31, 12)},
		{ID: 5, Shop: "south", Buyer: at("Eve"), Price: 0, Count: 4, Rate: 1, Total: "0", SoldAt: day(2025, 12, 31, 13)},
		{ID: 6, Shop: "west", Price: 100, Count: 2, Rate: 1, Total: "200", SoldAt: day(2025, 1, 1, 0)},
	}))
	return sales{
		Model:  m,
		id:     dbfleet.Field(m, func(s *sale) *int64 { return &s.ID }),
		price:  dbfleet.Field(m, func(s *sale) *int64 { return &s.Price }),
		count:  dbfleet.Field(m, func(s *sale) *int64 { return &s.Count }),
		rate:   dbfleet.Field(m, func(s *sale) *float64 { return &s.Rate }),
		shop:   dbfleet.Field(m, func(s *sale) *string { return &s.Shop }),
		total:  dbfleet.Field(m, func(s *sale) *string { return &s.Total }),
		buyer:  dbfleet.FieldPointer(m, func(s *sale) **string { return &s.Buyer }),
		soldAt: dbfleet.Field(m, func(s *sale) *time.Time { return &s.SoldAt }),
	}
}

func (s sales) ids(t *testing.T, q *dbfleet.Query[sale]) []int64 {
	t.Helper()
	list, err := dbfleet.Pluck[int64](t.Context(), q.OrderWith(s.id.Asc()), "id")
	require.NoError(t, err)
	return list
}

// column reads one expression of each row, by id.
func column[V any](t *testing.T, s sales, e dbfleet.Term) []V {
	t.Helper()
	list, err := dbfleet.Pluck[V](t.Context(), s.Query().SelectValue(e, "value").OrderWith(s.id.Asc()), "value")
	require.NoError(t, err)
	return list
}

func TestExpression_HasItsValueInSelectLists(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		s := newSales(t, fl)
		require.Equal(t, []int64{30, 20, 50, 49, 0, 200}, column[int64](t, s, s.price.Mul(s.count)))
		require.Equal(t, []int64{29, 59, 14, 20, -1, 299}, column[int64](t, s, s.price.Times(3).Minus(1).Plus(0)))
		require.Equal(t, []int64{7, 19, -5, 0, -4, 98}, column[int64](t, s, s.price.Sub(s.count)))
		require.Equal(t, []int64{33, 61, 25, 28, 4, 302}, column[int64](t, s, s.price.Add(s.price).Add(s.price).Plus(10).Add(s.count).Minus(10)))
		require.Equal(t, []float64{0.75, 0.5, 2.25, 1.25, 1.25, 1.25}, column[float64](t, s, s.rate.Plus(0.25)))
		require.Equal(t, []int64{3, 3, 3, 3, 3, 3}, column[int64](t, s, dbfleet.Value[int64](1).Plus(2)))
		require.Equal(t, []string{"x", "x", "x", "x", "x", "x"}, column[string](t, s, dbfleet.Value("x")))

		size := dbfleet.Case[string]().When(s.price.GtEq(20), "large").When(s.price.Gt(5), "medium").Else("small")
		require.Equal(t, []string{"medium", "large", "small", "medium", "small", "large"}, column[string](t, s, size))
		require.Equal(t, []*int64{at[int64](1), nil, at[int64](1), at[int64](1), at[int64](1), nil},
			column[*int64](t, s, dbfleet.Case[int64]().When(s.buyer.IsNotNull(), 1).ElseNull()))
		require.Equal(t, []int64{10, 20, 10, 7, 4, 100}, column[int64](t, s, dbfleet.Case[int64]().WhenOf(s.price.Lt(7), s.count).ElseOf(s.price)))

		require.Equal(t, []string{"Ada", "north", "Bob", "Ada", "Eve", "west"}, column[string](t, s, dbfleet.Coalesce[string](s.buyer, s.shop)))
		require.Equal(t, []string{"Ada", "?", "Bob", "Ada", "Eve", "?"}, column[string](t, s, dbfleet.Coalesce(s.buyer, dbfleet.Value("?"))))
		require.Equal(t, []string{"north!ADA", "north!", "south!BOB", "south!ADA", "south!EVE", "west!"},
			column[string](t, s, dbfleet.Concat(s.shop, dbfleet.Value("!"), dbfleet.Upper(dbfleet.Coalesce(s.buyer, dbfleet.Value(""))))))
		require.Equal(t, []*string{at("adanorth"), nil, at("bobsouth"), at("adasouth"), at("evesouth"), nil},
			column[*string](t, s, dbfleet.Lower(dbfleet.Concat(s.buyer, s.shop))))
		require.Equal(t, []int64{5, 5, 5, 5, 5, 4}, column[int64](t, s, dbfleet.Length(s.shop)))
		require.Equal(t, []int64{2, 2, 2, 2, 2, 2}, column[int64](t, s, dbfleet.Length(dbfleet.Trim(dbfleet.Value(" æ日 ")))))

		require.Equal(t, []int64{2024, 2024, 2024, 2025, 2025, 2025}, column[int64](t, s, dbfleet.Year(s.soldAt)))
		require.Equal(t, []int64{2, 2, 3, 12, 12, 1}, column[int64](t, s, dbfleet.Month(s.soldAt)))
		require.Equal(t, []int64{29, 1, 1, 31, 31, 1}, column[int64](t, s, dbfleet.Day(s.soldAt)))
		require.Equal(t, []int64{23, 0, 5, 12, 13, 0}, column[int64](t, s, dbfleet.Hour(s.soldAt)))
		require.Equal(t, []int64{59, 59, 59, 59, 59, 59}, column[int64](t, s, dbfleet.Minute(s.soldAt)))
		require.Equal(t, []int64{58, 58, 58, 58, 58, 58}, column[int64](t, s, dbfleet.Second(s.soldAt)))
		when := time.Date(2024, 2, 29, 23, 59, 58, 0, time.UTC)
		for unit, want := range map[dbfleet.Unit]time.Time{
			dbfleet.UnitYear: time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC), dbfleet.UnitMonth: time.Date(2024, 2, 1, 0, 0, 0, 0, time.UTC),
			dbfleet.UnitDay: when.Truncate(24 * time.Hour), dbfleet.UnitHour: when.Truncate(time.Hour), dbfleet.UnitMinute: when.Truncate(time.Minute), dbfleet.UnitSecond: when,
		} {
			require.Equal(t, want, column[time.Time](t, s, dbfleet.Truncate(s.soldAt, unit))[0], unit)
			require.Contains(t, s.ids(t, s.Filter(dbfleet.Truncate(s.soldAt, unit).Eq(want))), int64(1), unit)
		}
		require.Equal(t, []int64{21, 21, 21, 21, 21, 21}, column[int64](t, s, dbfleet.QueryValue[int64](s.Query().SelectSum("id", "n"))))
		require.Equal(t, []int64{2, 2, 3, 3, 3, 1}, column[int64](t, s, dbfleet.QueryValue[int64](s.Query().As("other").WhereColumn("other.shop", "=", "sales.shop").SelectCount("n"))))
		require.Equal(t, []int64{12, 22, 7, 9, 2, 102}, column[int64](t, s, dbfleet.RawValue[int64]("price + ?", 1).Plus(1)))
	})
}

func TestExpression_IsACondition(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		s := newSales(t, fl)
		total := s.price.Mul(s.count)
		for claim, tc := range map[string]struct {
			cond dbfleet.Cond
			want []int64
		}{
			"gt":            {total.Gt(49), []int64{3, 6}},
			"gt eq":         {total.GtEq(49), []int64{3, 4, 6}},
			"lt":            {total.Lt(20), []int64{5}},
			"lt eq":         {total.LtEq(20), []int64{2, 5}},
			"eq":            {total.Eq(49), []int64{4}},
			"not eq":        {total.NotEq(49), []int64{1, 2, 3, 5, 6}},
			"in":            {total.In(49, 50, 51), []int64{3, 4}},
			"in none":       {total.In(), []int64{}},
			"not in":        {total.NotIn(49, 50), []int64{1, 2, 5, 6}},
			"not in none":   {total.NotIn(), []int64{1, 2, 3, 4, 5, 6}},
			"between":       {total.Between(20, 49), []int64{1, 2, 4}},
			"not between":   {total.NotBetween(20, 49), []int64{3, 5, 6}},
			"null":          {dbfleet.Lower(s.buyer).IsNull(), []int64{2, 6}},
			"not null":      {dbfleet.Lower(s.buyer).IsNotNull(), []int64{1, 3, 4, 5}},
			"text":          {dbfleet.Lower(s.buyer).Eq("ada"), []int64{1, 4}},
			"like":          {dbfleet.Lower(s.buyer).Like("%b%"), []int64{3}},
			"not like":      {dbfleet.Lower(s.buyer).NotLike("%b%"), []int64{1, 4, 5}},
			"ilike":         {dbfleet.Concat(s.buyer, dbfleet.Value("_")).ILike(`A%\_`), []int64{1, 4}},
			"not ilike":     {dbfleet.Concat(s.buyer, dbfleet.Value("_")).NotILike(`A%\_`), []int64{3, 5}},
			"columns":       {dbfleet.Compare(s.price, "<", s.count), []int64{3, 5}},
			"column, value": {dbfleet.Compare(s.price, "=", s.count.Plus(0)), []int64{4}},
			"value, column": {dbfleet.Compare(dbfleet.Value[int64](7), "=", s.price), []int64{4}},
			"text, time":    {dbfleet.Compare[any](dbfleet.Value[any]("2024-02-01 00:59:58.123456"), "=", dbfleet.Col[any]("sold_at")), []int64{2}},
			"values":        {dbfleet.Compare(dbfleet.Value("a"), "=", dbfleet.Value("a")), []int64{1, 2, 3, 4, 5, 6}},
			"scalar":        {dbfleet.Compare(s.price, "=", dbfleet.QueryValue[int64](s.Query().SelectMax("price", "n"))), []int64{6}},
			"in query":      {s.price.InQuery(s.Where("id", "<", 3).Select("price")), []int64{1, 2}},
			"sum in query":  {total.InQuery(s.Select("total").Where("id", "=", 1)), []int64{1}},
			"not in query":  {s.id.NotInQuery(s.Where("id", "<", 4).Select("id")), []int64{4, 5, 6}},
			"not of":        {dbfleet.Not(total.Gt(49)), []int64{1, 2, 4, 5}},
			"or":            {dbfleet.Or(total.Gt(49), s.id.Eq(1)), []int64{1, 3, 6}},
			"year":          {dbfleet.Year(s.soldAt).Eq(2025), []int64{4, 5, 6}},
			"case":          {dbfleet.Case[bool]().When(s.price.Gt(10), true).Else(false).Eq(true), []int64{2, 6}},
			"string door":   {dbfleet.And(s.price.Eq(7), s.count.In(7)), []int64{4}},
		} {
			require.Equal(t, tc.want, s.ids(t, s.Filter(tc.cond)), claim)
		}
		require.Equal(t, []int64{4}, s.ids(t, s.Where("price", "=", s.count)), "a column as a value")
		require.Equal(t, []int64{3, 5}, s.ids(t, s.Where("count", ">", s.price.Plus(0))))
		require.Equal(t, []int64{3, 6}, s.ids(t, s.Query().WhereRaw("? > ?", total, 49)))
		require.Equal(t, []int64{6, 3, 4, 1, 2, 5}, must(dbfleet.Pluck[int64](t.Context(), s.Query().OrderWith(total.Desc()), "id")))
	})
}

func must[V any](v V, err error) V {
	if err != nil {
		panic(err)
	}
	return v
}

func TestExpression_IsWritten(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		s := newSales(t, fl)
		n, err := s.Filter(s.shop.Eq("south")).Update(t.Context(), map[string]any{
			"count": s.count.Plus(1), "price": s.price.Add(s.count), "buyer": dbfleet.Coalesce(s.buyer, s.shop), "shop": dbfleet.Concat(s.shop, dbfleet.Value("'s")),
		})
		require.NoError(t, err)
		require.EqualValues(t, 3, n)
		row, err := s.Find(t.Context(), 3)
		require.NoError(t, err)
		require.Equal(t, []any{int64(11), int64(15), "south's", "Bob"}, []any{row.Count, row.Price, row.Shop, *row.Buyer}, "each reads the row as it was")
		_, err = s.Where("id", "=", 1).Update(t.Context(), map[string]any{"price": dbfleet.Case[int64]().When(s.count.Gt(2), 99).Else(1), "count": s.id})
		require.NoError(t, err)
		row, err = s.Find(t.Context(), 1)
		require.NoError(t, err)
		require.Equal(t, []int64{99, 1}, []int64{row.Price, row.Count})
	})
}

func TestExpression_ComputesExactlyOrFails(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		s := newSales(t, fl)
		_, err := s.Where("id", "=", 1).Update(t.Context(), map[string]any{"count": int64(math.MaxInt64)})
		require.NoError(t, err)
		for claim, e := range map[string]dbfleet.Expression[int64]{
			"plus": s.count.Plus(1), "times": s.count.Times(2), "nested": s.count.Plus(1).Minus(1), "mul": s.count.Mul(s.count).Times(0), "add": s.price.Add(s.count),
			"far below": s.price.Minus(100).Sub(s.count),
		} {
			_, err := s.Where("id", "=", 1).Update(t.Context(), map[string]any{"price": e})
			require.ErrorIs(t, err, dbfleet.ErrInvalidValue, claim)
			_, err = s.Where("id", "=", 1).SelectValue(e, "value").Pluck(t.Context(), "value")
			require.ErrorIs(t, err, dbfleet.ErrInvalidValue, claim)
		}
		require.Equal(t, int64(math.MaxInt64), column[int64](t, s, s.count.Minus(1).Plus(1))[0])
		unsigned := dbfleet.Col[uint64]("price")
		_, err = s.Where("id", "=", 5).Update(t.Context(), map[string]any{"price": unsigned.Minus(1)})
		require.ErrorIs(t, err, dbfleet.ErrInvalidValue, "what the field cannot hold")
		row, err := s.Find(t.Context(), 1)
		require.NoError(t, err)
		require.EqualValues(t, 10, row.Price, "nothing was written")

		decimals := s.total.Plus("0.10").Times("2")
		got, err := dbfleet.Pluck[string](t.Context(), s.Where("id", "=", 1).SelectValue(decimals, "value"), "value")
		if fl.Database.Dialect == "sqlite" {
			require.ErrorIs(t, err, dbfleet.ErrRange)
			return
		}
		require.NoError(t, err)
		require.Regexp(t, `^60\.200*$`, got[0])
		require.Equal(t, []int64{2, 5}, s.ids(t, s.Filter(decimals.Lt("40.3"))))
		require.Equal(t, []int64{1}, s.ids(t, s.Filter(decimals.In("60.2", "7"))))
		require.Equal(t, []int64{2, 3, 4, 5, 6}, s.ids(t, s.Filter(decimals.NotIn("60.2", "7"))))
	})
}
