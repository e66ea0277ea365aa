package sqlgen

import (
	"slices"
	"strconv"
	"strings"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// Where SQL looks at the select list. A name alone means
//
//   - in ORDER BY a column of the result first, then one of the tables;
//   - in HAVING a grouped column first, then an alias, for which its expression is
//     written where the database takes none, then a column of the tables;
//   - in GROUP BY a column of the tables first, then an alias, as for every
//     database.
//
// So it is the same on all databases. What they resolve differently, or not at
// all, is refused.

// orderColumn writes a column of ORDER BY.
func (r *renderer) orderColumn(q *Query, name string) {
	if !q.Selects() {
		r.column(name)
		return
	}
	o, n, any := q.named(r.d, name, r.table)
	switch {
	case n > 1:
		r.ambiguous(name, []string{"several columns of the select list"})
	case n == 1 && o.kind == aliased:
		r.ident(o.nameIn(r.d))
	case n == 1 && o.table != "" && q.Joined():
		r.selected(&o)
	case n == 0 && any && !strings.Contains(name, "."):
		r.ident(name) // only the database knows
	case n == 0 && q.foldsTo(r.d, name):
		r.unfolded(q, name)
	default:
		r.column(name)
	}
}

// selected writes the column that an item of the select list is, with its table.
func (r *renderer) selected(o *output) {
	if o.item.Expr != nil {
		r.raw(&o.raw, "order by") // a path of names
		return
	}
	r.column(o.path())
}

// groupName writes a name of GROUP BY.
func (r *renderer) groupName(q *Query, name string) {
	if r.groupsTwoWays(q, name) {
		r.fail(r.fault("group by", strconv.Quote(name)+" is a column, and the select list calls something else of each row so; databases group by the column: give the other another alias, or write "+
			strconv.Quote(q.refName()+"."+name)+" for the column", nil))
		return
	}
	r.groupColumn(name)
}

// groupColumn writes a column of GROUP BY.
func (r *renderer) groupColumn(name string) {
	r.grouping = true
	r.column(name)
	r.grouping = false
}

// groupsTwoWays says whether a name of GROUP BY is both a column and the alias of what the
// select list computes of each row: grouped by the column, a value of the result comes in
// several groups, or in a group it is any row's. An aggregate is of a group, whatever it
// is called, and SQL of the caller's is not looked at.
func (r *renderer) groupsTwoWays(q *Query, name string) bool {
	if !q.Selects() || strings.Contains(name, ".") {
		return false
	}
	i := slices.IndexFunc(q.more.columns, func(c Column) bool { return c.As == name })
	if i < 0 {
		return false
	}
	switch c := &q.more.columns[i]; {
	case c.Func != "" || r.itemOf(c).merges:
		return false
	case c.Expr != nil:
		return c.Expr.Term != nil && r.groupable(q, name)
	case c.Sub != nil:
		return r.groupable(q, name)
	default:
		return lastPart(c.Name) != name && !slices.Contains(q.more.groups, c.Name) && r.groupable(q, name)
	}
}

// groupable says whether a name is known to be a column of what the query reads.
func (r *renderer) groupable(q *Query, name string) bool {
	if q.more.from != nil {
		_, n, _ := q.more.from.named(r.d, name, r.table)
		return n > 0
	}
	return r.tableHas(name)
}

// foldsTo says whether an alias differs from a name in nothing but case.
func (q *Query) foldsTo(d *dialect.Dialect, name string) bool {
	for o := range q.outputs(d) {
		if o.kind == aliased && strings.EqualFold(o.name, name) {
			return true
		}
	}
	return false
}

// unfolded writes a column beside an alias that is equal but for its case: some
// databases would take one for the other.
func (r *renderer) unfolded(q *Query, name string) {
	if r.table == nil || !r.table.Known(name) {
		r.fail(r.fault("order by", "the alias of the select list is not written as the column "+strconv.Quote(name), nil))
		return
	}
	r.columnOf(q.refName(), name)
}

// havingColumn writes a column of HAVING that is none of the tables' alone. ok is
// false when it is.
func (r *renderer) havingColumn(name string) (ok bool) {
	meant, o, known := r.havingMeans(name)
	switch {
	case !known && r.table != nil && r.d == dialect.SQLite:
		r.fail(r.fault("having", "the column "+strconv.Quote(name)+" is neither grouped nor selected; SQLite would take its value of any row", nil))
		return true
	case o == nil && meant == name:
		return false
	case o == nil:
		r.having = false
		r.column(meant)
	case r.d == dialect.MySQL: // which takes no columns there but those of the result
		r.ident(o.name)
	default:
		r.having = false
		r.expression(o)
	}
	r.having = true
	return true
}

// havingMeans is what a column of HAVING means: the grouped column of that name, or
// an alias of the select list, or else name itself. known is false for one that is
// neither grouped nor selected.
func (r *renderer) havingMeans(name string) (column string, alias *output, known bool) {
	q := r.q
	grouped, foreign := "", 0
	for _, g := range q.more.groups {
		table, last := splitName(g)
		switch {
		case g == name && (table != "" || r.table == nil || r.tableHas(name)), table != "" && last == name && q.own(table):
			return g, nil, true
		case table != "" && last == name:
			grouped = g
			foreign++
		}
	}
	if foreign == 1 {
		return grouped, nil, true
	}
	if !q.Selects() {
		return name, nil, true
	}
	o, n, more := q.named(r.d, name, r.table)
	switch {
	case n > 1:
		r.ambiguous(name, []string{"several columns of the select list"})
	case n == 1 && o.kind == aliased:
		return name, &o, true
	}
	_, given, _ := q.given(r.d, name, r.table)
	return name, nil, given || more || slices.ContainsFunc(q.more.groups, func(g string) bool { return lastPart(g) == lastPart(name) })
}

// tableHas says whether one of the tables is known to have a column of that name.
func (r *renderer) tableHas(name string) bool {
	if r.table != nil && r.table.Modelled() && r.table.Known(name) {
		return true
	}
	has, _ := r.modelHas(r.q.Table(), name)
	return has || len(r.joinedWith(name)) > 0
}

// expression writes what an alias of the select list stands for.
func (r *renderer) expression(o *output) {
	r.str("(")
	switch c := o.item; {
	case c.As != "" && r.itemOf(c).text != "":
		r.str(r.itemOf(c).text)
	case c.Expr != nil && c.As == "":
		r.raw(&o.raw, "having")
	case c.Expr != nil:
		r.raw(c.Expr, "having")
	case c.Sub != nil:
		r.selectQuery(c)
	case c.Func != "":
		r.aggregate(c)
	default:
		r.column(c.Name)
	}
	r.str(")")
}

// havingTakes refuses the comparisons that cannot follow an expression with
// arguments of its own, which would come between theirs.
func (r *renderer) havingTakes(c *Cond) {
	switch c.op {
	case In, NotIn, Between, NotBetween:
	default:
		return
	}
	if _, o, _ := r.havingMeans(c.col); o != nil && r.d != dialect.MySQL && o.takesArguments() {
		r.fail(r.columnFault(c, opName(c.op)+" does not follow an alias whose expression has arguments; use HavingRaw", nil))
	}
}

func (o *output) takesArguments() bool {
	switch c := o.item; {
	case c.Sub != nil:
		return true
	case c.Expr != nil && c.As == "":
		return len(o.raw.Args) > 0
	case c.Expr != nil:
		return len(c.Expr.Args) > 0 || c.Expr.Sqlizer != nil || c.Expr.Term != nil
	}
	return false
}
