package sqlgen

import (
	"math"
	"strconv"
)

// What a relation asks beside its rows: some rows for each value of a column, and
// which of several values each row's column is equal to. Both are columns of the
// result that no record has, the last ones.

// each says that the query's limit and offset hold for each value of a column.
type each struct {
	column string
	ties   []string // order rows that the query's order holds for equal
}

// marks are values that a column is compared with.
type marks struct {
	column string
	values []any
}

// MaxMarks is how many values a query can mark.
const MaxMarks = 48

// WithinEach returns the query whose limit and offset hold for each value of a
// column. Rows that its order holds for equal, or all without an order, are sorted
// by the columns of ties. The result has one more column, the row's number. The
// query must be Rankable.
func (q Query) WithinEach(column string, ties []string) Query {
	q, p := q.extend()
	p.each = &each{column, ties}
	return q
}

// Rankable says whether rows can be numbered within the query: each of them is a
// row of its table, without a lock, in an order that does not need the select list.
func (q *Query) Rankable() bool {
	if q.Merges() || q.Unites() || q.Lock() != NoLock {
		return false
	}
	named := false
	for i := range q.columns() {
		c := &q.more.columns[i]
		named = named || c.As != "" || c.Expr != nil
	}
	list := q.steps.all()
	for i := range list {
		if o := &list[i]; named && o.kind == order && (o.val != nil || q.aliases(o.col)) {
			return false
		}
	}
	return true
}

// columns is the query's own select list.
func (q *Query) columns() []Column {
	if q.more == nil {
		return nil
	}
	return q.more.columns
}

// Names says whether the select list gives the name to what may be something else
// than the column.
func (q *Query) Names(column string) bool { return q.Selects() && q.aliases(column) }

// WithMarks returns the query whose result has one more column: a number whose bit
// i says that the column is equal to values[i]. It has rows for which one is set.
// There are at most MaxMarks values.
func (q Query) WithMarks(column string, values []any) Query {
	equal := make([]Cond, len(values))
	for i, v := range values {
		equal[i] = Compare(column, Eq, v)
		equal[i].or = i > 0
	}
	q, p := q.WithCond(Group(equal...)).extend()
	p.marks = &marks{column, values}
	return q
}

// hidden writes the columns that no record has.
func (r *renderer) hidden(q *Query) {
	if q.more == nil {
		return
	}
	if m := q.more.marks; m != nil {
		for i, v := range m.values {
			r.str([2]string{", CASE WHEN ", " + CASE WHEN "}[min(i, 1)])
			r.compare(&Cond{kind: compare, op: Eq, col: m.column, val: v})
			r.str(" THEN ")
			r.buf = strconv.AppendInt(r.buf, 1<<i, 10)
			r.str(" ELSE 0 END")
		}
		r.str(" AS ")
		r.ident("dbfleet_marks")
	}
	if e := q.more.each; e != nil {
		r.str(", ROW_NUMBER() OVER (PARTITION BY ")
		r.column(e.column)
		r.orders(q)
		for i, c := range e.ties {
			if i == 0 && !q.steps.ordered() {
				r.str(" ORDER BY ")
			} else {
				r.str(", ")
			}
			r.column(c)
		}
		r.str(") AS ")
		r.ident("dbfleet_row")
	}
}

// ranked writes a query of which some rows for each value of a column are asked.
func (r *renderer) ranked(q *Query, t Table) {
	offset := r.bounds(q)
	r.str("SELECT * FROM (")
	inner := q.distinctNames()
	r.selectBody(&inner, t)
	r.str(") AS ")
	r.ident("ranked")
	if offset > 0 {
		r.str(" WHERE ")
		r.ident("dbfleet_row")
		r.str(" > ")
		r.rank(q, offset)
	}
	if q.limit >= 0 {
		r.str([2]string{" WHERE ", " AND "}[min(max(offset, 0), 1)])
		r.ident("dbfleet_row")
		r.str(" <= ")
		r.rank(q, offset+min(q.limit, math.MaxInt64-offset))
	}
	r.str(" ORDER BY ")
	r.ident("dbfleet_row")
}

// rank writes the number of a row.
func (r *renderer) rank(q *Query, n int64) {
	if q.fixed {
		r.buf = strconv.AppendInt(r.buf, n, 10)
		return
	}
	r.ready(n)
}
