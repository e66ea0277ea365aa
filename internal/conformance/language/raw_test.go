package language

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

func TestRaw_TakesListsAndNames(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		s := newSales(t, fl)
		raw := func(sql string, args ...any) *dbfleet.Query[sale] { return s.Query().WhereRaw(sql, args...) }
		for claim, c := range map[string]struct {
			q    *dbfleet.Query[sale]
			want []int64
		}{
			"list":            {raw("id IN (?)", []int64{1, 3, 9}), []int64{1, 3}},
			"not in":          {raw("price > ? AND id NOT IN ( /* ? */ ?) AND price < ?", 1, []int{1, 3}, 50), []int64{2, 4}},
			"among others":    {raw("id IN (?, 5, ?)", []int64{1, 2}, 6), []int64{1, 2, 5, 6}},
			"texts":           {raw("shop IN (?)", []string{"we'st", "west"}), []int64{6}},
			"bytes are one":   {raw("shop IN (?)", "west"), []int64{6}},
			"empty":           {raw("id IN (?) OR price = ?", []int64{}, 20), []int64{2}},
			"empty, not":      {raw("id NOT IN (?) AND price = ?", []int64(nil), 20), []int64{2}},
			"names":           {raw("id = :id OR price = :price OR id + 1 = :id", dbfleet.Named("price", 20), dbfleet.Named("id", 4)), []int64{2, 3, 4}},
			"named list":      {raw("id IN (:ids) AND shop IN (:shops)", dbfleet.Named("ids", []int64{1, 2, 3}), dbfleet.Named("shops", []string{"south"})), []int64{3}},
			"named empty":     {raw("id NOT IN (:ids) AND ':ids' <> '?'", dbfleet.Named("ids", []int64{})), []int64{1, 2, 3, 4, 5, 6}},
			"named query":     {raw("id IN :ids", dbfleet.Named("ids", s.Select("id").Where("price", ">", 10))), []int64{2, 6}},
			"expression":      {raw("? > ? AND id < :most", s.price, 1), nil},
			"column":          {raw(":a > :b", dbfleet.Named("a", s.price), dbfleet.Named("b", s.count.Plus(10))), []int64{2, 6}},
			"in a condition":  {s.Filter(dbfleet.Raw("id IN (?)", []int64{5})), []int64{5}},
			"having":          {s.Select("id").GroupBy("id").HavingRaw("id IN (?)", []int64{5, 6}), []int64{5, 6}},
			"in a subquery":   {raw("id IN (SELECT id FROM sales WHERE price IN (?))", []int64{5, 7}), []int64{3, 4}},
			"a long list":     {raw("id IN (?)", make([]int64, 700)), []int64{}},
			"an expression's": {s.Filter(dbfleet.RawValue[bool]("id IN (?)", []int64{2}).Eq(true)), []int64{2}},
		} {
			if c.want == nil {
				_, err := c.q.Get(t.Context())
				require.Error(t, err, claim)
				continue
			}
			require.Equal(t, c.want, s.ids(t, c.q), claim)
		}
		for want, q := range map[string]*dbfleet.Query[sale]{
			"a list has an element that is nil":     raw("id IN (?)", []*int64{at[int64](1), nil}),
			"a list is empty, beside other members": raw("id IN (?, 1)", []int64{}),
			"which is not among the arguments":      raw("id = :id AND price = :prise", dbfleet.Named("id", 1), dbfleet.Named("price", 1)),
			"the SQL has no :more":                  raw("id = :id", dbfleet.Named("id", 1), dbfleet.Named("more", 1)),
			"argument 2 has no name":                raw("id = :id", dbfleet.Named("id", 1), 2),
			`"id" is given twice`:                   raw("id = :id", dbfleet.Named("id", 1), dbfleet.Named("id", 2)),
		} {
			_, err := q.Get(t.Context())
			require.ErrorContains(t, err, want)
		}
	})
}
