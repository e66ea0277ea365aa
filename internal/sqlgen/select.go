package sqlgen

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Select renders a query.
func Select(q *Query, env *Env) (string, []any, error) {
	r := newRenderer(env)
	r.root = *q
	r.locks = q.Lock() != NoLock
	r.selectStatement(&r.root, env.Table)
	return r.done()
}

// selectStatement writes q with its unions. t knows q's table.
func (r *renderer) selectStatement(q *Query, t Table) {
	if q.more != nil && len(q.more.unions) > 0 {
		r.unionStatement(q, t)
		return
	}
	r.selectBody(q, t)
	r.orderAndLimit(q)
	r.lock(q)
}

// unionStatement writes q UNION others; ORDER BY, LIMIT and OFFSET of q hold
// for the whole.
func (r *renderer) unionStatement(q *Query, t Table) {
	if q.Lock() != NoLock {
		r.q = q
		r.fail(r.fault("lock", "a union takes no row locks", nil))
		return
	}
	r.selectBody(q, t)
	for _, u := range q.more.unions {
		if u.all {
			r.str(" UNION ALL ")
		} else {
			r.str(" UNION ")
		}
		uq, ut, err := u.q.Statement(r.scope)
		if err != nil {
			r.fail(err)
			return
		}
		if uq.Lock() != NoLock {
			r.fail(r.fault("lock", "a union takes no row locks", nil))
		}
		outer, outerTable := r.q, r.table
		if uq.bounded() || uq.steps.ordered() || (uq.more != nil && len(uq.more.unions) > 0) {
			// Not every database takes parentheses here; all take a derived table.
			r.str("SELECT * FROM ")
			r.derived(&uq, ut, "u")
		} else {
			r.selectBody(&uq, ut)
		}
		r.q, r.table = outer, outerTable
	}
	r.orderAndLimit(q)
}

func (r *renderer) selectBody(q *Query, t Table) {
	r.q, r.table = q, t
	r.str("SELECT ")
	if q.distinct() {
		r.str("DISTINCT ")
	}
	r.selectList(q, t)
	r.str(" FROM ")
	r.fromTable(q)
	if q.more != nil {
		for i := range q.more.joins {
			r.join(&q.more.joins[i])
		}
	}
	r.where(q)
	if q.more == nil {
		return
	}
	for i, g := range q.more.groups {
		r.str([2]string{" GROUP BY ", ", "}[min(i, 1)])
		r.column(g)
	}
	if len(q.more.having) > 0 {
		r.str(" HAVING ")
		r.condList(q.more.having)
	}
}

