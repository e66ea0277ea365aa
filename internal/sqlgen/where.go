package sqlgen

// where writes the query's conditions, and the implicit ones, which hold for all of them.
func (r *renderer) where(q *Query) {
	implicit := len(q.Implicit()) > 0
	if q.steps.conditions() == 0 {
		if implicit {
			r.str(" WHERE ")
			r.writeImplicit(q, true)
		}
		return
	}
	r.str(" WHERE ")
	enclosed := implicit && q.alternates()
	if enclosed {
		r.str("(")
	}
	n := 0
	list := q.steps.all()
	for i := range list {
		if c := &list[i]; c.kind != order {
			r.conjunction(n, c)
			r.cond(c)
			n++
		}
	}
	if enclosed {
		r.str(")")
	}
	if implicit {
		r.writeImplicit(q, false)
	}
}

// conjunction writes what joins condition i of a list to those before it.
func (r *renderer) conjunction(i int, c *Cond) {
	switch {
	case i == 0:
	case c.or:
		r.str(" OR ")
	default:
		r.str(" AND ")
	}
}

// condList writes conditions without parentheses around them.
func (r *renderer) condList(cs []Cond) {
	for i := range cs {
		r.conjunction(i, &cs[i])
		r.cond(&cs[i])
	}
}

// cond writes one condition.
func (r *renderer) cond(c *Cond) {
	switch c.kind {
	case compare:
		if r.having {
			r.havingTakes(c)
		}
		r.compare(c)
	case columns:
		r.column(c.col)
		r.columnOp(c.op)
		r.column(c.detail().text)
	case group:
		if len(c.detail().conds) == 0 {
			r.str("1 = 1")
			return
		}
		r.str("(")
		r.condList(c.detail().conds)
		r.str(")")
	case negation:
		if len(c.detail().conds) == 0 {
			r.fail(r.fault("not", "there is no condition to negate", nil))
			return
		}
		r.str("NOT (")
		r.condList(c.detail().conds)
		r.str(")")
	case rawSQL:
		r.str("(")
		r.raw(c.detail().expr, "where")
		r.str(")")
	case exists, notExists:
		if c.kind == notExists {
			r.str("NOT ")
		}
		r.str("EXISTS ")
		r.subquery(r.statement(c.val.(Subquery)))
	case behind:
		r.behind(c.detail().keyset)
	case invalid:
		r.fail(c.detail().err)
	default:
		r.fail(r.fault("where", "an empty condition; use the constructors", nil))
	}
}
