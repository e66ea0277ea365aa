package language

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// What the select list computes of each row under a column's name: databases group by the
// column, so that a day came once for each instant, and a CASE had the value of any row.
func TestGroupBy_OfAColumnWhoseNameIsGivenToAnotherValueIsRefused(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		s := newSales(t, fl)
		year := dbfleet.Truncate(s.soldAt, dbfleet.UnitYear)
		size := dbfleet.Case[string]().When(s.price.GtEq(20), "large").Else("small")
		inner := s.Select("shop", "price")
		for name, q := range map[string]dbfleet.Queryable{
			"sold_at": s.Query().SelectValue(year, "sold_at").SelectCount("n").GroupBy("sold_at"),
			"shop":    s.Query().SelectValue(size, "shop").SelectCount("n").GroupBy("shop").Having("shop", "=", "large"),
			"buyer":   s.Query().SelectAs("shop", "buyer").SelectCount("n").GroupBy("buyer"),
			"price":   s.Query().SelectValue(s.count, "price").SelectCount("n").GroupBy("shop", "price"),
			"count":   s.Query().SelectSub(s.Query().As("of").SelectMax("price", "m"), "count").GroupBy("count"),
			"rate":    dbfleet.Table[dbfleet.Row](fl.DB("main"), "sales").SelectValue(size, "rate").GroupBy("rate"),
		} {
			_, err := dbfleet.Into[dbfleet.Row](q).Get(t.Context())
			var fault *dbfleet.StatementError
			require.ErrorAs(t, err, &fault, name)
			require.Equal(t, "group by", fault.Part)
			require.ErrorContains(t, err, `"`+name+`" is a column, and the select list calls something else of each row so`)
			require.ErrorContains(t, err, `write "sales.`+name+`" for the column`)
		}
		_, err := dbfleet.From(inner, "few").SelectValue(dbfleet.Upper(dbfleet.Col[string]("shop")), "shop").GroupBy("shop").Get(t.Context())
		require.ErrorContains(t, err, `write "few.shop" for the column`)

		// What is of the group, or of the column, is right.
		type group struct {
			SoldAt time.Time
			Price  int64
		}
		groups, err := dbfleet.Into[group](s.Query().SelectValue(year, "year").SelectValue(dbfleet.MaxOf(s.price), "price").SelectValue(year, "sold_at").DiscardUnknownColumns().
			GroupBy("year").OrderBy("year", dbfleet.Asc)).Get(t.Context())
		require.NoError(t, err)
		require.Len(t, groups, 2)
		for name, q := range map[string]dbfleet.Queryable{
			"an aggregate":            s.Query().SelectValue(dbfleet.MaxOf(s.price).Plus(1), "price").GroupBy("price"),
			"an aggregate by name":    s.Query().SelectMax("price", "price").GroupBy("price"),
			"a window":                s.Query().SelectValue(dbfleet.Rank().Over(dbfleet.Window{OrderBy: []dbfleet.Order{s.price.Asc()}}), "price").GroupBy("price"),
			"the column":              s.Query().SelectValue(s.price, "price").SelectCount("n").GroupBy("price"),
			"the column by its table": s.Query().SelectValue(s.price.Plus(1), "price").SelectCount("n").GroupBy("sales.price"),
			"another grouped column":  s.Query().SelectAs("price", "count").SelectCount("n").GroupBy("price", "count"),
			"SQL":                     s.Query().SelectValue(dbfleet.RawValue[int64]("MAX(price)"), "price").GroupBy("price"),
		} {
			_, err := dbfleet.Into[dbfleet.Row](q).Get(t.Context())
			require.NoError(t, err, name)
		}
	})
}

// The expression of an alias stands in HAVING with the arguments of the select list: with
// others PostgreSQL took it for another expression, which is not grouped.
func TestHaving_OfAGroupedExpressionWithArguments(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		s := newSales(t, fl)
		type sized struct {
			Size string
			N    int64
		}
		size := dbfleet.Case[string]().When(s.price.GtEq(20), "large").Else("small")
		dear := dbfleet.CountRows().Where(s.price.Gt(6))
		q := dbfleet.Into[sized](s.Where("id", "<>", 99).SelectValue(size, "size").SelectValue(dear, "n").GroupBy("size").OrderBy("size", dbfleet.Asc))
		for want, narrowed := range map[string]*dbfleet.Query[sized]{
			"[{large 2}]":           q.Having("size", "=", "large"),
			"[{small 2}]":           q.Having("size", "<>", "large").Having("n", ">", 1),
			"[{large 2} {small 2}]": q.Having("n", "=", 2),
			"[]":                    q.Having("size", "=", "huge").Limit(3),
		} {
			list, err := narrowed.Get(t.Context())
			require.NoError(t, err)
			require.Equal(t, want, fmt.Sprint(list))
			n, err := narrowed.Count(t.Context())
			require.NoError(t, err)
			require.EqualValues(t, len(list), n)
		}
	})
}
