package language

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"math/rand/v2"
	"reflect"
	"time"

	"github.com/dbfleet/dbfleet"
)

// coin is a decimal of a type of its own.
type coin struct{ text string }

func (c coin) Value() (driver.Value, error) { return c.text, nil }

func (c *coin) Scan(v any) error {
	c.text = fmt.Sprint(v)
	return nil
}

type (
	dbNull   = sql.Null[string]
	nullTime = sql.Null[time.Time]
)

// standing says where an expression stands.
type standing int

const (
	rows    standing = iota // each row has a value
	windows                 // each row has a value of its window
	groups                  // all rows have one
)

// made is an expression and its words.
type made[V any] struct {
	is    dbfleet.Expression[V]
	of    dbfleet.Operand[V]
	words string
	at    standing
}

// maker makes random expressions.
type maker[V any] struct {
	valued[V]
	*rand.Rand
}

func (g maker[V]) value() V { return g.values[g.IntN(len(g.values))] }

// amount is a value that can be computed with.
func (g maker[V]) amount() V {
	for {
		if v := g.value(); !isNothing(v) {
			return v
		}
	}
}

func isNothing(v any) bool {
	if x, ok := v.(driver.Valuer); ok {
		made, err := x.Value()
		return err != nil || made == nil
	}
	rv := reflect.ValueOf(v)
	return rv.Kind() == reflect.Pointer && rv.IsNil()
}

func said(v any) string {
	if rv := reflect.ValueOf(v); rv.Kind() == reflect.Pointer && !rv.IsNil() {
		return fmt.Sprintf("%#v", rv.Elem().Interface())
	}
	return fmt.Sprintf("%#v", v)
}

var (
	idOf   = dbfleet.Col[int64]("id")
	inRows = dbfleet.Window{OrderBy: []dbfleet.Order{idOf.Asc()}}
)

// when is a condition that holds for some of what stands at a place.
func (g maker[V]) when(at standing) (c dbfleet.Cond, words string) {
	n := int64(g.IntN(5))
	if at == groups {
		return dbfleet.CountRows().Gt(n * 2), fmt.Sprintf("count > %d", n*2)
	}
	return idOf.Gt(n), fmt.Sprintf("id > %d", n)
}

func expressed[V any](e dbfleet.Expression[V], at standing, format string, args ...any) made[V] {
	return made[V]{e, e, fmt.Sprintf(format, args...), at}
}

// make makes an expression of a depth.
func (g maker[V]) make(depth int, at standing) made[V] {
	if depth == 0 && at == rows {
		name := g.columns[g.IntN(len(g.columns))]
		return made[V]{of: dbfleet.Col[V](name), words: name}
	}
	if depth == 0 || at != rows && g.IntN(2) == 0 {
		return g.gathered(max(depth-1, 0), at)
	}
	x, v := g.make(depth-1, at), g.value()
	value := dbfleet.Value(v)
	c, when := g.when(at)
	kinds := 6
	if g.numeric {
		kinds = 10
	}
	switch g.IntN(kinds) {
	case 0, 1:
		return expressed(dbfleet.Coalesce[V](x.of, value), at, "coalesce(%s, %s)", x.words, said(v))
	case 2:
		y := g.make(depth-1, at)
		if g.IntN(2) == 0 {
			return expressed(dbfleet.Coalesce[V](x.of, y.of), at, "coalesce(%s, %s)", x.words, y.words)
		}
		return expressed(dbfleet.Coalesce[V](x.of, y.of, value), at, "coalesce(%s, %s, %s)", x.words, y.words, said(v))
	case 3:
		return expressed(dbfleet.Case[V]().When(c, v).ElseOf(x.of), at, "case(%s: %s; %s)", when, said(v), x.words)
	case 4:
		w := g.value()
		return expressed(dbfleet.Case[V]().When(c, v).Else(w), at, "case(%s: %s; %s)", when, said(v), said(w))
	case 5:
		return expressed(dbfleet.Case[V]().WhenOf(c, x.of).ElseNull(), at, "case(%s: %s)", when, x.words)
	case 6, 7:
		n := g.amount()
		op := g.IntN(3)
		e := dbfleet.Coalesce[V](x.of, x.of)
		if x.is != (dbfleet.Expression[V]{}) {
			e = x.is
		}
		return expressed([]dbfleet.Expression[V]{e.Plus(n), e.Minus(n), e.Times(n)}[op], at, "(%s %c %s)", x.words, "+-*"[op], said(n))
	default:
		y := g.make(depth-1, at)
		op := g.IntN(3)
		e := dbfleet.Coalesce[V](x.of, x.of)
		if x.is != (dbfleet.Expression[V]{}) {
			e = x.is
		}
		return expressed([]dbfleet.Expression[V]{e.Add(y.of), e.Sub(y.of), e.Mul(y.of)}[op], at, "(%s %c %s)", x.words, "+-*"[op], y.words)
	}
}

