package sqlgen

import (
	"fmt"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/value"
)

// compare writes column op value. Values come as Go has them: nil is NULL, a
// list is the right side of IN, a subquery is rendered in place.
func (r *renderer) compare(c *Cond) {
	if r.table != nil && r.blind(c) {
		return
	}
	v := c.val
	switch x := v.(type) {
	case nil, string, int, int64, bool, float64: // the most frequent types; type switches on interfaces are slower
	case Subquery:
		r.compareSub(c, x)
		return
	case *Expr:
		r.compareExpr(c, x)
		return
	case *Number:
		r.compareNumber(c, x)
		return
	}
	if r.compareComputed(c) {
		return
	}
	switch c.op {
	case In, NotIn:
		r.in(c)
		return
	case Between, NotBetween:
		r.between(c)
		return
	}
	field := r.field(c.col)
	a, err := r.operand(c, field)
	if err != nil {
		r.fail(err)
		return
	}
	if a == nil {
		r.compareNull(c)
		return
	}
	switch c.op {
	case Eq, NotEq, Lt, LtEq, Gt, GtEq:
		if !r.careful(c, field, a) {
			r.comparison(c)
			r.ready(a)
		}
	case Like, NotLike, ILike, NotILike, LikeExact, NotLikeExact:
		r.like(c.op, func() { r.column(c.col) }, a) // a string, as operand has checked
	case Is:
		r.is(c, field, a)
	case IsNot:
		r.str("NOT (")
		r.is(c, field, a)
		r.str(")")
	default:
		r.fail(r.columnFault(c, "no such operator", nil))
	}
}

// is writes a comparison that holds NULL for equal to nothing else.
func (r *renderer) is(c *Cond, field int, a any) {
	if !r.inTexts(c.op, field, []any{a}) {
		r.nullSafe(c, a)
		return
	}
	same := *c
	same.op = Is
	r.digits(&same, a)
}

func (r *renderer) nullSafe(c *Cond, a any) {
	r.column(c.col)
	r.str(" ")
	r.str(r.d.NullSafeEqual)
	r.str(" ")
	r.ready(a)
}

// compareNull writes the test for NULL that c stands for.
func (r *renderer) compareNull(c *Cond) {
	switch c.op {
	case Eq, Is:
		r.asSealed(func() { r.column(c.col) })
		r.str(" IS NULL")
	case NotEq, IsNot:
		r.asSealed(func() { r.column(c.col) })
		r.str(" IS NOT NULL")
	default:
		r.fail(r.columnFault(c, fmt.Sprintf("NULL, which nil and the zero time.Time are, cannot follow %s; only =, <>, IS and IS NOT take it", opName(c.op)), nil))
	}
}

// comparison writes the column and the operator of c.
func (r *renderer) comparison(c *Cond) {
	r.left(c)
	r.str(" ")
	r.str(opNames[c.op])
	r.str(" ")
}

// compareSub writes a comparison with the result of a subquery.
func (r *renderer) compareSub(c *Cond, s Subquery) {
	switch c.op {
	case Eq, NotEq, Lt, LtEq, Gt, GtEq, In, NotIn:
	default:
		r.fail(r.columnFault(c, "a subquery cannot follow "+opName(c.op), nil))
		return
	}
	r.comparison(c)
	r.rightQuery(c.op, s)
}

// rightQuery writes a subquery behind an operator.
func (r *renderer) rightQuery(op Op, s Subquery) {
	q, t, err := r.statement(s)
	if err != nil {
		r.fail(err)
		return
	}
	r.plainItems(&q, t)
	in := op == In || op == NotIn
	if in && !q.oneColumn(t) {
		r.fail(r.fault("subquery", "the one after "+opName(op)+" must select one column", nil))
		return
	}
	if in && r.d == dialect.MySQL && q.bounded() {
		// MySQL takes no LIMIT in the subquery of IN, but in a derived table inside
		// of that.
		if q.Lock() != NoLock && !r.locks {
			r.subquery(q, t, nil) // refuses
			return
		}
		r.str("(SELECT * FROM ")
		r.derived(&q, t, "bounded")
		r.str(")")
		return
	}
	r.subquery(q, t, nil)
}

// compareExpr writes a comparison with SQL that the caller wrote.
func (r *renderer) compareExpr(c *Cond, e *Expr) {
	if v, op, ok := literalOf(e, c.op, r.values); ok {
		again := Compare(c.col, op, v)
		r.compare(&again)
		return
	}
	switch c.op {
	case Eq, NotEq, Lt, LtEq, Gt, GtEq, Like, NotLike:
	case In, NotIn:
		r.column(c.col)
		r.str(" ")
		r.str(opNames[c.op])
		r.str(" (")
		r.raw(e, "where")
		r.str(")")
		return
	default:
		r.fail(r.columnFault(c, "an expression cannot follow "+opName(c.op), nil))
		return
	}
	r.comparison(c)
	r.raw(e, "where")
}

// between writes column [NOT] BETWEEN low AND high, as two comparisons where MySQL
// would not be exact; see needsEach.
func (r *renderer) between(c *Cond) {
	field := r.field(c.col)
	if err := r.pair(c, field); err != nil {
		r.fail(err)
		return
	}
	low, high := len(r.args)-2, len(r.args)-1
	careful := r.misread(field, r.args[low]) || r.misread(field, r.args[high])
	if r.d == dialect.SQLite {
		if others := r.others(c, field, low); others != nil {
			if forms, ok := others[0].(value.TimeForms); ok {
				r.args[low] = forms.First()
			}
			if forms, ok := others[1].(value.TimeForms); ok {
				r.args[high] = forms.Last()
			}
		}
	}
	if careful {
		r.str("(")
	}
	switch {
	case r.d != dialect.MySQL || !needsEach(r.args[low:]) && !decimalBytes(r.args[low]) && !decimalBytes(r.args[high]):
		r.comparison(c)
		r.placeholder(low + 1)
		r.str(" AND ")
		r.placeholder(high + 1)
	case c.op == Between:
		r.column(c.col)
		r.str(" >= ? AND ")
		r.column(c.col)
		r.str(" <= ?")
	default:
		r.str("(")
		r.column(c.col)
		r.str(" < ? OR ")
		r.column(c.col)
		r.str(" > ?)")
	}
	if careful {
		r.noNumber(c, c.op == NotBetween)
	}
}
