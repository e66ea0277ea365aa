package queries

import (
	"database/sql"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

type trade struct {
	ID     int64
	Shop   string
	Amount int64
	Price  string
	Weight float64
	SoldAt time.Time
	Note   *int64
}

func trades(t *testing.T, fl conformance.Fleet) *dbfleet.Model[trade] {
	t.Helper()
	fl.Create(t, `CREATE TABLE sales (id {id}, shop {text} NOT NULL, amount {bigint} NOT NULL, price {decimal} NOT NULL, weight {float} NOT NULL, sold_at {time} NOT NULL, note {bigint})`)
	m := conformance.Model[trade](t, fl.Registry, dbfleet.ModelConfig{Table: "sales"})
	day := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	require.NoError(t, m.CreateMany(t.Context(), []trade{
		{Shop: "a", Amount: 9007199254740993, Price: "1.5000", Weight: 1, SoldAt: day},
		{Shop: "a", Amount: 2, Price: "2.5000", Weight: 2, SoldAt: day.AddDate(0, 0, 1)},
		{Shop: "b", Amount: 1, Price: "10.0000", Weight: 0.5, SoldAt: day.AddDate(0, 0, 2)},
		{Shop: "b", Amount: 1, Price: "20.0000", Weight: 0.5, SoldAt: day.AddDate(0, 0, 3)},
		{Shop: "b", Amount: 2, Price: "30.0000", Weight: 0.5, SoldAt: day.AddDate(0, 0, 4)},
		{Shop: "c", Amount: 7, Price: "5.0000", Weight: 9, SoldAt: day},
	}))
	return m
}

type perShop struct {
	Shop   string
	N      int
	Total  int64
	Mean   float64
	First  time.Time
	Last   time.Time
	Weight float64
}

func TestSelectAggregates_OfGroups(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		m, ctx := trades(t, fl), t.Context()
		day := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
		q := m.Select("shop").SelectCount("n").SelectSum("amount", "total").SelectAvg("weight", "mean").SelectMin("sold_at", "first").SelectMax("sold_at", "last").
			SelectSum("weight", "weight").GroupBy("shop").Having("n", ">", 1).OrderBy("total", dbfleet.Desc)
		list, err := dbfleet.Into[perShop](q).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, []perShop{
			{"a", 2, 9007199254740995, 1.5, day, day.AddDate(0, 0, 1), 3},
			{"b", 3, 4, 0.5, day.AddDate(0, 0, 2), day.AddDate(0, 0, 4), 1.5},
		}, list)
		n, err := q.Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		most, err := dbfleet.Max[int64](ctx, q, "total")
		require.NoError(t, err)
		require.EqualValues(t, 9007199254740995, most)
		names, err := dbfleet.Pluck[string](ctx, q, "shop")
		require.NoError(t, err)
		require.Equal(t, []string{"a", "b"}, names)

		for claim, having := range map[string]*dbfleet.Query[trade]{
			"sum": q.Having("total", "<", 100), "mean": q.Having("mean", "<", 1), "maximum": q.Having("weight", "<=", 1.5), "among": q.Having("n", "IN", []int{3, 4}),
		} {
			names, err := dbfleet.Pluck[string](ctx, having, "shop")
			require.NoError(t, err, claim)
			require.Equal(t, []string{"b"}, names, claim)
		}

		rows, err := dbfleet.Into[dbfleet.Row](m.Select("shop").SelectCount("n").SelectAvg("amount", "mean").GroupBy("shop").Where("shop", "=", "b")).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, []dbfleet.Row{{"shop": "b", "n": int64(3), "mean": 4.0 / 3}}, rows, "a mean is a float64 on every database")

		type odd struct {
			N int    `db:"weird \"name"`
			S string `db:"select"`
		}
		if fl.Database.Dialect != "mysql" {
			quoted, err := dbfleet.Into[odd](m.Query().SelectCount(`weird "name`).SelectMin("shop", "select").GroupBy("shop").OrderBy(`weird "name`, dbfleet.Desc)).First(ctx)
			require.NoError(t, err)
			require.Equal(t, odd{3, "b"}, quoted)
		}
		type same struct{ Amount int64 }
		hidden, err := dbfleet.Into[same](m.Query().SelectSum("amount", "amount").GroupBy("shop").OrderBy("amount", dbfleet.Asc)).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, []same{{4}, {7}, {9007199254740995}}, hidden, "an alias may be called as the column")

		type shopSum struct {
			Name  string
			Total int64
		}
		fl.Create(t, `CREATE TABLE shops (id {id}, name {text} NOT NULL, total {bigint})`, `INSERT INTO shops (name, total) VALUES ('b', 77)`)
		joined, err := dbfleet.Into[shopSum](m.Query().Join("shops AS s", "s.name", "=", "sales.shop").SelectAs("s.name", "name").SelectSum("sales.amount", "total").GroupBy("s.name")).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, []shopSum{{"b", 4}}, joined)
		table, err := fl.DB("main").Table("sales").SelectCount("n").First(ctx)
		require.NoError(t, err)
		require.Equal(t, dbfleet.Row{"n": int64(6)}, table)
		type counted struct{ N int64 }
		one, err := dbfleet.Into[counted](m.Query().SelectCount("n")).Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, one, "an aggregate without groups is one row")
	})
}

