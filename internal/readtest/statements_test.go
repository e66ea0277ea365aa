package readtest

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dbtest"
	"github.com/dbfleet/dbfleet/internal/dialect"
	fleet "github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// values turns Go values into arguments as package rowmap does.
type values struct{}

func (values) Arg(v any, d *dialect.Dialect) (any, error) { return rowmap.Arg(v, d) }

func (values) Other(v, arg any, d *dialect.Dialect) any { return rowmap.Other(v, arg, d) }

func (values) Others(list any, args []any, d *dialect.Dialect) []any {
	return rowmap.Others(list, args, d)
}

func (values) Amount(v any, _ bool, d *dialect.Dialect) (any, error) { return rowmap.Arg(v, d) }

func (values) IsList(v any) bool { return rowmap.IsList(v) }

func (values) AppendList(args []any, v any, d *dialect.Dialect, arrays bool) (all []any, array any, hasNull bool, err error) {
	if arrays {
		slice, hasNull, ok, err := rowmap.Slice(v)
		if err != nil || ok {
			return args, slice, hasNull, err
		}
	}
	list, hasNull, err := rowmap.List(v, d)
	return append(args, list...), nil, hasNull, err
}

// subquery is a query in the place of a value.
type subquery struct{ sqlgen.Query }

func (s subquery) Statement(string) (sqlgen.Query, sqlgen.Table, error) { return s.Query, nil, nil }

// byID is a query for the ids of a table, in their order.
func byID(q sqlgen.Query) sqlgen.Query {
	q = q.WithColumns(sqlgen.Column{Name: "id"})
	q.AddOrder(sqlgen.Order{Column: "id"})
	return q
}

// ids are the ids that a query gives.
func ids(t *testing.T, c *fleet.Conn, d *dialect.Dialect, q sqlgen.Query) []int64 {
	t.Helper()
	text, args, err := sqlgen.Select(&q, &sqlgen.Env{Dialect: d, Values: values{}})
	require.NoError(t, err)
	list, err := rowmap.ReadColumn[int64](query(t, c, text, args...))
	require.NoError(t, err, text)
	return list
}

func from(first, last int64) []int64 {
	list := []int64{}
	for n := first; n <= last; n++ {
		list = append(list, n)
	}
	return list
}

// Bounds are arguments, on all databases and wherever a bound may stand.
func TestStatements_BoundsAreArguments(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
		c := conn(t, open(t, db))
		d, _ := dialect.Lookup(db.Dialect)
		exec(t, c, "CREATE TABLE nodes (id BIGINT PRIMARY KEY, parent BIGINT)")
		for n := range 60 {
			exec(t, c, fmt.Sprintf("INSERT INTO nodes VALUES (%d, %d)", n, n/10))
		}
		all := byID(sqlgen.From("nodes"))
		for range 3 { // the later ones with a statement that is prepared
			for page := range int64(8) {
				require.Equal(t, from(7*page, min(7*page+6, 59)), ids(t, c, d, all.WithLimit(7).WithOffset(7*page)))
			}
			require.Equal(t, from(55, 59), ids(t, c, d, all.WithOffset(55)))
			require.Empty(t, ids(t, c, d, all.WithLimit(0)))
			require.Equal(t, from(0, 0), ids(t, c, d, all.WithFixedLimit(1)))

			in := all.WithCond(sqlgen.Compare("id", sqlgen.In, subquery{all.WithLimit(4).WithOffset(10)})).WithCond(sqlgen.Compare("parent", sqlgen.Eq, 1)).WithLimit(3)
			require.Equal(t, from(10, 12), ids(t, c, d, in))
			notIn := all.WithCond(sqlgen.Compare("id", sqlgen.NotIn, subquery{all.WithLimit(57)}))
			require.Equal(t, from(57, 59), ids(t, c, d, notIn))
			derived := byID(sqlgen.FromQuery(all.WithLimit(5).WithOffset(20), "page")).WithCond(sqlgen.Compare("id", sqlgen.Gt, 21)).WithLimit(2)
			require.Equal(t, from(22, 23), ids(t, c, d, derived))
			union := byID(sqlgen.From("nodes")).WithCond(sqlgen.Compare("id", sqlgen.Lt, 2)).
				WithUnion(subquery{all.WithLimit(3).WithOffset(30)}, true).WithLimit(4).WithOffset(1)
			require.Equal(t, append(from(1, 1), from(30, 32)...), ids(t, c, d, union))
			require.Equal(t, []int64{5}, ids(t, c, d, all.WithLimit(5).WithOffset(2).Aggregated("COUNT", "")))
			require.Equal(t, []int64{1}, ids(t, c, d, all.WithOffset(59).ForExistence()))
			require.Empty(t, ids(t, c, d, all.WithOffset(60).ForExistence()))
		}
	})
}

// A list means the same whatever its length, padded or not.
func TestStatements_ListsOfAnyLength(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
		c := conn(t, open(t, db))
		d, _ := dialect.Lookup(db.Dialect)
		exec(t, c, "CREATE TABLE numbers (id BIGINT)", "INSERT INTO numbers VALUES (NULL)")
		for n := range 40 {
			exec(t, c, fmt.Sprintf("INSERT INTO numbers VALUES (%d)", n))
		}
		all := byID(sqlgen.From("numbers"))
		for n := range int64(40) {
			in := all.WithCond(sqlgen.Compare("id", sqlgen.In, from(0, n-1))).WithCond(sqlgen.Compare("id", sqlgen.GtEq, 0))
			require.Equal(t, from(0, n-1), ids(t, c, d, in))
			notIn := all.WithCond(sqlgen.Compare("id", sqlgen.NotIn, from(0, n-1))).WithCond(sqlgen.Compare("id", sqlgen.GtEq, 0))
			require.Equal(t, from(n, 39), ids(t, c, d, notIn))
			withNull := []any{nil}
			for _, v := range from(0, n) {
				withNull = append(withNull, v)
			}
			found := all.WithCond(sqlgen.Compare("id", sqlgen.In, withNull)).Aggregated("COUNT", "")
			require.Equal(t, []int64{n + 2}, ids(t, c, d, found), "NULL is found as well")
			left := all.WithCond(sqlgen.Compare("id", sqlgen.NotIn, withNull)).Aggregated("COUNT", "")
			require.Equal(t, []int64{39 - n}, ids(t, c, d, left), "NULL is left out as well")
		}
	})
}
