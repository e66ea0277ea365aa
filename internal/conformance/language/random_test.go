package language

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// cell is a row of all combinations of a few values and NULL.
type cell struct {
	ID   int64
	A, B *int64
	S    *string
}

// truth is what a condition is of a row.
type truth int8

const (
	no truth = iota
	unknown
	yes
)

func truthOf(is bool) truth { return map[bool]truth{true: yes, false: no}[is] }

// A number, a text and a condition, each with its meaning for a row and its words.
type number struct {
	is    dbfleet.Operand[int64]
	of    func(cell) *int64
	words string
}

type text struct {
	is    dbfleet.Operand[string]
	of    func(cell) *string
	words string
}

type condition struct {
	is    dbfleet.Cond
	of    func(cell) truth
	words string
}

// trees makes random ones.
type trees struct {
	*rand.Rand
	a, b dbfleet.Col[int64]
	s    dbfleet.Col[string]
}

func (r trees) value() int64 { return r.Int64N(4) }

func (r trees) word() string {
	return []string{"", "a", "B", "a%b", "c_d"}[r.IntN(5)]
}

// expression is an operand with the methods of an expression.
func expression[V any](o dbfleet.Operand[V]) dbfleet.Expression[V] {
	switch o := o.(type) {
	case dbfleet.Expression[V]:
		return o
	default:
		return dbfleet.Case[V]().WhenOf(dbfleet.Raw("1 = 1"), o).ElseOf(o)
	}
}

func (r trees) number(depth int) number {
	kind := r.IntN(8)
	if depth == 0 {
		kind %= 2
	}
	switch kind {
	case 0:
		return number{r.a, func(c cell) *int64 { return c.A }, "a"}
	case 1:
		return number{r.b, func(c cell) *int64 { return c.B }, "b"}
	case 2, 3:
		x, n := r.number(depth-1), r.value()
		op := r.IntN(3)
		e := expression(x.is)
		made := []dbfleet.Expression[int64]{e.Plus(n), e.Minus(n), e.Times(n)}[op]
		return number{made, func(c cell) *int64 {
			if v := x.of(c); v != nil {
				return at([]int64{*v + n, *v - n, *v * n}[op])
			}
			return nil
		}, fmt.Sprintf("(%s %c %d)", x.words, "+-*"[op], n)}
	case 4:
		x, y := r.number(depth-1), r.number(depth-1)
		return number{expression(x.is).Add(y.is), func(c cell) *int64 {
			if v, w := x.of(c), y.of(c); v != nil && w != nil {
				return at(*v + *w)
			}
			return nil
		}, "(" + x.words + " + " + y.words + ")"}
	case 5:
		x, y := r.number(depth-1), r.number(depth-1)
		return number{dbfleet.Coalesce(x.is, y.is), func(c cell) *int64 {
			if v := x.of(c); v != nil {
				return v
			}
			return y.of(c)
		}, "coalesce(" + x.words + ", " + y.words + ")"}
	case 6:
		p, x, n := r.condition(depth-1), r.number(depth-1), r.value()
		return number{dbfleet.Case[int64]().WhenOf(p.is, x.is).Else(n), func(c cell) *int64 {
			if p.of(c) == yes {
				return x.of(c)
			}
			return &n
		}, fmt.Sprintf("case(%s: %s; %d)", p.words, x.words, n)}
	default:
		t := r.text(depth - 1)
		return number{dbfleet.Length(t.is), func(c cell) *int64 {
			if v := t.of(c); v != nil {
				return at(int64(len(*v)))
			}
			return nil
		}, "length(" + t.words + ")"}
	}
}

func (r trees) text(depth int) text {
	kind := r.IntN(3)
	if depth <= 0 {
		kind = 0
	}
	switch kind {
	case 0:
		return text{r.s, func(c cell) *string { return c.S }, "s"}
	case 1:
		x, w := r.text(depth-1), r.word()
		return text{dbfleet.Coalesce(x.is, dbfleet.Value(w)), func(c cell) *string {
			if v := x.of(c); v != nil {
				return v
			}
			return &w
		}, fmt.Sprintf("coalesce(%s, %q)", x.words, w)}
	default:
		x, w := r.text(depth-1), r.word()
		return text{dbfleet.Concat(x.is, dbfleet.Value(w)), func(c cell) *string {
			if v := x.of(c); v != nil {
				return at(*v + w)
			}
			return nil
		}, fmt.Sprintf("concat(%s, %q)", x.words, w)}
	}
}

