package sqlgen

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// whole writes a number of the library's own.
func (r *renderer) whole(n int) { r.buf = strconv.AppendInt(r.buf, int64(n), 10) }

// CompareTerm is a term against a value of Go, a list of them, a Number, a subquery or,
// as an Expr, another term.
func CompareTerm(left Term, op Op, value any) Cond {
	if e, ok := value.(*Expr); ok && isLiteral(left) && !isLiteral(e.Term) && e.Term != nil {
		if turned, ok := op.turned(); ok { // the value has the care that it has on the right
			left, op, value = e.Term, turned, &Expr{Term: left}
		}
	}
	if column, ok := left.(ColumnTerm); ok {
		return Compare(string(column), op, value)
	}
	return Cond{kind: terms, op: op, val: &detail{expr: &Expr{Term: left}, value: value}}
}

// compareTerm writes a comparison whose left side is a term.
func (r *renderer) compareTerm(c *Cond) {
	left, v := c.detail().expr.Term, c.detail().value
	if l, op, ok := literalOf(v, c.op, r.values); ok && !isLiteral(left) {
		again := CompareTerm(left, op, l)
		r.compareTerm(&again)
		return
	}
	if !decided(v) && r.folds.has(r, left) {
		defer r.folds.resume(r.folds.pause())
	}
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
		r.asNumeral(isNumber(left) || x.Term != nil && isNumber(x.Term), func() {
			side()
			r.raw(x, "expression")
		})
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
		r.termIs(c, v, a, typed)
		r.str([2]string{"", ")"}[index(c.op == IsNot)])
	case r.carefulTerm(c, v, a):
	default:
		side()
		r.literal(Literal{v}, typed)
	}
}

// literalOf is the value of Go that an expression on the right of an operator is, and the
// operator that it follows as such.
func literalOf(right any, op Op, values Values) (v any, as Op, ok bool) {
	e, ok := right.(*Expr)
	if !ok || op > GtEq && op != In && op != NotIn {
		return nil, op, false
	}
	l, ok := e.Term.(Literal)
	if ok && (op == In || op == NotIn) && !values.IsList(l.V) {
		op = [2]Op{Eq, NotEq}[index(op == NotIn)]
	}
	return l.V, op, ok
}

// termIn writes left IN (values). NULL among them is an alternative of its own.
func (r *renderer) termIn(c *Cond, left Term, list any) {
	args, _, hasNull, err := r.values.AppendList(nil, list, r.d, false)
	if err != nil {
		r.fail(r.fault("expression", "", err))
		return
	}
	not := c.op == NotIn
	if r.d == dialect.MySQL && slices.ContainsFunc(args, func(a any) bool { return r.divides(c, left, mysqlExact(a)) }) {
		outer := r.copies
		eachValue(left, func(Term) { r.copies++ })
		r.divided(c, left, left)
		r.copies = outer
		return
	}
	switch {
	case len(args) == 0 && !hasNull:
		r.str([2]string{"1 = 0", "1 = 1"}[index(not)])
		return
	case hasNull:
		r.str("(")
	}
	if len(args) > 0 {
		for i := range args {
			args[i] = r.exactArg(left, args[i])
		}
		if !r.carefulIn(c, list, args) {
			r.term(left, isLiteral(left))
			r.str([2]string{" IN (", " NOT IN ("}[index(not)])
			r.listed(args)
			r.str(")")
		}
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
	if _, computed := left.(computedColumn); !computed {
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
		return
	}
	low, high := CompareTerm(left, GtEq, args[0]), CompareTerm(left, LtEq, args[1])
	if c.op == NotBetween {
		low, high = CompareTerm(left, Lt, args[0]), CompareTerm(left, Gt, args[1]).Or()
	}
	both := Group(low, high)
	r.cond(&both)
}