// Decimals are added exactly where the database has them.
func TestSelectSum_OfDecimals(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		m, ctx := trades(t, fl), t.Context()
		type sum struct{ Total string }
		got, err := dbfleet.Into[sum](m.Where("shop", "=", "b").SelectSum("price", "total").GroupBy("shop")).First(ctx)
		require.NoError(t, err)
		if fl.Database.Dialect == "sqlite" {
			require.Equal(t, "60", got.Total, "SQLite has floats only, as documented")
			return
		}
		require.Equal(t, "60.0000", got.Total)
	})
}

func TestSelectAggregates_OverNoValuesHaveTheRuleOfSum(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		m, ctx := trades(t, fl), t.Context()
		type zero struct {
			N      int
			Total  int64
			Price  string
			Weight float64
		}
		none := m.Where("id", "<", 0)
		sums := none.SelectCount("n").SelectSum("amount", "total").SelectSum("price", "price").SelectSum("weight", "weight")
		got, err := dbfleet.Into[zero](sums).First(ctx)
		require.NoError(t, err)
		require.Contains(t, []string{"0", "0.0000"}, got.Price)
		got.Price = ""
		require.Zero(t, got)
		type nulls struct {
			N      int
			Total  *int64
			Price  sql.NullString
			Weight sql.Null[float64]
		}
		empty, err := dbfleet.Into[nulls](sums).First(ctx)
		require.NoError(t, err)
		require.Equal(t, nulls{}, empty)
		row, err := dbfleet.Into[dbfleet.Row](sums).First(ctx)
		require.NoError(t, err)
		require.Equal(t, dbfleet.Row{"n": int64(0), "total": nil, "price": nil, "weight": nil}, row)
		notes, err := dbfleet.Into[struct{ Notes int64 }](m.Query().SelectSum("note", "notes").GroupBy("shop").Having("notes", "=", 0)).Get(ctx)
		require.NoError(t, err)
		require.Len(t, notes, 3, "a group without values, in HAVING too")
		total, err := dbfleet.Into[int64](none.SelectSum("amount", "total")).First(ctx)
		require.NoError(t, err)
		require.Zero(t, total)

		for claim, q := range map[string]*dbfleet.Query[trade]{
			"mean": none.SelectAvg("amount", "total"), "smallest": none.SelectMin("amount", "total"), "largest": none.SelectMax("amount", "total"),
		} {
			_, err := dbfleet.Into[struct{ Total int64 }](q).First(ctx)
			require.ErrorIs(t, err, dbfleet.ErrNull, claim)
			var column *dbfleet.ColumnError
			require.ErrorAs(t, err, &column, claim)
			require.Equal(t, "total", column.Column)
			v, err := dbfleet.Into[struct{ Total *int64 }](q).First(ctx)
			require.NoError(t, err, claim)
			require.Nil(t, v.Total, claim)
		}
	})
}

func TestSelectAggregates_AreChecked(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		m, ctx := trades(t, fl), t.Context()
		count, _ := sent(fl.Registry)
		before := count()
		all := m.Query()
		for want, q := range map[string]*dbfleet.Query[trade]{
			`SelectCount: the alias is empty`:                               all.SelectCount(""),
			`SelectSum: the alias is empty`:                                 all.SelectSum("amount", ""),
			`SelectAvg: takes the name of one column, not "*"`:              all.SelectAvg("*", "x"),
			`SelectMin: takes the name of one column, not ""`:               all.SelectMin("", "x"),
			`SelectMax: takes the name of one column, not "sales.*"`:        all.SelectMax("sales.*", "x"),
			`table "sales" has no column "amuont" known to the model`:       all.SelectSum("amuont", "x"),
			`table "sales" has no column "other.amount" known to the model`: all.SelectSum("other.amount", "x"),
		} {
			_, err := q.Get(ctx)
			require.ErrorContains(t, err, want)
		}
		require.Equal(t, before, count(), "nothing was sent")
	})
}
