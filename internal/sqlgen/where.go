package sqlgen

import (
	"fmt"
	"strconv"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// where writes the query's conditions.
func (r *renderer) where(q *Query) {
	if q.steps.conditions() == 0 {
		return
	}
	r.str(" WHERE ")
	n := 0
	list := q.steps.all()
	for i := range list {
		if c := &list[i]; c.kind != order {
			r.conjunction(n, c)
			r.cond(c)
			n++
		}
	}
}

func (r *renderer) conjunction(i int, c *Cond) {
	switch {
	case i == 0:
	case c.or:
		r.str(" OR ")
	default:
		r.str(" AND ")
	}
}

func (r *renderer) condList(cs []Cond) {
	for i := range cs {
		r.conjunction(i, &cs[i])
		r.cond(&cs[i])
	}
}

func (r *renderer) cond(c *Cond) {
	switch c.kind {
	case compare:
		r.compare(c)
	case columns:
		r.column(c.col)
		r.columnOp(c.op)
		r.column(c.deep().text)
	case group:
		if len(c.deep().conds) == 0 {
			r.str("1 = 1")
			return
		}
		r.str("(")
		r.condList(c.deep().conds)
		r.str(")")
	case negation:
		if len(c.deep().conds) == 0 {
			r.fail(r.fault("not", "there is no condition to negate", nil))
			return
		}
		r.str("NOT (")
		r.condList(c.deep().conds)
		r.str(")")
	case rawSQL:
		r.str("(")
		r.raw(c.deep().expr, "where")
		r.str(")")
	case exists, notExists:
		if c.kind == notExists {
			r.str("NOT ")
		}
		r.str("EXISTS ")
		r.subquery(c.val.(Subquery).Statement(r.scope))
	case invalid:
		r.fail(c.deep().err)
	default:
		r.fail(r.fault("where", "an empty condition; use the constructors", nil))
	}
}

// compare writes column op value. Values come as Go has them: nil is NULL, a
// list is the right side of IN, a subquery is rendered in place.
func (r *renderer) compare(c *Cond) {
	v := c.val
	switch x := v.(type) {
	case nil, string, int, int64, bool, float64: // the most frequent types; type switches on interfaces are slower
	case Subquery:
		r.compareSub(c, x)
		return
	case *Expr:
		r.compareExpr(c, x)
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
		r.column(c.col)
		r.str(" ")
		r.str(opNames[c.op])
		r.str(" ")
		r.ready(a)
	case Like, NotLike:
		r.column(c.col)
		r.str(" ")
		r.str(opNames[c.op])
		r.str(" ")
		r.ready(a)
		r.likeEscape()
	case ILike, NotILike:
		r.ilike(c, a)
	case Is:
		r.column(c.col)
		r.str(" ")
		r.str(r.d.NullSafeEqual)
		r.str(" ")
		r.ready(a)
	case IsNot:
		r.str("NOT (")
		r.column(c.col)
		r.str(" ")
		r.str(r.d.NullSafeEqual)
		r.str(" ")
		r.ready(a)
		r.str(")")
	default:
		r.fail(r.fault("column "+strconv.Quote(c.col), "no such operator", nil))
	}
}

func (r *renderer) compareNull(c *Cond) {
	switch c.op {
	case Eq, Is:
		r.column(c.col)
		r.str(" IS NULL")
	case NotEq, IsNot:
		r.column(c.col)
		r.str(" IS NOT NULL")
	default:
		r.fail(r.fault("column "+strconv.Quote(c.col), fmt.Sprintf("nil cannot follow %s; only =, <>, IS and IS NOT take it", opName(c.op)), nil))
	}
}

// likeEscape makes a backslash the escape character where it is not by itself.
func (r *renderer) likeEscape() {
	if r.d.Name == "sqlite" {
		r.str(` ESCAPE '\'`)
	}
}

func (r *renderer) ilike(c *Cond, a any) {
	if r.d.ILike {
		r.column(c.col)
		r.str(" ")
		r.str(opNames[c.op])
		r.str(" ")
		r.ready(a)
		return
	}
	r.str("LOWER(")
	r.column(c.col)
	if c.op == NotILike {
		r.str(") NOT LIKE LOWER(")
	} else {
		r.str(") LIKE LOWER(")
	}
	r.ready(a)
	r.str(")")
	r.likeEscape()
}

func (r *renderer) compareSub(c *Cond, s Subquery) {
	q, t, err := s.Statement(r.scope)
	if err != nil {
		r.fail(err)
		return
	}
	switch c.op {
	case Eq, NotEq, Lt, LtEq, Gt, GtEq, In, NotIn:
	default:
		r.fail(r.fault("column "+strconv.Quote(c.col), "a subquery cannot follow "+opName(c.op), nil))
		return
	}
	if (c.op == In || c.op == NotIn) && !q.oneColumn(t) {
		r.fail(r.fault("column "+strconv.Quote(c.col), "the subquery after "+opName(c.op)+" must select one column", nil))
		return
	}
	r.column(c.col)
	r.str(" ")
	r.str(opNames[c.op])
	r.str(" ")
	if (c.op == In || c.op == NotIn) && r.d == dialect.MySQL && q.bounded() {
		// MySQL takes no LIMIT there, but it does one floor down.
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

// oneColumn says whether the rows of q may have a single column.
func (q *Query) oneColumn(t Table) bool {
	if q.Selects() {
		return len(q.more.columns) == 1
	}
	return t == nil || len(t.Columns()) == 1
}

func (r *renderer) compareExpr(c *Cond, e *Expr) {
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
		r.fail(r.fault("column "+strconv.Quote(c.col), "an expression cannot follow "+opName(c.op), nil))
		return
	}
	r.column(c.col)
	r.str(" ")
	r.str(opNames[c.op])
	r.str(" ")
	r.raw(e, "where")
}

// in writes column [NOT] IN (list). An empty list matches nothing, or
// everything for NOT IN. A nil among the elements means NULL as Go means it:
// IN (1, nil) also finds NULL, NOT IN (1, nil) leaves NULL out.
func (r *renderer) in(c *Cond) {
	first := len(r.args)
	field := r.field(c.col)
	array, hasNull, err := r.list(c, field, r.d.ArrayIn)
	if err != nil {
		r.fail(err)
		return
	}
	not := c.op == NotIn
	empty := array == nil && len(r.args) == first
	if empty && !hasNull {
		// The column is still looked at, so that an unknown one is an error.
		mark := len(r.buf)
		r.column(c.col)
		r.buf = r.buf[:mark]
		if not {
			r.str("1 = 1")
		} else {
			r.str("1 = 0")
		}
		return
	}
	if hasNull {
		r.str("(")
	}
	if !empty {
		r.column(c.col)
		switch {
		case array != nil && not:
			r.str(" <> ALL(")
			r.ready(array)
			r.str(")")
		case array != nil:
			r.str(" = ANY(")
			r.ready(array)
			r.str(")")
		default:
			if not {
				r.str(" NOT IN (")
			} else {
				r.str(" IN (")
			}
			if !r.long(first) {
				r.placeholders(first+1, len(r.args))
			}
			r.str(")")
		}
	}
	if !hasNull {
		return
	}
	switch {
	case empty:
	case not:
		r.str(" AND ")
	default:
		r.str(" OR ")
	}
	r.column(c.col)
	if not {
		r.str(" IS NOT NULL)")
	} else {
		r.str(" IS NULL)")
	}
}

func (r *renderer) between(c *Cond) {
	field := r.field(c.col)
	if err := r.pair(c, field); err != nil {
		r.fail(err)
		return
	}
	r.column(c.col)
	r.str(" ")
	r.str(opNames[c.op])
	r.str(" ")
	r.placeholder(len(r.args) - 1)
	r.str(" AND ")
	r.placeholder(len(r.args))
}
