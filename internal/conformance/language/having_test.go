package language

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// truth 543
// An alias in HAVING is compared as its expression is: of decimals, whole numbers, floats,
// texts and times, of each row of a group and of all.
func TestHaving_OfAnAliasIsOnAllDatabasesWhatItIsOnPostgreSQL(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(11, 0))
	day := func(n int) time.Time { return time.Date(2024, 1, n, 0, 0, 0, 0, time.UTC) }
	digits := []string{"0", "9.5", "10", "9.50", "-3", "2", "100", "9", "12345678901234567.8912"}
	texts := []string{"9", "10", "07", "abc", "b", "7x", "", "9.50"}
	var list []question
	list = append(list, askHaving(r, valued[string]{"decimal", []string{"price", "never_price"}, digits, true, readAs[string](decimalWords)}, 40)...)
	list = append(list, askHaving(r, valued[coin]{"coin", []string{"price", "never_price"}, mapped(digits, func(s string) coin { return coin{s} }), true, readAs[string](decimalWords)}, 20)...)
	list = append(list, askHaving(r, valued[*string]{"*decimal", []string{"price", "never_price"}, mapped(digits, at[string]), true, readAs[string](decimalWords)}, 20)...)
	list = append(list, askHaving(r, valued[float64]{"float of a decimal", []string{"price", "never_price"}, []float64{0, 9.5, 10, 2, -3, 100.25}, true, readAs[float64](floatWords)}, 20)...)
	list = append(list, askHaving(r, valued[float64]{"float", []string{"ratio", "never_ratio"}, []float64{0, 9.5, 10, 10.5, 2, 0.1, -3}, true, readAs[float64](floatWords)}, 20)...)
	list = append(list, askHaving(r, valued[int64]{"int", []string{"whole", "never_whole"}, []int64{0, 9, 10, -3, 2, 9007199254740993}, true, readAs[string](decimalWords)}, 40)...)
	list = append(list, askHaving(r, valued[string]{"text", []string{"word", "never_word"}, texts, false, readAs[string](textWords)}, 30)...)
	list = append(list, askHaving(r, valued[time.Time]{"time", []string{"at", "never_at"}, []time.Time{day(1), day(2), day(9), day(10)}, false, readAs[time.Time](timeWords)}, 20)...)
	requireAlike(t, list)
}

// askHaving makes n expressions and asks for the groups of which each is something.
func askHaving[V any](r *rand.Rand, of valued[V], n int) []question {
	var list []question
	for range n {
		g := maker[V]{of, r}
		e := g.make(1+r.IntN(2), []standing{rows, groups}[r.IntN(2)])
		for range 3 {
			v, op := g.amount(), []string{"=", "<>", "<", "<=", ">", ">=", "IS", "IS NOT"}[r.IntN(8)]
			list = append(list, question{fmt.Sprintf("%s: groups having %s %s %s", of.kind, e.words, op, said(v)), func(ctx context.Context, m *dbfleet.Model[amount]) ([]string, error) {
				q := m.Query().SelectValue(e.of, "e").SelectCount("n").Having("e", op, v)
				if e.at == groups {
					return readAs(func(n int64) string { return fmt.Sprint(n) })(ctx, q, "n")
				}
				ids, err := dbfleet.Pluck[int64](ctx, q.Select("id").GroupBy("id").OrderBy("id", dbfleet.Asc), "id")
				return mapped(ids, func(id int64) string { return fmt.Sprint(id) }), err
			}})
		}
	}
	return list
}

// truth 543
func TestHaving_OfAnAliasFindsWhatItsColumnWould(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		m := newAmounts(t, fl)
		list := alikeRows()
		if fl.Database.Dialect != "sqlite" {
			list = append(list, exactRows()...)
		}
		require.NoError(t, m.CreateMany(t.Context(), list))
		havingAs(t, fl, m, "price", []any{"9", "10"}, "9.5", "9.50", "10", "-3", "1e1", "12345678901234567.8912", 9.5, int64(9), uint64(100), coin{"9.50"})
		havingAs(t, fl, m, "whole", []any{9, 10}, int64(9), int64(9007199254740993), int64(9007199254740992), int64(-3), 9.0)
		havingAs(t, fl, m, "word", []any{"07", "abc"}, "9", "07", "abc", "b", "x")
	})
}

