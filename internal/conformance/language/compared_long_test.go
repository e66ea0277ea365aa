package language

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// Of a list beside an expression numbers are sent twice, times in all of their forms, and to
// MySQL all for each column: however long it is it has to fit.
func TestCompare_LongListsOfAnExpression(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		m := newAmounts(t, fl)
		day := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
		require.NoError(t, m.CreateMany(t.Context(), []amount{
			{ID: 1, Word: at("7"), Price: at("7"), At: at(day)}, {ID: 2, Word: at("07"), Price: at("7.5"), At: at(day.Add(time.Second))},
			{ID: 3, Word: at("x"), Price: at("-1"), At: at(day.Add(-time.Hour))},
		}))
		word, never := dbfleet.Col[string]("word"), dbfleet.Col[string]("never_word")
		price, neverPrice := dbfleet.Col[string]("price"), dbfleet.Col[string]("never_price")
		texts := func(n int, more ...string) []string {
			list := make([]string, n, n+len(more))
			for i := range list {
				list[i] = fmt.Sprint(i)
			}
			return append(list, more...)
		}
		times := make([]time.Time, 7_000)
		for i := range times {
			times[i] = day.Add(time.Duration(i) * time.Minute)
		}
		first := dbfleet.Coalesce[string](never, word)
		computed := dbfleet.Coalesce[string](neverPrice.Plus("1"), dbfleet.Col[string]("id").Plus("10"))
		type one struct {
			c    dbfleet.Cond
			want []int64
		}
		all := map[string]one{
			"texts":            {first.In(texts(17_000)...), []int64{1}},
			"texts and others": {first.In(texts(17_000, "x")...), []int64{1, 3}},
			"none of texts":    {first.NotIn(texts(17_000)...), []int64{2, 3}},
			"numbers":          {dbfleet.Coalesce[string](neverPrice, price).In(texts(17_000)...), []int64{1}},
			"decimals":         {dbfleet.Coalesce[string](neverPrice, price).In(texts(17_000, "7.50", "-1.0")...), []int64{1, 2, 3}},
			"none of numbers":  {dbfleet.Coalesce[string](neverPrice, price).NotIn(texts(17_000)...), []int64{2, 3}},
			"times":            {dbfleet.Coalesce[time.Time](dbfleet.Col[time.Time]("never_at"), dbfleet.Col[time.Time]("at")).In(times...), []int64{1}},
			"SQL":              {dbfleet.RawValue[string]("amounts.word").In(texts(17_000)...), []int64{1}},
			"many columns":     {dbfleet.Coalesce[string](never, never, never, never, never, never, never, word).In(texts(10_000)...), []int64{1}},
			"few computed":     {computed.In(texts(12, "13.0", "12.5")[5:]...), []int64{1, 3}},
			"none of computed": {computed.NotIn(texts(17_000)[13:]...), []int64{1, 2}},
			"whole numbers":    {dbfleet.Col[int64]("id").Plus(1).In(func() (list []int64) { return append(make([]int64, 33_000), 2) }()...), []int64{1}},
		}
		if fl.Database.Dialect != "postgres" { // which takes 65,535 arguments of an expression
			all["more texts"] = one{first.In(texts(35_000)...), []int64{1}}
			all["more numbers"] = one{dbfleet.Coalesce[string](neverPrice, price).In(texts(35_000, "7.50")...), []int64{1, 2}}
			all["more computed"] = one{computed.In(texts(35_000, "12.50")[12:]...), []int64{2, 3}}
			all["more of SQL"] = one{dbfleet.RawValue[string]("amounts.word").In(texts(35_000)...), []int64{1}}
		}
		for claim, c := range all {
			t.Run(claim, func(t *testing.T) {
				ids, err := dbfleet.Pluck[int64](t.Context(), m.Filter(c.c).OrderBy("id", dbfleet.Asc), "id")
				require.NoError(t, err)
				require.Equal(t, c.want, ids)
			})
		}
	})
}