// gathered is a value of many rows.
func (g maker[V]) gathered(depth int, at standing) made[V] {
	x := g.make(depth, rows)
	if at == windows && g.IntN(2) == 0 {
		return []made[V]{
			expressed(dbfleet.Lag(x.of, 1).Over(inRows), at, "lag(%s)", x.words),
			expressed(dbfleet.Lead(x.of, 2).Over(inRows), at, "lead(%s)", x.words),
			expressed(dbfleet.FirstValue(x.of).Over(inRows), at, "first(%s)", x.words),
			expressed(dbfleet.LastValue(x.of).Over(inRows), at, "last(%s)", x.words),
		}[g.IntN(4)]
	}
	list := []dbfleet.Aggregation[V]{dbfleet.MinOf(x.of), dbfleet.MaxOf(x.of)}
	if g.numeric {
		list = append(list, dbfleet.SumOf(x.of))
	}
	i := g.IntN(len(list))
	name := []string{"min", "max", "sum"}[i]
	a := list[i]
	if g.IntN(3) == 0 {
		a = a.Where(idOf.Gt(2))
		name += " of id > 2"
	}
	if at == windows {
		return expressed(a.Over(inRows), at, "%s(%s) over", name, x.words)
	}
	return expressed(a.Expression, at, "%s(%s)", name, x.words)
}

// comparison is a condition about an expression.
func (g maker[V]) comparison(e made[V]) (c dbfleet.Cond, words string) {
	v, w := g.value(), g.value()
	switch op := []string{"=", "<>", "<", "<=", ">", ">="}[g.IntN(6)]; g.IntN(6) {
	case 0, 1:
		y := g.make(g.IntN(3), e.at)
		return dbfleet.Compare(e.of, op, y.of), fmt.Sprintf("%s %s %s", e.words, op, y.words)
	case 2:
		return e.is.In(v, w), fmt.Sprintf("%s in %s, %s", e.words, said(v), said(w))
	case 3:
		return e.is.NotIn(v, w, v, w, v), fmt.Sprintf("%s not in %s, %s", e.words, said(v), said(w))
	case 4:
		return e.is.Between(v, w), fmt.Sprintf("%s between %s, %s", e.words, said(v), said(w))
	default:
		return conditions[V](e.is, e.of, v, w)[op], fmt.Sprintf("%s %s %s", e.words, op, said(v))
	}
}

// filtered asks for the rows for which a condition holds.
func (g maker[V]) filtered(e made[V]) question {
	c, words := g.comparison(e)
	return question{"rows by " + words, func(ctx context.Context, m *dbfleet.Model[amount]) ([]string, error) {
		ids, err := dbfleet.Pluck[int64](ctx, m.Filter(c).OrderBy("id", dbfleet.Asc), "id")
		return mapped(ids, func(id int64) string { return fmt.Sprint(id) }), err
	}}
}

// selected are the values of an expression.
func selected(q *dbfleet.Query[amount], term dbfleet.Term, at standing) *dbfleet.Query[amount] {
	q = q.SelectValue(term, "e")
	if at == groups {
		return q
	}
	return q.OrderBy("id", dbfleet.Asc)
}

// compared asks whether a condition holds, where an expression may be of windows or groups.
func (g maker[V]) compared(e made[V]) question {
	c, words := g.comparison(e)
	holds := dbfleet.Case[int64]().When(c, 1).When(dbfleet.Not(c), 0).ElseNull()
	return question{"whether " + words, func(ctx context.Context, m *dbfleet.Model[amount]) ([]string, error) {
		return readAs(func(n int64) string { return fmt.Sprint(n) })(ctx, selected(m.Query(), holds, e.at), "e")
	}}
}

