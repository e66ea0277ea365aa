package values

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// truth 515
func TestAggregates_LoseNoDigit(t *testing.T) {
	t.Parallel()
	type entry struct {
		ID  int64
		D   string
		Big int64
		F   float64
	}
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, map[string]string{
			"sqlite":   `CREATE TABLE entries (id {id}, d TEXT, big {bigint}, f {float})`,
			"postgres": `CREATE TABLE entries (id {id}, d NUMERIC(40,18), big {bigint}, f {float})`,
			"mysql":    `CREATE TABLE entries (id {id}, d DECIMAL(40,18), big {bigint}, f {float})`,
		}[fl.Database.Dialect])
		m := conformance.Model[entry](t, fl.Registry, dbfleet.ModelConfig{Table: "entries"})
		require.NoError(t, m.CreateMany(ctx, []entry{
			{D: "1.000000000000000001", Big: 1<<53 + 1, F: 0.1}, {D: "2.000000000000000002", Big: 1<<53 + 1, F: 0.2}, {D: "-9007199254740993.000000000000000001", Big: math.MaxInt64, F: 1e17},
		}))
		two, first := m.Where("id", "<=", 2), m.Where("id", "=", 1)

		text, err := dbfleet.Sum[string](ctx, m, "d")
		require.NoError(t, err)
		require.Equal(t, "-9007199254740989.999999999999999998", text)
		exact, err := dbfleet.Sum[amount](ctx, two, "d")
		require.NoError(t, err)
		require.Equal(t, "3.000000000000000003", exact.text)
		text, err = dbfleet.Avg[string](ctx, two, "d")
		require.NoError(t, err)
		require.Equal(t, "1.5000000000000000015", text)
		exact, err = dbfleet.Avg[amount](ctx, m, "d")
		require.NoError(t, err)
		require.Equal(t, "-3002399751580329.999999999999999999333333333333", exact.text)

		whole, err := dbfleet.Avg[int64](ctx, two, "big")
		require.NoError(t, err)
		require.EqualValues(t, int64(1)<<53+1, whole)
		text, err = dbfleet.Avg[string](ctx, two, "big")
		require.NoError(t, err)
		require.Equal(t, "9007199254740993", text)
		text, err = dbfleet.Avg[string](ctx, m, "big")
		require.NoError(t, err)
		require.Equal(t, "3080462145121419264.333333333333333333333333333333", text)
		_, err = dbfleet.Avg[int64](ctx, m, "big")
		require.ErrorIs(t, err, dbfleet.ErrRange)
		_, err = m.Where("id", "<=", 2).Avg(ctx, "big")
		require.ErrorIs(t, err, dbfleet.ErrRange, "no float64 is that number")
		_, err = dbfleet.Avg[float64](ctx, two, "big")
		require.ErrorIs(t, err, dbfleet.ErrRange)
		small, err := m.Query().Avg(ctx, "id")
		require.NoError(t, err)
		require.Equal(t, 2.0, small)
		third, err := dbfleet.Avg[float64](ctx, m.WhereIn("id", []int{1, 2}), "id")
		require.NoError(t, err)
		require.Equal(t, 1.5, third)
		// Of floats, what floats make of it.
		f, err := dbfleet.Avg[float64](ctx, two, "f")
		require.NoError(t, err)
		require.InDelta(t, 0.15, f, 1e-15)
		sum, err := two.Sum(ctx, "f")
		require.NoError(t, err)
		require.InDelta(t, 0.3, sum, 1e-15)

		// With limits, groups and unions, and for a table without a model.
		text, err = dbfleet.Avg[string](ctx, m.OrderBy("id", dbfleet.Asc).Limit(2), "d")
		require.NoError(t, err)
		require.Equal(t, "1.5000000000000000015", text)
		text, err = dbfleet.Sum[string](ctx, m.OrderBy("id", dbfleet.Asc).Limit(2), "d")
		require.NoError(t, err)
		require.Equal(t, "3.000000000000000003", text)
		whole, err = dbfleet.Avg[int64](ctx, m.Select("big").Distinct().Where("id", "<=", 2), "big")
		require.NoError(t, err)
		require.EqualValues(t, int64(1)<<53+1, whole)
		text, err = dbfleet.Sum[string](ctx, first.Union(m.Where("id", "=", 2)), "d")
		require.NoError(t, err)
		require.Equal(t, "3.000000000000000003", text)
		text, err = dbfleet.Avg[string](ctx, fl.DB("main").Table("entries").Where("id", "<=", 2), "d")
		require.NoError(t, err)
		require.Equal(t, "1.5000000000000000015", text)
		maybe, err := dbfleet.Avg[sql.Null[string]](ctx, two, "d")
		require.NoError(t, err)
		require.Equal(t, "1.5000000000000000015", maybe.V)
		top, err := dbfleet.Max[string](ctx, two, "d")
		require.NoError(t, err)
		require.Equal(t, "2.000000000000000002", top)
	})
}

