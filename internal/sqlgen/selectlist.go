package sqlgen

import "strings"

// selectList writes the columns that q names, or else those of its table.
func (r *renderer) selectList(q *Query, t Table) {
	if q.Selects() {
		for i := range q.more.columns {
			if i > 0 {
				r.str(", ")
			}
			r.selectColumn(&q.more.columns[i])
		}
		return
	}
	if t == nil || (q.more != nil && q.more.from != nil) {
		if q.Joined() {
			r.path(q.refName())
			r.str(".")
		}
		r.str("*")
		return
	}
	if !q.Joined() {
		list, err := t.SelectList(r.d)
		if err != nil {
			r.fail(err)
		}
		r.str(list)
		return
	}
	for i, c := range t.Columns() {
		if i > 0 {
			r.str(", ")
		}
		r.path(q.refName())
		r.str(".")
		r.ident(c)
	}
}

// selectColumn writes an item of the select list.
func (r *renderer) selectColumn(c *Column) {
	switch {
	case c.Expr != nil:
		r.raw(c.Expr, "select")
	case c.Func != "":
		r.aggregate(c)
	case c.Sub != nil:
		r.subquery(c.Sub.Statement(r.connection))
	case c.Name == "*":
		if r.q.Joined() {
			r.path(r.q.refName())
			r.str(".")
		}
		r.str("*")
	case len(c.Name) > 2 && c.Name[len(c.Name)-2:] == ".*":
		r.path(c.Name[:len(c.Name)-2])
		r.str(".*")
	default:
		r.column(c.Name)
	}
	if c.As != "" {
		r.str(" AS ")
		r.ident(c.As)
	}
}

// aggregate writes c.Func around the column c.Name.
func (r *renderer) aggregate(c *Column) {
	if c.Func == AllValues {
		r.aggregated(c)
		return
	}
	r.str(c.Func)
	r.str("(")
	if c.Name == "*" {
		r.str("*)")
		return
	}
	r.aggregated(c)
	if c.Func == "AVG" && r.d.Name == "mysql" {
		r.str(" + 0e0") // MySQL gives a mean of integers four digits after the point
	}
	r.str(")")
}

// aggregated writes the column of an aggregate.
func (r *renderer) aggregated(c *Column) {
	if q := r.q; q.more.from != nil {
		r.resultColumn(q.more.from, r.table, c.Name)
	} else {
		r.column(c.Name)
	}
}

// resultColumn writes a column of q's result, which no table owns any more:
// that of a derived table, or of a union.
func (r *renderer) resultColumn(q *Query, t Table, name string) {
	column := name
	if i := strings.LastIndexByte(name, '.'); i > 0 && q.reads(name[:i]) && !q.names(name, t) {
		column = name[i+1:]
	}
	if !q.provides(column, t) {
		r.unknown(q, t, name)
		return
	}
	r.ident(column)
}
