package language

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// amount is a row of a decimal and a text. Never is NULL, with the type of either.
type amount struct {
	ID                int64
	Price, NeverPrice *string
	Word, NeverWord   *string
	At, NeverAt       *time.Time
	Whole, NeverWhole *int64
	Ratio, NeverRatio *float64
	Uint, NeverUint   *uint64
}

// amountsOf are conditions that a column and expressions of it should have the same rows by.
type comparing[V any] struct {
	of map[string]dbfleet.Operand[V]
}

// alike are expressions that have the values of a column.
func alike[V any](m *dbfleet.Model[amount], name string, some V) comparing[V] {
	column, never, id := dbfleet.Col[V](name), dbfleet.Col[V]("never_"+name), dbfleet.Col[int64]("id")
	same := m.Query().As("same").WhereColumn("same.id", "=", "amounts.id")
	return comparing[V]{map[string]dbfleet.Operand[V]{
		"Coalesce of two columns":   dbfleet.Coalesce[V](never, column),
		"Coalesce and a value":      dbfleet.Coalesce[V](column, dbfleet.Value(some)),
		"Coalesce in Coalesce":      dbfleet.Coalesce[V](never, dbfleet.Coalesce[V](never, column), dbfleet.Value(some)),
		"Case without Else":         dbfleet.Case[V]().WhenOf(id.Gt(0), column).ElseNull(),
		"Case and a value":          dbfleet.Case[V]().When(id.Lt(0), some).ElseOf(column),
		"Case of Coalesce":          dbfleet.Case[V]().WhenOf(id.Gt(1), dbfleet.Coalesce[V](never, column)).ElseOf(column),
		"QueryValue":                dbfleet.QueryValue[V](same.Select("same." + name)),
		"QueryValue of a minimum":   dbfleet.QueryValue[V](same.SelectMin("same."+name, "least")),
		"QueryValue of a Coalesce":  dbfleet.QueryValue[V](same.SelectValue(dbfleet.Coalesce[V](dbfleet.Col[V]("same.never_"+name), dbfleet.Col[V]("same."+name)), "first")),
		"RawValue":                  dbfleet.RawValue[V]("amounts." + name),
		"RawValue of a function":    dbfleet.RawValue[V]("COALESCE(never_" + name + ", " + name + ")"),
		"Coalesce of a QueryValue":  dbfleet.Coalesce[V](never, dbfleet.QueryValue[V](same.SelectMax("same."+name, "most"))),
		"Coalesce of all, and null": dbfleet.Coalesce[V](never, column, never),
	}}
}

// conditions are a column's, and an expression's, by name.
func conditions[V any](e interface {
	Eq(v V) dbfleet.Cond
	NotEq(v V) dbfleet.Cond
	Lt(v V) dbfleet.Cond
	LtEq(v V) dbfleet.Cond
	Gt(v V) dbfleet.Cond
	GtEq(v V) dbfleet.Cond
	In(vs ...V) dbfleet.Cond
	NotIn(vs ...V) dbfleet.Cond
	Between(low, high V) dbfleet.Cond
}, operand dbfleet.Operand[V], v, other V,
) map[string]dbfleet.Cond {
	value := dbfleet.Value(v)
	return map[string]dbfleet.Cond{
		"=": e.Eq(v), "<>": e.NotEq(v), "<": e.Lt(v), "<=": e.LtEq(v), ">": e.Gt(v), ">=": e.GtEq(v),
		"in": e.In(v, other), "in one": e.In(v), "not in": e.NotIn(v, other), "not": dbfleet.Not(e.Eq(v)), "between": e.Between(v, other),
		"many": e.In(v, v, other, v, other, v, v, v), "Compare": dbfleet.Compare[V](operand, "<=", value), "turned": dbfleet.Compare[V](value, "<=", operand),
	}
}