// truth 516
func TestAggregates_AddDecimalsAsDecimals(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE prices (id {id}, price NUMERIC(10,2), name {text})`, `INSERT INTO prices (price, name) VALUES (1.98, 'a'), (1.98, 'a'), (1.98, 'b'), (NULL, 'x')`)
		prices := fl.DB("main").Table("prices")
		sum, err := dbfleet.Sum[string](ctx, prices, "price")
		require.NoError(t, err)
		require.Equal(t, "5.94", sum)
		mean, err := dbfleet.Avg[string](ctx, prices, "price")
		require.NoError(t, err)
		require.Equal(t, "1.98", mean)
		near, err := prices.Avg(ctx, "price")
		require.NoError(t, err)
		require.InDelta(t, 1.98, near, 1e-15)
		if fl.Database.Dialect != "postgres" { // which has no sum of text
			_, err = dbfleet.Sum[string](ctx, prices, "name")
			if fl.Database.Dialect == "sqlite" {
				require.ErrorIs(t, err, dbfleet.ErrType)
			}
		}
	})
}

// truth 517
func TestAggregates_OverNoValuesHaveOneRule(t *testing.T) {
	t.Parallel()
	type entry struct {
		ID int64
		N  *int64
		D  *string
	}
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE entries (id {id}, n {bigint}, d {decimal})`, `INSERT INTO entries (n, d) VALUES (NULL, NULL)`)
		m := conformance.Model[entry](t, fl.Registry, dbfleet.ModelConfig{Table: "entries"})
		for name, q := range map[string]*dbfleet.Query[entry]{"no rows": m.Where("id", "=", -1), "only NULL": m.Query()} {
			for _, column := range []string{"n", "d"} {
				sum, err := q.Sum(ctx, column)
				require.NoError(t, err, name)
				require.Zero(t, sum)
				whole, err := dbfleet.Sum[int64](ctx, q, column)
				require.NoError(t, err, name)
				require.Zero(t, whole)
				text, err := dbfleet.Sum[string](ctx, q, column)
				require.NoError(t, err, name)
				require.Equal(t, "0", text)
				custom, err := dbfleet.Sum[amount](ctx, q, column)
				require.NoError(t, err, name)
				require.Equal(t, "0", custom.text)
				for function, ask := range map[string]func() error{
					"Avg": func() error { _, err := q.Avg(ctx, column); return err }, "Min": func() error { _, err := q.Min(ctx, column); return err }, "Max": func() error { _, err := q.Max(ctx, column); return err },
					"typed Avg": func() error { _, err := dbfleet.Avg[float64](ctx, q, column); return err }, "typed Min": func() error { _, err := dbfleet.Min[int64](ctx, q, column); return err },
					"typed Max": func() error { _, err := dbfleet.Max[string](ctx, q, column); return err }, "custom": func() error { _, err := dbfleet.Max[amount](ctx, q, column); return err },
				} {
					err := ask()
					require.ErrorIs(t, err, dbfleet.ErrNotFound, "%s of %s", function, name)
					require.ErrorIs(t, err, sql.ErrNoRows)
					require.ErrorContains(t, err, `"`+column+`"`)
					require.ErrorContains(t, err, `"entries"`)
				}
				// A type that can be NULL tells it for all of them.
				for function, ask := range map[string]func(context.Context, dbfleet.Queryable, string) (*float64, error){
					"Sum": dbfleet.Sum[*float64], "Avg": dbfleet.Avg[*float64], "Min": dbfleet.Min[*float64], "Max": dbfleet.Max[*float64],
				} {
					none, err := ask(ctx, q, column)
					require.NoError(t, err, function)
					require.Nil(t, none, function)
				}
				null, err := dbfleet.Sum[sql.Null[int64]](ctx, q, column)
				require.NoError(t, err)
				require.False(t, null.Valid)
				free, err := dbfleet.Sum[any](ctx, q, column)
				require.NoError(t, err)
				require.Nil(t, free)
			}
		}
	})
}

// truth 521, 522
func TestRows_OfComputedColumnsHaveTheTypesThatAreDocumented(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE sales (id {id}, n {int}, big {bigint}, price NUMERIC(10,2), at {time})`)
		sales := fl.DB("main").Table("sales")
		at := time.Date(2024, 3, 10, 7, 8, 9, 0, time.UTC)
		for range 3 {
			_, err := sales.Insert(ctx, dbfleet.Row{"n": 1, "big": 2, "price": "1.98", "at": at})
			require.NoError(t, err)
		}
		row, err := sales.SelectRaw("SUM(n) AS sum_n, SUM(big) AS sum_big, AVG(n) AS avg_n, SUM(price) AS sum_price, AVG(price) AS avg_price, MAX(at) AS last").First(ctx)
		require.NoError(t, err)
		types := map[string]string{}
		for column, v := range row {
			types[column] = fmt.Sprintf("%T", v)
		}
		require.Equal(t, map[string]map[string]string{
			"postgres": {"sum_n": "int64", "sum_big": "string", "avg_n": "string", "sum_price": "string", "avg_price": "string", "last": "time.Time"},
			"mysql":    {"sum_n": "string", "sum_big": "string", "avg_n": "string", "sum_price": "string", "avg_price": "string", "last": "time.Time"},
			"sqlite":   {"sum_n": "int64", "sum_big": "int64", "avg_n": "float64", "sum_price": "float64", "avg_price": "float64", "last": "string"},
		}[fl.Database.Dialect], types)

		// The ways that are alike.
		type summary struct {
			SumN   int64
			SumBig int64
			AvgN   float64
			Last   time.Time
		}
		one, err := dbfleet.Table[summary](fl.DB("main"), "sales").SelectRaw("SUM(n) AS sum_n, SUM(big) AS sum_big, AVG(n) AS avg_n, MAX(at) AS last").First(ctx)
		require.NoError(t, err)
		require.Equal(t, summary{3, 6, 1, at}, one)
		sum, err := dbfleet.Sum[string](ctx, sales, "price")
		require.NoError(t, err)
		require.Equal(t, "5.94", sum)
		last, err := sales.Max(ctx, "at")
		require.NoError(t, err)
		require.Equal(t, at, last)
		price, err := sales.Min(ctx, "price")
		require.NoError(t, err)
		require.Equal(t, "1.98", price)
		first, err := sales.OrderBy("id", dbfleet.Asc).Limit(2).Min(ctx, "at")
		require.NoError(t, err)
		require.Equal(t, at, first)
	})
}
