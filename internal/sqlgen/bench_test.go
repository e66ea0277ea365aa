package sqlgen

import (
	"strings"
	"testing"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// benchTable is a table whose names are quoted once, as a model's are.
type benchTable struct {
	known
	quoted []string
	list   string
}

func newBenchTable(d *dialect.Dialect) *benchTable {
	t := &benchTable{known: users}
	for _, c := range users {
		t.quoted = append(t.quoted, users.Quoted(c, d))
	}
	t.list = strings.Join(t.quoted, ", ")
	return t
}

func (t *benchTable) SelectList(*dialect.Dialect) (string, error) { return t.list, nil }

func (t *benchTable) Quoted(name string, _ *dialect.Dialect) string {
	for i, c := range t.known {
		if c == name {
			return t.quoted[i]
		}
	}
	return ""
}

func (t *benchTable) Field(name string) (int, bool) {
	for i, c := range t.known {
		if c == name {
			return i, true
		}
	}
	return 0, false
}

func (t *benchTable) Operand(_ int, v any, _ *dialect.Dialect) (any, error) { return v, nil }

// benchValues takes values as they are, but for lists of int64.
type benchValues struct{ plainValues }

func (benchValues) IsList(v any) bool { return plainValues{}.IsList(v) }

func (benchValues) AppendList(args []any, v any, d *dialect.Dialect, arrays bool) (all []any, array any, hasNull bool, err error) {
	list, ok := v.([]int64)
	switch {
	case !ok:
		return plainValues{}.AppendList(args, v, d, arrays)
	case arrays:
		return args, v, false, nil
	}
	for _, n := range list {
		args = append(args, n)
	}
	return args, nil, false, nil
}

// benchQuery is a query of four conditions, one of them a list of ten, and an
// order.
func benchQuery(name, city, list any) Query {
	q := From("users")
	q.AddCompare(false, "age", GtEq, 18)
	q.AddCompare(false, "name", Like, name)
	q.AddCompare(false, "city", Eq, city)
	q.AddCompare(false, "id", In, list)
	q.AddOrder(Order{Column: "id"})
	q.SetLimit(20)
	return q
}

func BenchmarkQuery(b *testing.B) {
	var name, city, list any = "Ann%", "Rome", make([]int64, 10)
	b.ReportAllocs()
	var q Query
	for b.Loop() {
		q = benchQuery(name, city, list)
	}
	if !q.HasConditions() {
		b.Fatal(q)
	}
}

// BenchmarkSelect renders benchQuery ("text"), or makes and renders it
// ("building").
func BenchmarkSelect(b *testing.B) {
	var name, city, list any = "Ann%", "Rome", []int64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}
	for _, d := range dialects {
		env := &Env{Dialect: d, Values: benchValues{}, Table: newBenchTable(d)}
		q := benchQuery(name, city, list)
		b.Run(d.Name+"/text", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := Select(&q, env); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(d.Name+"/building", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				q := benchQuery(name, city, list)
				if _, _, err := Select(&q, env); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