func (g maker[V]) read(e made[V]) question {
	return question{"value of " + e.words, func(ctx context.Context, m *dbfleet.Model[amount]) ([]string, error) {
		return g.valued.read(ctx, selected(m.Query(), e.of, e.at), "e")
	}}
}

func (g maker[V]) sorted(e made[V]) question {
	o, by := e.is.Asc(), "asc"
	if g.IntN(2) == 0 {
		o, by = e.is.Desc(), "desc"
	}
	alias := g.IntN(2) == 0
	if alias {
		by += " of alias"
	}
	return question{"order " + by + " by " + e.words, func(ctx context.Context, m *dbfleet.Model[amount]) ([]string, error) {
		q := m.Query().OrderWith(o.NullsLast(), idOf.Asc())
		if alias {
			q = m.Select("id").SelectValue(e.of, "e").Filter(e.is.IsNotNull()).
				OrderBy("e", map[bool]dbfleet.Direction{true: dbfleet.Desc, false: dbfleet.Asc}[by == "desc of alias"]).OrderBy("id", dbfleet.Asc)
		}
		ids, err := dbfleet.Pluck[int64](ctx, q, "id")
		return mapped(ids, func(id int64) string { return fmt.Sprint(id) }), err
	}}
}

func (g maker[V]) aggregated(e made[V]) question {
	list := map[string]dbfleet.Term{"max": dbfleet.MaxOf(e.of), "min": dbfleet.MinOf(e.of), "count distinct": nil}
	name := []string{"max", "min", "sum", "avg", "count distinct"}[g.IntN(5)]
	read := g.valued.read
	if g.numeric {
		list["sum"], list["avg"] = dbfleet.SumOf(e.of), dbfleet.AvgOf(e.of)
	} else if list[name] == nil {
		name = "count distinct"
	}
	switch name {
	case "avg":
		read = readAs(floatWords)
	case "count distinct":
		list[name] = dbfleet.CountOf(e.of).Distinct()
		read = readAs(func(n int64) string { return fmt.Sprint(n) })
	}
	return question{name + " of " + e.words, func(ctx context.Context, m *dbfleet.Model[amount]) ([]string, error) {
		return read(ctx, m.Query().SelectValue(list[name], "e"), "e")
	}}
}

func (g maker[V]) ranked(e made[V]) question {
	desc := dbfleet.Rank().Over(dbfleet.Window{OrderBy: []dbfleet.Order{e.is.Desc().NullsLast()}})
	part := dbfleet.CountRows().Over(dbfleet.Window{PartitionBy: []dbfleet.Term{e.of}})
	term, name := desc, "rank"
	if g.IntN(3) == 0 {
		term, name = part, "how many are alike"
	}
	return question{name + " by " + e.words, func(ctx context.Context, m *dbfleet.Model[amount]) ([]string, error) {
		return readAs(func(n int64) string { return fmt.Sprint(n) })(ctx, selected(m.Query(), term, rows), "e")
	}}
}

// derived compares the values where a query reads them from another.
func (g maker[V]) derived(e made[V]) question {
	v, op := g.amount(), []string{"=", "<", ">="}[g.IntN(3)]
	return question{fmt.Sprintf("read from a query %s %s %s", e.words, op, said(v)), func(ctx context.Context, m *dbfleet.Model[amount]) ([]string, error) {
		ids, err := dbfleet.Pluck[int64](ctx, dbfleet.From(m.Select("id").SelectValue(e.of, "e"), "x").Where("e", op, v).OrderBy("id", dbfleet.Asc), "id")
		return mapped(ids, func(id int64) string { return fmt.Sprint(id) }), err
	}}
}

func (g maker[V]) grouped(e made[V]) question {
	return question{"groups by " + e.words, func(ctx context.Context, m *dbfleet.Model[amount]) ([]string, error) {
		return readAs(func(n int64) string { return fmt.Sprint(n) })(ctx, dbfleet.From(m.Query().SelectValue(e.of, "e").SelectCount("n").GroupBy("e"), "x").OrderBy("n", dbfleet.Asc), "n")
	}}
}
