package sqlgen

import "github.com/dbfleet/dbfleet/internal/dialect"

// chosen writes which rows an UPDATE or DELETE changes: those that match, or the first of
// them in an order. MySQL has words for that; elsewhere the keys of the rows are selected.
//
// PostgreSQL locks them before it counts to the limit, in a CTE since a subquery might run
// more than once and find others. The conditions stand outside, too, so that a row that
// somebody else has changed meanwhile must still match.
func (r *renderer) chosen(q *Query) {
	switch {
	case q.limit < 0:
		r.where(q)
		return
	case r.d == dialect.MySQL:
		r.where(q)
		r.orderAndLimit(q)
		return
	case len(r.key) == 0:
		r.fail(r.fault("limit", "the rows of an UPDATE or DELETE are found by the primary key, which only a model tells", nil))
		return
	}
	enclosed, before := q.Enclosed(), len(r.buf)
	r.where(&enclosed)
	r.str([2]string{" WHERE (", " AND ("}[index(len(r.buf) > before)])
	columns := make([]Column, len(r.key))
	for i, k := range r.key {
		columns[i].Name = k
		r.commas(i)
		r.ident(k)
	}
	r.str(") IN (")
	keys := Query{table: q.table, steps: q.steps, limit: q.limit, fixed: q.fixed, more: &parts{columns: columns, implicit: q.Implicit(), deleted: q.Deleted()}}
	if r.d == dialect.Postgres {
		keys.more.lock = ForUpdate
		r.str("WITH ")
		r.ident("dbfleet_rows")
		r.str(" AS MATERIALIZED (")
		r.nested(&keys, r.table)
		r.str(") SELECT * FROM ")
		r.ident("dbfleet_rows")
	} else {
		r.nested(&keys, r.table)
	}
	r.str(")")
}
