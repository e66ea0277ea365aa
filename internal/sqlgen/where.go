package sqlgen

import "github.com/dbfleet/dbfleet/internal/dialect"

// where writes the query's conditions, and those that hold beside all of them: the one that
// leaves deleted rows out, and the implicit ones.
func (r *renderer) where(q *Query) {
	mark, owner := r.mark(q), r.ownerOf(q)
	beside := mark != "" || owner != nil || len(q.Implicit()) > 0
	if q.steps.conditions() == 0 {
		if beside {
			r.str(" WHERE ")
			r.beside(q, mark, owner)
		}
		return
	}
	r.str(" WHERE ")
	enclosed := beside && q.alternates()
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
	if beside {
		r.str(" AND ")
		r.beside(q, mark, owner)
	}
}

// beside writes the conditions that leave rows out by their owner and by their mark, if
// there are such, and the implicit ones.
func (r *renderer) beside(q *Query, mark string, owner *Owner) {
	if owner != nil {
		r.ownedBy(owner, q.ownTable())
	}
	if mark != "" {
		if owner != nil {
			r.str(" AND ")
		}
		r.leaveOut(q, mark)
	}
	r.writeImplicit(q, mark == "" && owner == nil)
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
	if r.numeral || r.affinity != unknown || r.among != nil {
		r.byItself(func() { r.cond(c) })
		return
	}
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
		if r.d == dialect.MySQL && windowed(c.detail().conds) {
			r.windowedGroup(c.detail().conds)
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
		q, t, err := r.statement(c.val.(Subquery))
		if q.more != nil && len(q.more.groups)+len(q.more.having) > 0 && !q.Selects() && !q.Unites() && !q.distinct() {
			list := Column{Expr: one} // no column of a group is read
			if len(q.more.groups) == 0 {
				list = Column{Func: "COUNT", Name: "*"} // SQLite wants an aggregate there beside HAVING
			}
			q = q.OnlyColumns(list)
		}
		r.subquery(q, t, err)
	case related:
		r.related(c.val.(Related))
	case counting:
		r.counting(c)
	case veiled:
		r.veiled(c)
	case belonging:
		r.belonging(c)
	case located:
		r.locating(c)
	case owning:
		o := c.val.(*owned)
		r.ownedBy(o.owner, o.ref)
	case behind:
		r.behind(c.detail().keyset)
	case invalid:
		r.fail(c.detail().err)
	default:
		r.fail(r.fault("where", "an empty condition; use the constructors", nil))
	}
}