func (r *renderer) fromTable(q *Query) {
	if q.more != nil && q.more.from != nil {
		r.derived(q.more.from, r.table, q.more.alias)
		// The outer query's columns are the inner one's select list.
		r.table = nil
		return
	}
	r.path(q.Table())
	if q.more != nil && q.more.alias != "" {
		r.str(" AS ")
		r.ident(q.more.alias)
	}
}

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
	joined := q.Joined()
	if !joined {
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

func (r *renderer) selectColumn(c *Column) {
	switch {
	case c.Expr != nil:
		r.raw(c.Expr, "select")
	case c.Func != "":
		r.aggregate(c)
	case c.Sub != nil:
		r.subquery(c.Sub.Statement(r.scope))
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

func (r *renderer) aggregate(c *Column) {
	r.str(c.Func)
	r.str("(")
	if c.Name == "*" {
		r.str("*)")
		return
	}
	if q := r.q; q.more.from != nil {
		r.resultColumn(q.more.from, r.table, c.Name)
	} else {
		r.column(c.Name)
	}
	if c.Func == "AVG" && r.d.Name == "mysql" {
		r.str(" + 0e0") // else four digits after the point
	}
	r.str(")")
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

// reads says whether q reads a table by that name.
func (q *Query) reads(table string) bool {
	return table == q.refName() || table == lastPart(q.refName()) || table == q.Table() || q.joins(table) || q.rawJoins()
}

// names says whether a column of q's result surely has that name.
func (q *Query) names(name string, t Table) bool {
	if !q.Selects() {
		return t != nil && t.Known(name)
	}
	return q.lists(name)
}

// Gives says whether the rows of q may have a column of that name.
func (q *Query) Gives(name string) bool { return q.provides(name, nil) }

// Plucked returns the query for one column of q. name tells which one of its
// result that is; empty, it is the only one. A select list that gives the
// column stays, with the aliases that an order may use.
func (q Query) Plucked(column string) (out Query, name string) {
	last := lastPart(column)
	switch {
	case q.Selects() && q.lists(column):
		return q, cmp.Or(q.nameOf(column), column)
	case q.Unites() || q.Selects() && q.lists(last):
		return q, last
	}
	return q.OnlyColumns(Column{Name: column}), ""
}

// lists says whether the select list names a column, other than by a star.
func (q *Query) lists(name string) bool {
	return q.aliases(name) || slices.ContainsFunc(q.more.columns, func(c Column) bool {
		return c.As == "" && (c.Name == name || lastPart(c.Name) == name)
	})
}

// nameOf is what a qualified column of the select list is called in the
// result, "" when that is its own name.
func (q *Query) nameOf(column string) string {
	for i := range q.more.columns {
		if c := &q.more.columns[i]; c.As == "" && c.Name == column && q.reads(strings.TrimSuffix(column, "."+lastPart(column))) {
			return lastPart(column)
		}
	}
	return ""
}

// provides says whether the rows of q may have a column of that name.
func (q *Query) provides(name string, t Table) bool {
	if !q.Selects() {
		return t == nil || t.Known(name)
	}
	for i := range q.more.columns {
		switch c := &q.more.columns[i]; {
		case c.As != "":
			if c.As == name {
				return true
			}
		case c.Name == "*" || strings.HasSuffix(c.Name, ".*"):
			return true
		case c.Name == name || lastPart(c.Name) == name:
			return true
		}
	}
	return q.aliases(name)
}

func (r *renderer) join(j *join) {
	r.str(" ")
	if j.expr != nil {
		r.raw(j.expr, "join")
		return
	}
	r.str(j.kind)
	r.str(" ")
	r.path(j.table)
	if j.kind == "CROSS JOIN" {
		return
	}
	r.str(" ON ")
	r.column(j.left)
	r.columnOp(j.op)
	r.column(j.right)
}

// columnOp writes a comparison that stands between two columns.
func (r *renderer) columnOp(op Op) {
	switch op {
	case NoOp: // told by a condition that fails
	case Eq, NotEq, Lt, LtEq, Gt, GtEq:
		r.str(" ")
		r.str(opNames[op])
		r.str(" ")
	default:
		r.fail(r.fault("operator", fmt.Sprintf("two columns cannot be compared by %q", opName(op)), nil))
	}
}

func opName(op Op) string {
	if int(op) < len(opNames) {
		return opNames[op]
	}
	return ""
}

func (r *renderer) orderAndLimit(q *Query) {
	if q.steps.ordered() {
		r.orders(q)
	}
	offset := q.Offset()
	if q.limit < -1 {
		r.fail(r.fault("limit", "is negative", nil))
	}
	if offset < 0 {
		r.fail(r.fault("offset", "is negative", nil))
	}
	switch {
	case q.limit >= 0:
		r.str(" LIMIT ")
		r.buf = strconv.AppendInt(r.buf, q.limit, 10)
	case offset > 0 && r.d.LimitRequired != "":
		r.str(" LIMIT ")
		r.str(r.d.LimitRequired)
	}
	if offset > 0 {
		r.str(" OFFSET ")
		r.buf = strconv.AppendInt(r.buf, offset, 10)
	}
}

func (r *renderer) orders(q *Query) {
	n := 0
	list := q.steps.all()
	for i := range list {
		o := &list[i]
		if o.kind != order {
			continue
		}
		r.str([2]string{" ORDER BY ", ", "}[min(n, 1)])
		n++
		if o.val != nil {
			r.raw(o.deep().expr, "order by")
			continue
		}
		if q.Unites() {
			r.resultColumn(q, r.table, o.col)
		} else {
			r.column(o.col)
		}
		if o.or {
			r.str(" DESC")
		}
	}
}

func (r *renderer) lock(q *Query) {
	if q.Lock() == NoLock {
		return
	}
	if !r.d.RowLocks {
		r.fail(r.fault("lock", r.d.Name+" has no row locks; a write transaction locks the whole database", nil))
		return
	}
	switch q.Lock() {
	case ForUpdate:
		r.str(" FOR UPDATE")
	case ForShare:
		if r.d.Numbered {
			r.str(" FOR SHARE")
		} else {
			r.str(" LOCK IN SHARE MODE")
		}
	case ForUpdateSkipLocked:
		r.str(" FOR UPDATE SKIP LOCKED")
	case ForUpdateNoWait:
		r.str(" FOR UPDATE NOWAIT")
	}
}
