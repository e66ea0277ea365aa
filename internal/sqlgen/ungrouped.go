package sqlgen

import (
	"slices"
	"strconv"
	"strings"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// Of a column that differs within a group SQLite and MySQL give the value of any row, which
// PostgreSQL refuses. MySQL's mode that does so, ONLY_FULL_GROUP_BY, is no help: MariaDB does
// not know there that a primary key decides what else the row has. So it is refused here
// where models tell it. SQL of the caller's, and tables without a model of whose columns one
// is grouped, which may be the key, are not looked at.

// columnPlace is a column of one of the tables that a query reads, as the query calls that.
type columnPlace struct{ table, column string }

// ungrouped fails for a column of the SELECT that was written which differs within a group.
func (r *renderer) ungrouped() {
	f := r.folds
	if f == nil {
		return
	}
	q := f.q
	grouped := q.more != nil && len(q.more.groups) > 0
	if !grouped && !f.merges {
		return
	}
	if !q.Selects() && !(q.more != nil && q.more.counts) {
		r.mustBeGrouped(q, readColumn{"*", "select"})
	}
	for _, c := range f.read {
		if c.part != "order by" || grouped { // one row has any order
			r.mustBeGrouped(q, c)
		}
	}
}

// mustBeGrouped fails for a column that differs within a group.
func (r *renderer) mustBeGrouped(q *Query, c readColumn) {
	if r.sameInGroup(q, c.name) {
		return
	}
	what := "the column " + strconv.Quote(c.name)
	if strings.HasSuffix(c.name, "*") {
		what = "a column of " + strconv.Quote(c.name)
	}
	r.fail(r.fault(c.part, what+" may differ between the rows that become one: "+r.d.Name+" would take its value of any row; group by it, or take an aggregate of it", nil))
}

// sameInGroup says whether a column, or all that a star stands for, has, or may have, one
// value in all rows of a group.
func (r *renderer) sameInGroup(q *Query, name string) bool {
	table, star := strings.CutSuffix(name, "*")
	if !star {
		at, ok := r.placeOf(q, name)
		if !ok {
			return r.mayDecide(q, lastPart(name))
		}
		return r.decided(q, at, nil)
	}
	if table = strings.TrimSuffix(table, "."); table == "" || q.own(table) {
		if t := r.folds.table; t != nil && !q.derives() && (t.Modelled() || !q.Selects()) {
			return !slices.ContainsFunc(t.Columns(), func(name string) bool { return !r.decided(q, columnPlace{q.refName(), name}, nil) })
		}
		return r.decided(q, columnPlace{q.refName(), "*"}, nil)
	}
	j := q.joined(table)
	return j == nil || r.decided(q, columnPlace{j.ref(), "*"}, nil)
}

// mayDecide says whether a column of which models do not tell the table may be the same in all
// rows of a group: there are groups, a join in SQL, or conditions that name it, or it is an
// owner's.
func (r *renderer) mayDecide(q *Query, column string) bool {
	if q.more == nil || len(q.more.groups) > 0 || q.mentionsIn(q.Conditions(), column) || q.mentionsIn(q.Implicit(), column) {
		return true
	}
	is := func(table string) bool { return r.isOwners(q, columnPlace{table, column}) }
	return is(q.refName()) || slices.ContainsFunc(q.more.joins, func(j join) bool { return j.expr != nil || is(j.ref()) })
}

// placeOf is the column that a name means; ok is false where models do not tell it.
func (r *renderer) placeOf(q *Query, name string) (at columnPlace, ok bool) {
	t := r.table
	if r.folds != nil {
		t = r.folds.table
	}
	modelled := t != nil && t.Modelled() && !q.derives()
	if modelled && t.Known(name) {
		return columnPlace{q.refName(), name}, true
	}
	table, column := splitName(name)
	switch j := q.joined(table); {
	case table == "":
		return r.placeAlone(q, t, name)
	case q.own(table):
		return columnPlace{q.refName(), column}, true
	case j != nil:
		return columnPlace{j.ref(), column}, true
	}
	return at, false
}

// placeAlone is placeOf for a name without a table that is no column of a model's own table.
func (r *renderer) placeAlone(q *Query, t Table, name string) (at columnPlace, ok bool) {
	own := columnPlace{q.refName(), name}
	switch {
	case q.derives() && !q.Joined():
		_, given, _ := q.more.from.given(r.d, name, t)
		return own, given
	case q.derives():
		return at, false
	}
	has, known := r.modelHas(q.Table(), name)
	if has {
		return own, true
	}
	if joined := r.joinedWith(name); len(joined) == 1 {
		return columnPlace{joined[0], name}, true
	}
	return own, !known && !r.callsElse(q, name) && !q.Joined() && (t == nil || !t.Modelled())
}

// derives says whether q reads the rows of another query in the place of a table.
func (q *Query) derives() bool { return q.more != nil && q.more.from != nil }

// aliasOf is what the select list calls by another name: a column, "" for anything else.
func (r *renderer) aliasOf(q *Query, name string) (column string, ok bool) {
	for o := range q.outputs(r.d) {
		switch {
		case o.kind != aliased || !o.called(name):
		case o.item.As != "":
			return o.item.column(), true
		default:
			return o.path(), true
		}
	}
	return "", false
}

// callsElse says whether the select list gives the name to anything but a column of that name.
func (r *renderer) callsElse(q *Query, name string) bool {
	column, ok := r.aliasOf(q, name)
	return ok && lastPart(column) != name
}

// computes says whether the select list gives the name to something that is no column.
func (r *renderer) computes(q *Query, name string) bool {
	column, ok := r.aliasOf(q, name)
	return ok && column == ""
}

// decided says whether a column is, or may be, the same in all rows of a group: it is
// grouped, or compared with a value, or equal to such a column, or that of the rows' owner,
// or of a row whose key is decided.
func (r *renderer) decided(q *Query, at columnPlace, asked []columnPlace) bool {
	if slices.Contains(asked, at) {
		return false
	}
	asked = append(asked, at)
	if r.settled(q, at, asked) {
		return true
	}
	key, known := r.keyOf(q, at.table)
	switch {
	case len(key) > 0:
		return !slices.ContainsFunc(key, func(name string) bool { return !r.decided(q, columnPlace{at.table, name}, asked) })
	case known:
		return false
	}
	return r.someSettled(q, at.table, asked)
}

// settled is decided without the key of the row.
func (r *renderer) settled(q *Query, at columnPlace, asked []columnPlace) bool {
	if r.grouped(q, at) || r.isOwners(q, at) || r.fixed(q, q.Conditions(), at, asked) {
		return true
	}
	for i := range q.Implicit() {
		if r.fixed(q, q.Implicit()[i:i+1], at, asked) {
			return true
		}
	}
	if q.more == nil {
		return false
	}
	for i := range q.more.joins {
		j := &q.more.joins[i]
		if j.expr == nil && j.op == Eq && (j.kind == "JOIN" || at.table == j.ref()) && r.equals(q, j.left, j.right, at, asked) {
			return true
		}
	}
	return false
}

// someSettled says whether a column of a table may be decided that is its key, which no model
// tells.
func (r *renderer) someSettled(q *Query, table string, asked []columnPlace) bool {
	may := func(name string) bool {
		at, ok := r.placeOf(q, name)
		return ok && at.table == table && !slices.Contains(asked, at) && r.settled(q, at, append(asked, at))
	}
	if q.more != nil {
		if slices.ContainsFunc(q.more.groups, func(name string) bool {
			_, ok := r.placeOf(q, name)
			return may(name) || !ok && !r.computes(q, name)
		}) {
			return true
		}
		for i := range q.more.joins {
			if j := &q.more.joins[i]; j.expr == nil && (may(j.left) || may(j.right)) {
				return true
			}
		}
	}
	var any func(conds []Cond) bool
	any = func(conds []Cond) bool {
		return slices.ContainsFunc(conds, func(c Cond) bool {
			switch c.kind {
			case compare:
				return may(c.col)
			case columns:
				return may(c.col) || may(c.detail().text)
			case group:
				return any(c.detail().conds)
			}
			return false
		})
	}
	return any(q.Conditions()) || any(q.Implicit())
}

// equals says whether the column is one of two that are equal, of which the other is decided.
func (r *renderer) equals(q *Query, left, right string, at columnPlace, asked []columnPlace) bool {
	for _, sides := range [...][2]string{{left, right}, {right, left}} {
		other, ok := r.placeOf(q, sides[1])
		if ok && r.names(q, sides[0], at) && r.decided(q, other, asked) {
			return true
		}
	}
	return false
}

// fixed says whether the column has one value in all rows for which the conditions hold.
func (r *renderer) fixed(q *Query, conds []Cond, at columnPlace, asked []columnPlace) bool {
	return !either(conds) && slices.ContainsFunc(conds, func(c Cond) bool {
		switch c.kind {
		case compare:
			return r.names(q, c.col, at) && r.isValue(q, c.op, c.val, asked)
		case belonging:
			return at.table == q.refName() && strings.EqualFold(c.col, at.column)
		case columns:
			return c.op == Eq && r.equals(q, c.col, c.detail().text, at, asked)
		case group:
			return r.fixed(q, c.detail().conds, at, asked)
		}
		return false
	})
}

// isValue says whether what is compared so has one value in all rows of a group.
func (r *renderer) isValue(q *Query, op Op, v any, asked []columnPlace) bool {
	e, ok := v.(*Expr)
	if l, as, is := literalOf(v, op, r.values); is {
		v, op, ok = l, as, false
	}
	switch op {
	case In:
		return !decided(v) && r.isOne(v)
	case Eq, Is:
	default:
		return false
	}
	if !ok {
		return !decided(v)
	}
	if q.Joined() || q.derives() {
		return false
	}
	one := true
	readBy(e, func(name string) {
		at, ok := r.placeOf(q, name)
		one = one && ok && name != "" && r.decided(q, at, asked)
	})
	return one
}

// isOne says whether a value is a list with no more than one element.
func (r *renderer) isOne(list any) bool {
	if !r.values.IsList(list) {
		return false
	}
	args, _, hasNull, err := r.values.AppendList(nil, list, r.d, false)
	return err == nil && len(args)+index(hasNull) < 2
}

// isOwners says whether the column says whose the rows are, which is the same of all.
func (r *renderer) isOwners(q *Query, at columnPlace) bool {
	is := func(o *Owner) bool { return o != nil && strings.EqualFold(o.Column, at.column) }
	if at.table == q.refName() {
		return is(r.ownerOf(q))
	}
	j := q.joined(at.table)
	return j != nil && j.kind != "LEFT JOIN" && is(r.joinedOwner(j))
}

// names says whether a name means the column.
func (r *renderer) names(q *Query, name string, at columnPlace) bool {
	other, ok := r.placeOf(q, name)
	return ok && other.table == at.table && strings.EqualFold(other.column, at.column)
}

// grouped says whether GROUP BY has the column, by a name of its own or by an alias that the
// select list gives it. A name that is a column's is no alias there, and one of which models do
// not tell the table may be that column's.
func (r *renderer) grouped(q *Query, at columnPlace) bool {
	return q.more != nil && slices.ContainsFunc(q.more.groups, func(name string) bool {
		if _, ok := r.placeOf(q, name); ok {
			return r.names(q, name, at)
		}
		column, alias := r.aliasOf(q, name)
		same := strings.EqualFold(name, at.column) && (!alias || column != "" || name == at.column && !q.Joined())
		return same || column != "" && r.names(q, column, at)
	})
}

// column is the name of the column that an item of a select list is, "" for anything else.
func (c *Column) column() string {
	switch {
	case c.Expr != nil:
		column, _ := c.Expr.Term.(ColumnTerm)
		return string(column)
	case c.Func != "" || c.Sub != nil:
		return ""
	}
	return c.Name
}

// keyOf is the primary key of a table that a query reads; known is false where no model
// tells it. Other queries that are read as tables have one if they are of the rows of one table.
func (r *renderer) keyOf(q *Query, table string) (key []string, known bool) {
	j := &join{table: q.Table()}
	switch {
	case table != q.refName():
		if j = q.joined(table); j == nil {
			return nil, false
		}
	case q.derives():
		return r.keyOfRows(q.more.from, r.folds.table), true
	}
	for i := len(r.ctes) - 1; i >= 0; i-- {
		if c := &r.ctes[i]; c.name == j.table {
			return c.key, true
		}
	}
	key = r.joinedKey(j)
	return key, len(key) > 0
}

// keyOfRows are the columns of q's result that are the key of the table of which it reads rows,
// nil where that is not known.
func (r *renderer) keyOfRows(q *Query, t Table) (key []string) {
	if r.models == nil || r.d == dialect.Postgres || q.derives() || q.more != nil && len(q.more.joins)+len(q.more.groups)+len(q.more.unions)+len(q.more.ctes) > 0 {
		return nil
	}
	if _, _, is := r.cteHas(q.Table(), ""); is {
		return nil
	}
	for _, name := range r.models.Key(r.connection, q.Table(), q.Table()) {
		called, _, sure := q.given(r.d, name, t)
		if !sure {
			return nil
		}
		key = append(key, called)
	}
	return key
}
