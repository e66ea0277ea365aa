package sqlgen

import "strconv"

// Deleted says which rows a query takes of a table that marks deleted rows; see
// Table.DeletedMark.
type Deleted uint8

// What a query takes.
const (
	NoDeleted   Deleted = iota // the rows that are not marked
	AnyDeleted                 // all rows
	OnlyDeleted                // the marked rows
)

// TakingDeleted returns the query for those rows.
func (q Query) TakingDeleted(d Deleted) Query {
	if d == q.Deleted() {
		return q
	}
	q, p := q.extend()
	p.deleted = d
	return q
}

// Deleted says which rows the query takes.
func (q *Query) Deleted() Deleted {
	if q.more == nil {
		return NoDeleted
	}
	return q.more.deleted
}

// mark is the column by which rows of q are left out, "" for none. The rows of a derived
// table are what its query gives. A CTE of the table's name has to have the column: nobody
// knows whether its query has left rows out.
func (r *renderer) mark(q *Query) string {
	if r.table == nil || q.Deleted() == AnyDeleted || q.more != nil && q.more.from != nil {
		return ""
	}
	mark := r.table.DeletedMark()
	if mark == "" {
		return ""
	}
	if r.lacks(mark) {
		r.fail(r.fault("CTE "+strconv.Quote(q.Table()), "hides the table, and has no column "+strconv.Quote(mark)+" by which deleted rows are left out; select it there, give the CTE another name, or take all of its rows, by WithDeleted", nil))
		return ""
	}
	return mark
}

// leaveOut writes the condition that leaves rows out by their mark.
func (r *renderer) leaveOut(q *Query, mark string) {
	r.column(mark)
	if q.Deleted() == OnlyDeleted {
		r.str(" IS NOT NULL")
	} else {
		r.str(" IS NULL")
	}
}