func sameRows[V any](t *testing.T, m *dbfleet.Model[amount], name string, values ...V) {
	t.Helper()
	column := dbfleet.Col[V](name)
	rows := func(c dbfleet.Cond) []int64 {
		ids, err := dbfleet.Pluck[int64](t.Context(), m.Filter(c, column.IsNotNull()).OrderBy("id", dbfleet.Asc), "id")
		require.NoError(t, err)
		return ids
	}
	for i, v := range values {
		other := values[(i+1)%len(values)]
		want := map[string][]int64{}
		for op, c := range conditions[V](column, column, v, other) {
			want[op] = rows(c)
		}
		for claim, e := range alike(m, name, values[0]).of {
			for op, c := range conditions(e.(dbfleet.Expression[V]), e, v, other) {
				require.Equal(t, want[op], rows(c), "%s of %s %s %v, %v", claim, name, op, v, other)
			}
		}
	}
}

func newAmounts(t *testing.T, fl conformance.Fleet) *dbfleet.Model[amount] {
	t.Helper()
	decimal := map[string]string{"sqlite": "NUMERIC", "mysql": "DECIMAL(24,4)", "postgres": "NUMERIC(24,4)"}[fl.Database.Dialect]
	both := func(name, kind string) string { return ", " + name + " " + kind + ", never_" + name + " " + kind }
	fl.Create(t, "CREATE TABLE amounts (id {id}"+both("price", decimal)+both("word", "{text}")+both("at", "{time}")+both("whole", "{bigint}")+both("ratio", "{float}")+both("uint", "{bigint}")+")")
	return conformance.Model[amount](t, fl.Registry, dbfleet.ModelConfig{Table: "amounts"})
}

// truth 534
func TestCompare_FindsByAnExpressionWhatItFindsByTheColumn(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		m := newAmounts(t, fl)
		rows := []amount{
			{Price: at("1.5"), Word: at("1.5"), Whole: at(int64(1))}, {Price: at("10"), Word: at("10"), Whole: at(int64(10))},
			{Price: at("0.1"), Word: at("0.10"), Ratio: at(0.1)}, {Price: at("2"), Word: at("07"), Ratio: at(2.5)}, {Word: at("7"), Uint: at(uint64(7))},
			{Price: at("-3"), Word: at("7x")}, {Price: at("100.25"), Word: at("abc")}, {Word: at("")}, {Price: at("9007199254740993"), Word: at("9007199254740993"), Whole: at(int64(9007199254740993))},
			{Price: at("9007199254740992"), Word: at("9007199254740992"), Whole: at(int64(9007199254740992))},
		}
		if fl.Database.Dialect != "sqlite" {
			rows = append(rows, amount{Price: at("1234567890123456.7891")}, amount{Price: at("1234567890123456.7892")})
		}
		for i := range rows {
			rows[i].ID = int64(i + 1)
		}
		require.NoError(t, m.CreateMany(t.Context(), rows))
		sameRows(t, m, "price", "2", "1.5", "1.50", "0.10", "9", "-3", "9007199254740993", "1234567890123456.7891")
		sameRows(t, m, "word", "2", "1.5", "1.50", "0.10", "7", "07", "9", "abc", "7x", "", "9007199254740993")
		sameRows(t, m, "whole", 1, 2, int64(9007199254740993))
		sameRows(t, m, "ratio", 0.1, 2.5, 1)
		sameRows(t, m, "uint", uint64(7), 1)
		if fl.Database.Dialect != "postgres" { // which refuses these texts
			sameRows(t, m, "price", "abc", "10", "", "1x")
		}
		if fl.Database.Dialect != "sqlite" { // to which a value beside a NULL has no column's type
			price := dbfleet.Coalesce[string](dbfleet.Col[string]("price"), dbfleet.Value("9"))
			n, err := m.Where("id", "=", 5).Filter(price.Lt("10"), price.Eq("9.0"), price.In("9.00", "8"), price.NotIn("10", "8"), price.GtEq("9.000")).Count(t.Context())
			require.NoError(t, err)
			require.EqualValues(t, 1, n)
		}
		word := dbfleet.Coalesce[string](dbfleet.Col[string]("never_word"), dbfleet.Value("9"))
		n, err := m.Where("id", "=", 5).Filter(word.Gt("10"), word.NotEq("9.0"), word.NotIn("9.0", "8"), word.In("9", "x")).Count(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 1, n, "beside texts it is one")
	})
}