// havingAs compares aliases that have a column's values in groups of one row with values, and
// with a list.
func havingAs(t *testing.T, fl conformance.Fleet, m *dbfleet.Model[amount], name string, list []any, values ...any) {
	t.Helper()
	ctx := t.Context()
	column, never := dbfleet.Col[string](name), dbfleet.Col[string]("never_"+name)
	grouped := m.Select("id").GroupBy("id")
	read := map[string]*dbfleet.Query[amount]{
		"the largest":     grouped.SelectMax(name, "top"),
		"the smallest":    grouped.SelectMin(name, "top"),
		"SQL":             grouped.SelectRaw("MAX(" + name + ") AS top"),
		"SQL of a column": grouped.SelectRaw(name + " AS top").GroupBy(name),
		"another name":    grouped.SelectAs(name, "top").GroupBy(name),
		"an expression":   grouped.SelectValue(dbfleet.Coalesce[string](column, column), "top"),
		"of an aggregate": grouped.SelectValue(dbfleet.Coalesce[string](dbfleet.MinOf(column), dbfleet.MaxOf(column)), "top"),
		"a choice":        grouped.SelectValue(dbfleet.Case[string]().WhenOf(never.IsNull(), column).ElseOf(column), "top"),
		"a subquery":      grouped.SelectSub(m.Query().As("same").WhereColumn("same.id", "=", "amounts.id").SelectMax("same."+name, "most"), "top"),
	}
	if name != "word" {
		read["a sum"] = grouped.SelectSum(name, "top")
		read["SQL of a sum"] = grouped.SelectRaw("SUM(" + name + ") AS top")
		read["SQL with an argument"] = grouped.SelectRaw("SUM("+name+" + ?) AS top", 0)
	}
	bare := fl.DB("main").Table("amounts").Select("id").GroupBy("id").SelectRaw("MAX(" + name + ") AS top")
	ids := func(q dbfleet.Queryable) []int64 {
		found, err := dbfleet.Pluck[int64](ctx, q, "id")
		require.NoError(t, err)
		return found
	}
	for _, op := range []string{"=", "<>", "<", "<=", ">", ">=", "IS"} {
		for _, v := range values {
			if _, text := v.(string); !text && name == "word" {
				continue
			}
			want := ids(m.Where(name, op, v).OrderBy("id", dbfleet.Asc))
			for claim, q := range read {
				require.Equal(t, want, ids(q.Having("top", op, v).OrderBy("id", dbfleet.Asc)), "%s of %s %s %v", claim, name, op, v)
			}
			require.Equal(t, want, ids(bare.Having("top", op, v).OrderBy("id", dbfleet.Asc)), "without a model %s %s %v", name, op, v)
			require.Equal(t, want, ids(grouped.GroupBy(name).Having(name, op, v).OrderBy("id", dbfleet.Asc)), "a grouped column %s %s %v", name, op, v)
		}
	}
	for _, op := range []string{"IN", "NOT IN", "BETWEEN", "NOT BETWEEN"} {
		want := ids(m.Where(name, op, list).OrderBy("id", dbfleet.Asc))
		require.Equal(t, want, ids(grouped.GroupBy(name).Having(name, op, list).OrderBy("id", dbfleet.Asc)), "a grouped column %s %s %v", name, op, list)
		for _, claim := range []string{"the largest", "the smallest", "SQL", "SQL of a column", "another name", "a sum", "SQL of a sum"} {
			if q := read[claim]; q != nil {
				require.Equal(t, want, ids(q.Having("top", op, list).OrderBy("id", dbfleet.Asc)), "%s of %s %s %v", claim, name, op, list)
			}
		}
	}
}

