package sqlgen

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
// table and of a CTE without the column are what their query gives.
func (r *renderer) mark(q *Query) string {
	if r.table == nil || q.Deleted() == AnyDeleted || q.more != nil && q.more.from != nil {
		return ""
	}
	mark := r.table.DeletedMark()
	if mark == "" {
		return ""
	}
	if has, known, is := r.cteHas(q.Table(), mark); is && known && !has {
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
