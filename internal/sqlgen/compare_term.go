package sqlgen

import (
	"fmt"
	"strconv"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// whole writes a number of the library's own.
func (r *renderer) whole(n int) { r.buf = strconv.AppendInt(r.buf, int64(n), 10) }

// CompareTerm is a term against a value of Go, a list of them, a Number, a subquery or,
// as an Expr, another term.
func CompareTerm(left Term, op Op, value any) Cond {
	if column, ok := left.(ColumnTerm); ok {
		return Compare(string(column), op, value)
	}
	return Cond{kind: terms, op: op, val: &detail{expr: &Expr{Term: left}, value: value}}
}

// compareTerm writes a comparison whose left side is a term.
func (r *renderer) compareTerm(c *Cond) {
	left, v := c.detail().expr.Term, c.detail().value
	if !isPattern(c.op) {
		left = exactly(left)
	}
	typed := isLiteral(left)
	if e, ok := v.(*Expr); ok && e.Term != nil { // whose type tells that of the left side
		typed = typed && isLiteral(e.Term)
	}
	side := func() {
		r.term(left, typed)
		r.str(" ")
		r.str(opNames[c.op])
		r.str(" ")
	}
	fault := func(reason string) { r.fail(r.fault("expression", reason, nil)) }
	name := opName(c.op)
	switch x := v.(type) {
	case nil:
		switch c.op {
		case Eq, Is:
			r.term(left, typed)
			r.str(" IS NULL")
		case NotEq, IsNot:
			r.term(left, typed)
			r.str(" IS NOT NULL")
		default:
			fault("NULL cannot follow " + name + "; only =, <>, IS and IS NOT take it")
		}
		return
	case Subquery:
		if c.op < Eq || c.op > GtEq && c.op != In && c.op != NotIn {
			fault("a subquery cannot follow " + name)
			return
		}
		side()
		r.rightQuery(c.op, x)
		return
	case *Expr:
		if c.op < Eq || c.op > NotLike {
			fault("an expression cannot follow " + name)
			return
		}
		side()
		r.raw(x, "expression")
		return
	case *Number:
		if r.numberFails(c, x) {
			return
		}
		side()
		r.number(x, "expression")
		return
	}
	switch c.op {
	case In, NotIn:
		r.termIn(c, left, v)
		return
	case Between, NotBetween:
		r.termBetween(c, left, v)
		return
	}
	first := len(r.args)
	a, err := r.values.Arg(v, r.d)
	if err != nil {
		r.fail(r.fault("expression", "", err))
		return
	}
	switch {
	case a == nil:
		again := *c
		again.val = &detail{expr: c.detail().expr}
		r.args = r.args[:first]
		r.compareTerm(&again)
	case isPattern(c.op):
		if _, text := a.(string); !text {
			fault(fmt.Sprintf("%s takes text, not a %T", name, v))
			return
		}
		r.like(c.op, func() { r.term(left, true) }, a)
	case c.op == Is, c.op == IsNot:
		r.str([2]string{"", "NOT ("}[index(c.op == IsNot)])
		r.term(left, typed)
		r.str(" ")
		r.str(r.d.NullSafeEqual)
		r.str(" ")
		r.literal(Literal{v}, typed)
		r.str([2]string{"", ")"}[index(c.op == IsNot)])
	default:
		side()
		r.literal(Literal{v}, typed)
	}
}

// termIn writes left IN (values). NULL among them is an alternative of its own.
func (r *renderer) termIn(c *Cond, left Term, list any) {
	args, _, hasNull, err := r.values.AppendList(nil, list, r.d, false)
	if err != nil {
		r.fail(r.fault("expression", "", err))
		return
	}
	not := c.op == NotIn
	switch {
	case len(args) == 0 && !hasNull:
		r.str([2]string{"1 = 0", "1 = 1"}[index(not)])
		return
	case hasNull:
		r.str("(")
	}
	if len(args) > 0 {
		r.term(left, isLiteral(left))
		r.str([2]string{" IN (", " NOT IN ("}[index(not)])
		if r.d == dialect.MySQL {
			for i := range args {
				args[i] = mysqlExact(args[i])
			}
		}
		r.elements(args, false)
		r.str(")")
	}
	if hasNull {
		if len(args) > 0 {
			r.str([2]string{" OR ", " AND "}[index(not)])
		}
		r.term(left, isLiteral(left))
		r.str([2]string{" IS NULL)", " IS NOT NULL)"}[index(not)])
	}
}

// termBetween writes low <= left <= high.
func (r *renderer) termBetween(c *Cond, left Term, list any) {
	args, _, hasNull, err := r.values.AppendList(nil, list, r.d, false)
	if err != nil {
		r.fail(r.fault("expression", "", err))
		return
	}
	if len(args) != 2 || hasNull {
		r.fail(r.fault("expression", opName(c.op)+" takes two values that are not nil", nil))
		return
	}
	r.term(left, isLiteral(left))
	r.str(" ")
	r.str(opNames[c.op])
	r.str(" ")
	for i, a := range args {
		r.str([2]string{"", " AND "}[i])
		if r.d == dialect.MySQL {
			a = mysqlExact(a)
		}
		r.ready(a)
	}
}
