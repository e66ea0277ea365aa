package sqlgen

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
	case terms:
		r.compareTerm(c)
	case exists, notExists:
		if c.kind == notExists {
			r.str("NOT ")
		}
		r.str("EXISTS ")
		r.subquery(c.val.(Subquery).Statement(r.connection))
	case invalid:
		r.fail(c.detail().err)
	default:
		r.fail(r.fault("where", "an empty condition; use the constructors", nil))
	}
}