// truth 543
// Whole numbers are compared with texts as texts on MySQL, where nothing tells that they are
// numbers.
func TestHaving_OfAnAliasOfTextsTakesNoTextForANumber(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		if fl.Database.Dialect != "mysql" {
			return // which compare no text with a number
		}
		m := newAmounts(t, fl)
		require.NoError(t, m.CreateMany(t.Context(), []amount{{ID: 1, Word: at("7")}, {ID: 2, Word: at("07")}, {ID: 3, Word: at("7x")}, {ID: 4, Word: at("8")}}))
		for _, q := range []dbfleet.Queryable{
			m.Select("id").SelectMax("word", "top").GroupBy("id").Having("top", "=", 7), m.Select("id").SelectRaw("MAX(word) AS top").GroupBy("id").Having("top", "=", 7),
			m.Select("id").SelectMax("word", "top").GroupBy("id").Having("top", "IN", []int{7, 9}), m.Select("id").SelectMax("word", "top").GroupBy("id").Having("top", "IS", 7),
			dbfleet.From(m.Select("id").SelectMax("word", "top").GroupBy("id"), "x").Where("top", "=", 7),
		} {
			ids, err := dbfleet.Pluck[int64](t.Context(), q, "id")
			require.NoError(t, err)
			require.Equal(t, []int64{1}, ids)
		}
	})
}

// truth 543
func TestHaving_OfANumberRefusesATextThatIsNone(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		m := newAmounts(t, fl)
		require.NoError(t, m.CreateMany(t.Context(), alikeRows()))
		for claim, q := range map[string]*dbfleet.Query[amount]{
			"a sum":    m.Select("id").SelectSum("price", "top").GroupBy("id"),
			"a number": m.Select("id").SelectCount("top").GroupBy("id"),
		} {
			for _, op := range []string{"=", "<", ">", "<>"} {
				_, err := dbfleet.Pluck[int64](t.Context(), q.Having("top", op, "abc"), "id")
				require.Error(t, err, "%s %s", claim, op)
			}
		}
	})
}

// truth 540
func TestWhere_OfColumnsThatAQueryComputesTakesNumbersWhole(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		m := newAmounts(t, fl)
		require.NoError(t, m.CreateMany(t.Context(), []amount{{ID: 1, Whole: at(int64(9007199254740992)), Price: at("9")}, {ID: 2, Whole: at(int64(9007199254740991)), Price: at("10")}}))
		whole, price := dbfleet.Col[int64]("whole"), dbfleet.Col[string]("price")
		read := m.Select("id").SelectValue(whole.Plus(1), "next").SelectValue(dbfleet.Coalesce[string](price, price), "first").SelectRaw("price * 2 AS twice")
		again := dbfleet.From(dbfleet.From(read, "x"), "y")
		named := fl.DB("main").Table("named").WithCTE(dbfleet.CTE{Name: "named", Query: dbfleet.From(read, "x").SelectAs("x.first", "called").SelectAs("next", "next").Select("id")})
		for claim, q := range map[string]*dbfleet.Query[dbfleet.Row]{
			"a whole number":               dbfleet.From(read, "x").Where("next", "=", int64(9007199254740993)),
			"in a list":                    dbfleet.From(read, "x").WhereIn("next", []int64{9007199254740993, 5}),
			"IS":                           dbfleet.From(read, "x").Where("next", "IS", int64(9007199254740993)),
			"of a CTE":                     named.Where("next", "=", int64(9007199254740993)),
			"text of a query within":       again.Where("first", "<", "9.5"),
			"number of a query within":     again.Where("next", ">", int64(9007199254740992)),
			"another name of a CTE":        named.Where("called", "<", "9.5"),
			"of a CTE behind another name": named.As("n").Where("n.called", "=", "9.0"),
			"SQL":                          dbfleet.From(read, "x").Where("twice", "<", "19.5"),
			"SQL of a query within":        again.Where("y.twice", "=", "18.0"),
		} {
			ids, err := dbfleet.Pluck[int64](t.Context(), q.OrderBy("id", dbfleet.Asc), "id")
			require.NoError(t, err, claim)
			text, args, _ := q.SQL(t.Context())
			require.Equal(t, []int64{1}, ids, "%s: %s %v", claim, text, args)
		}
	})
}
