package sqlgen

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

var dialects = []*dialect.Dialect{dialect.Postgres, dialect.MySQL, dialect.SQLite}

// plainValues passes values on as they are.
type plainValues struct{}

func (plainValues) Arg(v any, _ *dialect.Dialect) (any, error) {
	switch v := v.(type) {
	case int:
		return int64(v), nil
	}
	return v, nil
}

func (plainValues) Other(any, any, *dialect.Dialect) any { return nil }

func (plainValues) Others(any, []any, *dialect.Dialect) []any { return nil }

func (p plainValues) Amount(v any, _ bool, d *dialect.Dialect) (any, error) { return p.Arg(v, d) }

func (plainValues) IsList(v any) bool { return reflect.ValueOf(v).Kind() == reflect.Slice }

func (p plainValues) AppendList(args []any, v any, d *dialect.Dialect, arrays bool) (all []any, array any, hasNull bool, err error) {
	rv := reflect.ValueOf(v)
	if rv.Kind() != reflect.Slice {
		return args, nil, false, fmt.Errorf("not a list: %T", v)
	}
	all = args
	for i := range rv.Len() {
		x, _ := p.Arg(rv.Index(i).Interface(), d)
		if x == nil {
			hasNull = true
			continue
		}
		all = append(all, x)
	}
	if arrays && len(all) > len(args) {
		return args, slices.Clone(all[len(args):]), hasNull, nil
	}
	return all, nil, hasNull, nil
}

// known are the columns of a table.
type known []string

var users = known{"id", "name", "age", "city", "boss_id"}

func (c known) Columns() []string { return c }

func (c known) DeletedMark() string { return "" }

func (c known) SelectList(d *dialect.Dialect) (string, error) {
	quoted := make([]string, len(c))
	for i, name := range c {
		quoted[i] = c.Quoted(name, d)
	}
	return strings.Join(quoted, ", "), nil
}

func (c known) Modelled() bool { return true }

func (c known) Known(name string) bool { return slices.Contains(c, name) }

func (c known) Quoted(name string, d *dialect.Dialect) string {
	if !c.Known(name) {
		return ""
	}
	s, _ := QuoteIdent(d, name)
	return s
}

func (c known) Field(name string) (int, bool) {
	i := slices.Index(c, strings.TrimPrefix(name, "users."))
	return i, i >= 0
}

func (c known) Fit(_ int, v any) (any, error)        { return v, nil }
func (c known) Document(int) bool                    { return false }
func (c known) Stored(_ int, arg any) (any, error)   { return arg, nil }
func (c known) FitList(_ int, list any) (any, error) { return list, nil }

func (known) Other(int, any, any, *dialect.Dialect) any { return nil }

func (known) Others(int, any, []any, *dialect.Dialect) []any { return nil }

func (known) Textual(int) bool { return false }

func (known) Encrypted(column string) bool { return lastPart(column) == "ssn" }

func (known) Blinded(string) bool { return false }

func (known) Blind(string, any, bool) (string, any, error) { return "", nil, nil }

func (known) Whole(int) bool { return false }

func (c known) Operand(_ int, v any, d *dialect.Dialect) (any, error) { return plainValues{}.Arg(v, d) }

// WithOrder adds an item to ORDER BY.
func (q Query) WithOrder(o Order) Query { q.AddOrder(o); return q }

// sub is a query as a Subquery.
type sub struct {
	Query
	table Table
}

func (s sub) Statement(string) (Query, Table, error) { return s.Query, s.table, nil }

func env(d *dialect.Dialect, t Table) *Env { return &Env{Dialect: d, Values: plainValues{}, Table: t} }

// several are keys of two columns.
func several(n int) *Keys {
	texts := make([]string, n)
	for i := range texts {
		texts[i] = fmt.Sprint("c", i)
	}
	return &Keys{
		Columns: []string{"age", "city"}, N: n, Whole: Group(Compare("age", Eq, 1), Compare("city", In, texts)),
		Equal: func(i int) Cond { return Group(Compare("age", Eq, 1), Compare("city", Eq, texts[i])) },
	}
}