func (r trees) condition(depth int) condition {
	if depth > 0 && r.IntN(2) == 0 {
		p, q := r.condition(depth-1), r.condition(depth-1)
		switch r.IntN(3) {
		case 0:
			return condition{dbfleet.And(p.is, q.is), func(c cell) truth { return min(p.of(c), q.of(c)) }, "(" + p.words + " and " + q.words + ")"}
		case 1:
			return condition{dbfleet.Or(p.is, q.is), func(c cell) truth { return max(p.of(c), q.of(c)) }, "(" + p.words + " or " + q.words + ")"}
		default:
			return condition{dbfleet.Not(p.is), func(c cell) truth { return yes - p.of(c) }, "not(" + p.words + ")"}
		}
	}
	switch r.IntN(7) {
	case 0:
		return r.like(depth)
	case 1:
		t := r.text(depth)
		null := r.IntN(2) == 0
		is := map[bool]dbfleet.Cond{true: expression(t.is).IsNull(), false: expression(t.is).IsNotNull()}[null]
		return condition{is, func(c cell) truth { return truthOf((t.of(c) == nil) == null) }, fmt.Sprintf("%s is null %t", t.words, null)}
	case 2:
		x, y := r.number(depth), r.number(depth)
		op := []string{"=", "<>", "<", "<=", ">", ">="}[r.IntN(6)]
		return condition{dbfleet.Compare(x.is, op, y.is), func(c cell) truth { return compared(x.of(c), op, y.of(c)) }, x.words + " " + op + " " + y.words}
	case 3:
		return r.in(depth)
	case 4:
		x, low, high := r.number(depth), r.value(), r.value()
		e, not := expression(x.is), r.IntN(2) == 0
		is := map[bool]dbfleet.Cond{true: e.NotBetween(low, high), false: e.Between(low, high)}[not]
		return condition{is, func(c cell) truth {
			in := min(compared(x.of(c), ">=", &low), compared(x.of(c), "<=", &high))
			if not {
				return yes - in
			}
			return in
		}, fmt.Sprintf("%s between %d and %d, not %t", x.words, low, high, not)}
	}
	// A column against a value, through Col's own methods.
	n := r.value()
	op := r.IntN(6)
	is := []dbfleet.Cond{r.a.Eq(n), r.a.NotEq(n), r.a.Lt(n), r.a.LtEq(n), r.a.Gt(n), r.a.GtEq(n)}[op]
	name := []string{"=", "<>", "<", "<=", ">", ">="}[op]
	return condition{is, func(c cell) truth { return compared(c.A, name, &n) }, fmt.Sprintf("a %s %d", name, n)}
}

func (r trees) in(depth int) condition {
	x := r.number(depth)
	list := make([]int64, r.IntN(3))
	for i := range list {
		list[i] = r.value()
	}
	not := r.IntN(2) == 0
	e := expression(x.is)
	is := map[bool]dbfleet.Cond{true: e.NotIn(list...), false: e.In(list...)}[not]
	return condition{is, func(c cell) truth {
		in := no
		for i := range list {
			in = max(in, compared(x.of(c), "=", &list[i]))
		}
		if not {
			return yes - in
		}
		return in
	}, fmt.Sprintf("%s in %v, not %t", x.words, list, not)}
}

func (r trees) like(depth int) condition {
	t := r.text(depth)
	e := expression(t.is)
	pattern := []string{"%", "", "a%", "_", "%b", "%B%", `a\%b`, `%\_%`, "A%"}[r.IntN(9)]
	kind := r.IntN(3)
	is := []dbfleet.Cond{e.LikeExact(pattern), e.ILike(pattern), e.NotILike(pattern)}[kind]
	return condition{is, func(c cell) truth {
		v := t.of(c)
		switch {
		case v == nil:
			return unknown
		case kind == 0:
			return truthOf(like([]rune(*v), []rune(pattern)))
		}
		return truthOf(like([]rune(strings.ToLower(*v)), []rune(strings.ToLower(pattern))) == (kind == 1))
	}, fmt.Sprintf("%s like %q %d", t.words, pattern, kind)}
}

