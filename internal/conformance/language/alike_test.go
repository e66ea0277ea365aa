package language

import (
	"context"
	"math/big"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// question is an expression in one of its uses, and what a table's rows say to it.
type question struct {
	words string
	ask   func(ctx context.Context, m *dbfleet.Model[amount]) ([]string, error)
}

// saidBy are the answers of a database to the questions, for each of its tables.
type saidBy map[string][]string

// alikeTables are rows that all databases keep exactly, and rows of numbers that SQLite and
// floats do not.
var alikeTables = []string{"amounts", "exacts"}

// truth 535
func TestExpressions_AreOnAllDatabasesWhatTheyAreOnPostgreSQL(t *testing.T) {
	t.Parallel()
	const seed, each = 7, 30
	requireAlike(t, questionsOf(seed, each))
}

// requireAlike asks all databases, whose answers must be those of PostgreSQL.
func requireAlike(t *testing.T, questions []question) {
	t.Helper()
	var mu sync.Mutex // protects following fields
	said := map[string]saidBy{}
	t.Run("asked", func(t *testing.T) {
		conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
			answers := answersOf(t, fl, questions)
			mu.Lock()
			defer mu.Unlock()
			said[fl.Database.Dialect] = answers
		})
	})
	want, ok := said["postgres"]
	if !ok {
		return // there is nothing to compare with
	}
	for dialect, answers := range said {
		right, refused, wrong := 0, 0, 0
		for table, list := range answers {
			for i, got := range list {
				switch truth := want[table][i]; {
				case strings.HasPrefix(truth, "refused"):
				case strings.HasPrefix(got, "refused"):
					refused++
				case got != truth:
					wrong++
					t.Errorf("%s, %s: %s is %s, and on PostgreSQL %s", dialect, table, questions[i].words, got, truth)
				default:
					right++
				}
			}
		}
		t.Logf("%s: %d right, %d refused, %d wrong of %d", dialect, right, refused, wrong, len(questions)*len(answers))
		require.Greater(t, right, len(questions)/3, dialect)
	}
}

func answersOf(t *testing.T, fl conformance.Fleet, questions []question) saidBy {
	t.Helper()
	said := saidBy{}
	newAmounts(t, fl)
	for _, table := range alikeTables {
		rows := alikeRows()
		if table == "exacts" {
			if fl.Database.Dialect == "sqlite" {
				continue
			}
			decimal := map[string]string{"mysql": "DECIMAL(24,4)", "postgres": "NUMERIC(24,4)"}[fl.Database.Dialect]
			both := func(name, kind string) string { return ", " + name + " " + kind + ", never_" + name + " " + kind }
			fl.Create(t, "CREATE TABLE exacts (id {id}"+both("price", decimal)+both("word", "{text}")+both("at", "{time}")+both("whole", "{bigint}")+both("ratio", "{float}")+both("uint", "{bigint}")+")")
			rows = append(rows, exactRows()...)
		}
		m := conformance.Model[amount](t, fl.Registry, dbfleet.ModelConfig{Table: table})
		require.NoError(t, m.CreateMany(t.Context(), rows))
		for _, q := range questions {
			answer, err := q.ask(t.Context(), m)
			if err != nil {
				said[table] = append(said[table], "refused: "+err.Error())
				continue
			}
			said[table] = append(said[table], strings.Join(answer, " "))
		}
	}
	return said
}

func alikeRows() []amount {
	day := func(n int) *time.Time { return at(time.Date(2024, 1, n, 0, 0, 0, 0, time.UTC)) }
	return []amount{
		{ID: 1, Price: at("10"), NeverPrice: at("9"), Word: at("10"), NeverWord: at("9"), Whole: at(int64(10)), NeverWhole: at(int64(9)), Ratio: at(10.5), NeverRatio: at(9.25), At: day(1), NeverAt: day(2)},
		{ID: 2, Price: at("9"), NeverPrice: at("10"), Word: at("9"), NeverWord: at("10"), Whole: at(int64(9)), NeverWhole: at(int64(10)), Ratio: at(9.25), NeverRatio: at(10.5), At: day(10), NeverAt: day(9)},
		{ID: 3},
		{ID: 4, Price: at("100.25"), Word: at("abc"), Whole: at(int64(100)), Ratio: at(0.1), At: day(9)},
		{ID: 5, Price: at("-3"), NeverPrice: at("2"), Word: at("07"), NeverWord: at("x"), Whole: at(int64(-3)), NeverWhole: at(int64(2)), Ratio: at(-3.0), NeverRatio: at(2.0), NeverAt: day(1)},
		{ID: 6, Price: at("9.5"), NeverPrice: at("9.5"), Word: at("b"), NeverWord: at("b"), Whole: at(int64(7)), NeverWhole: at(int64(7)), Ratio: at(9.5), NeverRatio: at(9.5), At: day(1), NeverAt: day(1)},
	}
}

func exactRows() []amount {
	return []amount{
		{ID: 7, Price: at("12345678901234567.8912"), NeverPrice: at("12345678901234567.8913"), Whole: at(int64(9007199254740993)), NeverWhole: at(int64(9007199254740992))},
		{ID: 8, Price: at("12345678901234567.8913"), Whole: at(int64(9007199254740992))},
		{ID: 9, NeverPrice: at("12345678901234567.8912"), NeverWhole: at(int64(9007199254740993))},
	}
}

