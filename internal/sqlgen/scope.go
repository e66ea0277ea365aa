package sqlgen

import (
	"slices"
	"strings"
)

// column writes a column of the current scope, which must be known where a
// model knows its columns.
func (r *renderer) column(name string) {
	if r.table == nil {
		r.path(name)
		return
	}
	q := r.q
	if quoted := r.table.Quoted(name, r.d); quoted != "" {
		if q.Joined() {
			r.path(q.refName())
			r.buf = append(r.buf, '.')
		}
		r.str(quoted)
		return
	}
	if r.table.Known(name) {
		r.ident(name) // which says what is wrong with it
		return
	}
	if i := strings.LastIndexByte(name, '.'); i > 0 && r.qualified(name[:i], name[i+1:]) {
		return
	}
	if q.aliases(name) {
		r.ident(name)
		return
	}
	r.unknown(q, r.table, name)
}

// unknown fails for a column that the table of q does not have.
func (r *renderer) unknown(q *Query, t Table, column string) {
	e := &UnknownColumnError{Table: q.Table(), Column: column}
	if t != nil {
		e.Known = t.Columns()
	}
	r.fail(e)
}

// qualified writes table.col as SQL resolves it: the nearest SELECT that reads
// a table by that name. ok is false when none does.
func (r *renderer) qualified(table, col string) (ok bool) {
	q := r.q
	if table == q.refName() {
		r.own(scope{q, r.table}, table, col)
		return true
	}
	if q.joins(table) {
		r.path(table)
		r.buf = append(r.buf, '.')
		r.ident(col)
		return true
	}
	for i := len(r.outer) - 1; i >= 0; i-- {
		s := r.outer[i]
		if table == s.q.refName() || s.q.joins(table) || lastPart(s.q.refName()) == table {
			r.own(s, table, col)
			return true
		}
	}
	// The table's own name where the query calls it otherwise.
	if table == q.Table() || table == lastPart(q.Table()) {
		r.own(scope{q, r.table}, table, col)
		return true
	}
	raw := q.rawJoins()
	for _, s := range r.outer {
		raw = raw || s.q.rawJoins()
	}
	if raw {
		r.path(table)
		r.buf = append(r.buf, '.')
		r.ident(col)
	}
	return raw
}

// own writes a column of a SELECT that reads a table under that name.
func (r *renderer) own(s scope, table, col string) {
	switch {
	case table != s.q.refName() && s.q.joins(table):
		r.path(table)
	case s.table != nil && !s.table.Known(col):
		r.unknown(s.q, s.table, table+"."+col)
		return
	default:
		r.path(s.q.refName())
	}
	r.buf = append(r.buf, '.')
	r.ident(col)
}

// refName is how the rest of the statement calls the query's table.
func (q *Query) refName() string {
	if q.more != nil && q.more.alias != "" {
		return q.more.alias
	}
	return q.Table()
}

// joins says whether the query joins a table of that name.
func (q *Query) joins(table string) bool {
	if q.more == nil {
		return false
	}
	for i := range q.more.joins {
		if j := &q.more.joins[i]; j.expr == nil && (j.table == table || lastPart(j.table) == table) {
			return true
		}
	}
	return false
}

// rawJoins says whether the query joins what only its SQL tells.
func (q *Query) rawJoins() bool {
	return q.more != nil && slices.ContainsFunc(q.more.joins, func(j join) bool { return j.expr != nil })
}

// reads says whether q reads a table by that name.
func (q *Query) reads(table string) bool {
	return table == q.refName() || table == lastPart(q.refName()) || table == q.Table() || q.joins(table) || q.rawJoins()
}