func compared(v *int64, op string, w *int64) truth {
	if v == nil || w == nil {
		return unknown
	}
	return truthOf(map[string]bool{"=": *v == *w, "<>": *v != *w, "<": *v < *w, "<=": *v <= *w, ">": *v > *w, ">=": *v >= *w}[op])
}

// Of each random condition p, the rows for which p, NOT p and neither holds are those that
// Go says, so that each row is in one of the three; also behind the string door, in a
// select list and in an UPDATE.
func TestConditions_RandomTreesMeanWhatTheySay(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, "CREATE TABLE cells (id {id}, a {bigint}, b {bigint}, s {text})")
		m := conformance.Model[cell](t, fl.Registry, dbfleet.ModelConfig{Table: "cells"})
		var cells []cell
		for _, a := range []*int64{nil, at[int64](0), at[int64](1), at[int64](3)} {
			for _, b := range []*int64{nil, at[int64](0), at[int64](2)} {
				for _, s := range []*string{nil, at(""), at("a"), at("B"), at("a%b"), at("c_d")} {
					cells = append(cells, cell{ID: int64(len(cells) + 1), A: a, B: b, S: s})
				}
			}
		}
		require.NoError(t, m.CreateMany(ctx, cells))
		r := trees{
			rand.New(rand.NewPCG(11, 7)),
			dbfleet.FieldPointer(m, func(c *cell) **int64 { return &c.A }),
			dbfleet.FieldPointer(m, func(c *cell) **int64 { return &c.B }),
			dbfleet.FieldPointer(m, func(c *cell) **string { return &c.S }),
		}
		for range 150 {
			p := r.condition(3)
			want := map[truth][]int64{yes: {}, no: {}, unknown: {}}
			for _, c := range cells {
				want[p.of(c)] = append(want[p.of(c)], c.ID)
			}
			value := dbfleet.Case[int64]().When(p.is, 2).When(dbfleet.Not(p.is), 0).ElseNull()
			for is, cond := range map[truth]dbfleet.Cond{yes: p.is, no: dbfleet.Not(p.is), unknown: value.IsNull()} {
				got, err := dbfleet.Pluck[int64](ctx, m.Filter(cond).OrderBy("id", dbfleet.Asc), "id")
				require.NoError(t, err, p.words)
				require.Equal(t, want[is], got, "%d of %s", is, p.words)
			}
			values, err := dbfleet.Pluck[*int64](ctx, m.Query().SelectValue(value, "is").OrderBy("id", dbfleet.Asc), "is")
			require.NoError(t, err, p.words)
			for i, c := range cells {
				require.Equal(t, map[truth]*int64{yes: at[int64](2), no: at[int64](0), unknown: nil}[p.of(c)], values[i], "row %d of %s", c.ID, p.words)
			}
			// Behind the string door, and the other way round.
			n := r.value()
			both := []int64{}
			for _, c := range cells {
				if p.of(c) == yes || compared(c.B, "<", &n) == yes {
					both = append(both, c.ID)
				}
			}
			for _, q := range []*dbfleet.Query[cell]{
				m.Where("b", "<", n).OrFilter(p.is),
				m.Filter(p.is).OrWhere("cells.b", "<", n),
				m.Filter(dbfleet.Or(r.b.Lt(n), p.is)),
				m.Query().WhereGroup(func(q *dbfleet.Query[cell]) *dbfleet.Query[cell] { return q.Where("b", "<", n).OrFilter(p.is) }),
			} {
				got, err := dbfleet.Pluck[int64](ctx, q.OrderBy("id", dbfleet.Asc), "id")
				require.NoError(t, err, p.words)
				require.Equal(t, both, got, p.words)
			}
			// The value of an expression is the same in a condition and in the select list.
			x := r.number(3)
			numbers, err := dbfleet.Pluck[*int64](ctx, m.Query().SelectValue(x.is, "x").OrderBy("id", dbfleet.Asc), "x")
			require.NoError(t, err, x.words)
			for i, c := range cells {
				require.Equal(t, x.of(c), numbers[i], "row %d of %s", c.ID, x.words)
			}
		}
	})
}
