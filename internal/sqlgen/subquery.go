package sqlgen

import "cmp"

// Subquery is a value that stands for a query.
type Subquery interface {
	// Statement returns the query for a statement that goes to the connection
	// of that name; a query that lives elsewhere fails.
	Statement(connection string) (q Query, table Table, err error)
}

// subquery writes a query in parentheses, as a value or the list of IN. It takes
// what Subquery.Statement returns.
func (r *renderer) subquery(q Query, t Table, err error) {
	if err != nil {
		r.fail(err)
		return
	}
	if q.Lock() != NoLock && !r.locks {
		r.q = cmp.Or(r.q, &q)
		r.fail(r.fault("lock", "a subquery locks rows only in a write, or where the query around it locks too", nil))
		return
	}
	r.buf = append(r.buf, '(')
	r.nested(&q, t)
	r.buf = append(r.buf, ')')
}

// nested writes a query inside the current one, whose columns it may name with
// their table.
func (r *renderer) nested(q *Query, t Table) {
	outer, outerTable, having, numeral, affinity, among := r.q, r.table, r.having, r.numeral, r.affinity, r.among
	r.having, r.numeral, r.affinity, r.among = false, false, unknown, nil
	if outer != nil {
		r.outer = append(r.outer, scope{outer, outerTable, r.folds})
	}
	r.selectStatement(q, t)
	if outer != nil {
		r.outer = r.outer[:len(r.outer)-1]
	}
	r.q, r.table, r.having, r.numeral, r.affinity, r.among = outer, outerTable, having, numeral, affinity, among
}

// derived writes a query in the place of a table. It sees nothing of the
// queries around it.
func (r *renderer) derived(q *Query, t Table, alias string) {
	outer, outerTable, scopes := r.q, r.table, r.outer
	r.outer = nil
	r.str("(")
	r.selectStatement(q, t)
	r.str(") AS ")
	r.ident(alias)
	r.q, r.table, r.outer = outer, outerTable, scopes
}