// valued are values of a kind: the columns and the values of Go that expressions are made of.
type valued[V any] struct {
	kind    string
	columns []string
	values  []V
	numeric bool
	// read reads a column of a query as words that are the same on all databases.
	read func(ctx context.Context, from dbfleet.Queryable, column string) ([]string, error)
}

func questionsOf(seed uint64, n int) []question {
	r := rand.New(rand.NewPCG(seed, 0))
	day := func(n int) time.Time { return time.Date(2024, 1, n, 0, 0, 0, 0, time.UTC) }
	prices, words, times := []string{"price", "never_price"}, []string{"word", "never_word"}, []string{"at", "never_at"}
	wholes, ratios := []string{"whole", "never_whole"}, []string{"ratio", "never_ratio"}
	digits := []string{"0", "9.5", "10", "9.50", "-3", "2", "100", "9", "007", "+5", "1e1", "12345678901234567.8912"}
	texts := []string{"9", "10", "07", "abc", "b", "7x", "", "9.50"}
	var list []question
	list = append(list, ask(r, valued[string]{"decimal", prices, digits, true, readAs[string](decimalWords)}, n)...)
	list = append(list, ask(r, valued[coin]{"coin", prices, mapped(digits, func(s string) coin { return coin{s} }), true, readAs[string](decimalWords)}, n/2)...)
	list = append(list, ask(r, valued[*string]{"*decimal", prices, append(mapped(digits, at[string]), nil), true, readAs[string](decimalWords)}, n/2)...)
	list = append(list, ask(r, valued[dbNull]{"null decimal", prices, append(mapped(digits, func(s string) dbNull { return dbNull{V: s, Valid: true} }), dbNull{}), true, readAs[string](decimalWords)}, n/2)...)
	list = append(list, ask(r, valued[float64]{"float of a decimal", prices, []float64{0, 9.5, 10, 2, -3, 100.25}, true, readAs[float64](floatWords)}, n/2)...)
	list = append(list, ask(r, valued[float64]{"float", ratios, []float64{0, 9.5, 10, 10.5, 2, 0.1, -3}, true, readAs[float64](floatWords)}, n)...)
	list = append(list, ask(r, valued[*float64]{"*float", ratios, []*float64{at(0.0), at(9.5), at(10.0), at(10.5), nil}, true, readAs[float64](floatWords)}, n/2)...)
	list = append(list, ask(r, valued[int64]{"int", wholes, []int64{0, 9, 10, -3, 2, 9007199254740993}, true, readAs[string](decimalWords)}, n)...)
	list = append(list, ask(r, valued[string]{"text of an int", wholes, []string{"0", "9", "10", "-3"}, true, readAs[string](decimalWords)}, n/2)...)
	list = append(list, ask(r, valued[string]{"text", words, texts, false, readAs[string](textWords)}, n)...)
	list = append(list, ask(r, valued[*string]{"*text", words, append(mapped(texts, at[string]), nil), false, readAs[string](textWords)}, n/2)...)
	list = append(list, ask(r, valued[time.Time]{"time", times, []time.Time{day(1), day(2), day(9), day(10), day(1).Add(500 * time.Millisecond)}, false, readAs[time.Time](timeWords)}, n)...)
	list = append(list, ask(r, valued[*time.Time]{"*time", times, []*time.Time{at(day(1)), at(day(9)), nil}, false, readAs[time.Time](timeWords)}, n/2)...)
	list = append(list, ask(r, valued[nullTime]{"null time", times, []nullTime{{V: day(1), Valid: true}, {V: day(9), Valid: true}, {}}, false, readAs[time.Time](timeWords)}, n/2)...)
	return list
}

func mapped[A, B any](list []A, f func(A) B) []B {
	out := make([]B, len(list))
	for i, a := range list {
		out[i] = f(a)
	}
	return out
}

func readAs[V any](words func(V) string) func(context.Context, dbfleet.Queryable, string) ([]string, error) {
	return func(ctx context.Context, from dbfleet.Queryable, column string) ([]string, error) {
		list, err := dbfleet.Pluck[*V](ctx, from, column)
		return mapped(list, func(v *V) string {
			if v == nil {
				return "NULL"
			}
			return words(*v)
		}), err
	}
}

func decimalWords(s string) string {
	if n, ok := new(big.Rat).SetString(s); ok {
		return n.RatString()
	}
	return s
}

func textWords(s string) string { return strconv.Quote(s) }

// floatWords leaves out the last digits, which the order of a sum decides.
func floatWords(f float64) string { return strconv.FormatFloat(f+0, 'g', 12, 64) }

func timeWords(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// ask makes n expressions and all questions about each.
func ask[V any](r *rand.Rand, of valued[V], n int) []question {
	var list []question
	for range n {
		g := maker[V]{of, r}
		e := g.make(1+r.IntN(2), standing(r.IntN(3)))
		list = append(list, g.compared(e), g.compared(e), g.read(e))
		if e.at == rows {
			list = append(list, g.filtered(e), g.filtered(e), g.filtered(e), g.sorted(e), g.aggregated(e), g.ranked(e), g.derived(e), g.grouped(e))
		}
	}
	for i := range list {
		list[i].words = of.kind + ": " + list[i].words
	}
	return list
}