// truth 534
func TestCompare_FindsByWindowsAndGroupsWhatTheirColumnsHave(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		m := newAmounts(t, fl)
		price, id := dbfleet.Col[string]("price"), dbfleet.Col[int64]("id")
		require.NoError(t, m.CreateMany(t.Context(), []amount{{ID: 1, Price: at("1.5")}, {ID: 2, Price: at("10")}, {ID: 3, Price: at("9")}}))
		window := dbfleet.Window{OrderBy: []dbfleet.Order{id.Asc()}}
		holds := func(c dbfleet.Cond) dbfleet.Term { return dbfleet.Case[int64]().When(c, 1).Else(0) }
		for claim, of := range map[string]struct {
			c    dbfleet.Cond
			want []int64
		}{
			"Lag":          {dbfleet.Lag[string](price, 1).Over(window).Lt("2"), []int64{0, 1, 0}},
			"Lead":         {dbfleet.Lead[string](price, 1).Over(window).Eq("9.0"), []int64{0, 1, 0}},
			"FirstValue":   {dbfleet.FirstValue[string](price).Over(window).In("1.50", "7"), []int64{1, 1, 1}},
			"LastValue":    {dbfleet.LastValue[string](price).Over(window).GtEq("9"), []int64{0, 1, 1}},
			"MinOf.Over":   {dbfleet.MinOf[string](price).Over(window).Gt("1.40"), []int64{1, 1, 1}},
			"SumOf.Over":   {dbfleet.SumOf[string](price).Over(window).Lt("20"), []int64{1, 1, 0}},
			"Lag of texts": {dbfleet.Lag[string](dbfleet.Coalesce[string](price, dbfleet.Value("0")), 1).Over(window).NotEq("10.0"), []int64{0, 1, 0}},
		} {
			got, err := dbfleet.Pluck[int64](t.Context(), m.Query().SelectValue(holds(of.c), "holds").OrderBy("id", dbfleet.Asc), "holds")
			require.NoError(t, err, claim)
			require.Equal(t, of.want, got, claim)
		}
		for claim, c := range map[string]dbfleet.Cond{
			"MaxOf": dbfleet.MaxOf[string](price).Eq("10.0"), "MinOf": dbfleet.MinOf[string](price).Lt("2"), "SumOf": dbfleet.SumOf[string](price).Lt("100"),
			"MaxOf of Coalesce": dbfleet.MaxOf[string](dbfleet.Coalesce[string](dbfleet.Col[string]("never_price"), price)).Gt("9.5"),
		} {
			got, err := dbfleet.Pluck[int64](t.Context(), m.Query().SelectValue(holds(c), "holds"), "holds")
			require.NoError(t, err, claim)
			require.Equal(t, []int64{1}, got, claim)
		}
		if fl.Database.Dialect == "sqlite" { // where a text is greater than all numbers
			return
		}
		require.NoError(t, m.Create(t.Context(), &amount{ID: 4}))
		first := dbfleet.Coalesce[string](price, dbfleet.Value("9.50"))
		ids, err := dbfleet.Pluck[int64](t.Context(), m.Query().OrderWith(first.Desc()), "id")
		require.NoError(t, err)
		require.Equal(t, []int64{2, 4, 3, 1}, ids)
		most, err := dbfleet.Pluck[string](t.Context(), m.Query().SelectValue(dbfleet.MaxOf[string](first), "most"), "most")
		require.NoError(t, err)
		require.Equal(t, []string{"10.0000"}, most)
	})
}
