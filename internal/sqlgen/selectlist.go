package sqlgen

import (
	"slices"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

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
	for _, c := range t.Columns() {
		if len(r.ctes) > 0 && r.lacks(c) {
			r.unknown(t, c)
			return
		}
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
		r.nameOfUnion(q, c)
	}
}

// nameOfUnion names a column of a union by what it is called anyway. SQLite sorts a
// union by an alias, or else by the first item that is equal to the expression: one
// under another alias, too, and none when several tables have the column.
func (r *renderer) nameOfUnion(q *Query, column string) {
	if r.d == dialect.SQLite && q.Unites() && (q.Joined() || q.Selects()) {
		r.str(" AS ")
		r.ident(column)
	}
}

// selectColumn writes an item of the select list.
func (r *renderer) selectColumn(c *Column) {
	switch {
	case c.Expr != nil:
		r.selectTerm(c)
	case c.Func != "":
		r.aggregate(c)
	case c.Sub != nil:
		r.selectQuery(c)
	case c.Name == "*":
		r.folds.reads(c.Name)
		if r.q.Joined() {
			r.path(r.q.refName())
			r.str(".")
		}
		r.str("*")
	case len(c.Name) > 2 && c.Name[len(c.Name)-2:] == ".*":
		r.folds.reads(c.Name)
		r.path(c.Name[:len(c.Name)-2])
		r.str(".*")
	default:
		r.asSealed(func() { r.column(c.Name) })
		if c.As == "" {
			called := c.Name
			if r.table == nil || r.table.Quoted(called, r.d) == "" {
				called = lastPart(called)
			}
			r.nameOfUnion(r.q, called)
		}
	}
	if c.As != "" {
		r.str(" AS ")
		r.ident(c.As)
	}
}

// selectQuery writes a subquery of the select list. By one that GROUP BY has the rows become
// one.
func (r *renderer) selectQuery(c *Column) {
	if r.folds.looksAtAll() && slices.Contains(r.q.more.groups, c.As) {
		defer r.folds.resume(r.folds.pause())
	}
	r.subquery(r.statement(c.Sub))
}

// selectTerm writes c.Expr, and keeps what GROUP BY and HAVING ask of it.
func (r *renderer) selectTerm(c *Column) {
	if len(r.q.more.groups) == 0 {
		r.selectExpr(c.Expr)
		return
	}
	outer, from, args := r.merges, len(r.buf), len(r.args)
	r.merges = false
	r.selectExpr(c.Expr)
	i := item{c: c, merges: r.merges}
	if r.d.Numbered && len(r.args) > args && len(r.q.more.having) > 0 {
		i.text = string(r.buf[from:])
	}
	r.items = append(r.items, i)
	r.merges = r.merges || outer
}

// selectExpr writes an expression of the select list. A value of Go has its own type there,
// but for texts, which PostgreSQL takes for what an INSERT needs.
func (r *renderer) selectExpr(e *Expr) {
	if l, ok := e.Term.(Literal); ok && r.d == dialect.Postgres {
		if a, err := r.values.Arg(l.V, r.d); err == nil && castOf(a) != "" {
			r.literal(l, true)
			return
		}
	}
	r.raw(e, "select")
}

// itemOf is what selectTerm has kept of an item.
func (r *renderer) itemOf(c *Column) (i item) {
	if at := slices.IndexFunc(r.items, func(i item) bool { return i.c == c }); at >= 0 {
		i = r.items[at]
	}
	return i
}

// aggregate writes c.Func around the column c.Name.
func (r *renderer) aggregate(c *Column) {
	if c.Func == AllValues {
		was := r.folds.pause()
		r.aggregated(c)
		r.folds.resume(was)
		return
	}
	defer r.folds.resume(r.folds.aggregate())
	switch {
	case c.Func == Mean:
		r.mean(c)
		return
	case c.Zero:
		r.str("COALESCE(")
		defer r.str(", 0)")
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

// mean writes a Mean. MySQL divides by itself: its AVG of whole numbers has four digits
// after the point.
func (r *renderer) mean(c *Column) {
	switch r.d {
	case dialect.Postgres:
		r.str("CAST(AVG(")
		r.aggregated(c)
		r.str(") AS DOUBLE PRECISION)")
	case dialect.MySQL:
		r.str("((SUM(")
		r.aggregated(c)
		r.str(") + 0e0) / COUNT(")
		r.aggregated(c)
		r.str("))")
	default:
		r.str("AVG(")
		r.aggregated(c)
		r.str(")")
	}
}

// aggregated writes the column of an aggregate.
func (r *renderer) aggregated(c *Column) {
	if q := r.q; q.more.from != nil {
		r.resultColumn(q.more.from, r.table, c.Name)
	} else {
		r.column(c.Name)
	}
}
