package sqlgen

import (
	"strconv"
	"strings"
)

// What this is. MariaDB plans each branch of a union anew, which takes longer than to read
// the few rows of most keys. So for many keys that are whole numbers one SELECT reads the
// rows of all of them, and a window function numbers those of each. A guard counts the
// entries of these keys in the index first, up to a bound that grows with the limit: above
// it nothing else is read, no row comes back, and the caller asks for the keys apart. So a
// key with a million rows costs as many entries of the index as one with a few.
//
// What it gains. The newest three of five rows of a hundred keys take a third of the time:
//
//	make bench-relations    row eager_top on MariaDB
//
// What it relies on. Rows that have a key are equal in its column and in no other way: the
// caller looks at the column's type and at each row's key, and asks apart if that may not be
// so. No row at all may mean that there are too many.
//
// Which tests tell when that changes. TestLimit_OfOneWithManyReadsFew and
// TestLimit_IsTheSameInEachForm.
//
// How to switch it off. Env.Numbers.

const (
	minNumbered = 16   // keys; fewer are planned apart as fast
	maxNumbered = 1000 // rows of each key, with those that are skipped
)

// guardedRows is how many rows the keys may have on the average, from where on reading them
// costs more than planning.
func guardedRows(most int64) int64 { return 5 + 2*most }

// AskedApart returns a query of WithEachInt that asks for the rows of each key apart.
func (q Query) AskedApart() Query {
	q, p := q.extend()
	e := *p.each
	e.apart = true
	p.each = &e
	return q
}

// numberable says whether the rows of all keys can be numbered by a window: it looks for the
// query's columns in the table only, and the result has each name once.
func (q *Query) numberable(t Table) bool {
	m := q.more
	n := q.limit + q.Offset()
	if m.each.keys != nil || len(m.each.ints) < minNumbered || q.limit < 1 || q.Offset() < 0 || q.limit > maxNumbered || n > maxNumbered {
		return false
	}
	if t == nil || len(m.joins)+len(m.ctes) > 0 || m.from != nil || t.Encrypted(m.each.column) {
		return false
	}
	for i := range m.columns {
		if c := &m.columns[i]; c.Expr != nil || c.Sub != nil || c.Func != "" || c.As != "" || strings.HasSuffix(c.Name, "*") {
			return false
		}
	}
	list := q.steps.all()
	for i := range list {
		if o := &list[i]; o.kind == order && o.val != nil {
			return false
		}
	}
	return true
}

// forEachNumbered writes one SELECT for the rows of all keys, and which of them are wanted.
func (r *renderer) forEachNumbered(q *Query, t Table, e each) {
	r.numbered = true
	inner, p := q.distinctNames().Enclosed().WithCond(Compare(e.column, In, e.ints)).extend()
	e.window = true
	p.each = &e
	r.str("SELECT * FROM (")
	r.selectBody(&inner, t)
	r.guard(&inner, e)
	r.str(") AS ")
	r.ident("each")
	r.str(" WHERE ")
	r.ident(placeName)
	r.str(" > ")
	r.ready(q.Offset())
	r.str(" AND ")
	r.ident(placeName)
	r.str(" <= ")
	r.ready(q.Offset() + q.limit)
}

const placeName = "dbfleet_place"

// placeOfKey writes the place of a row among those of its key.
func (r *renderer) placeOfKey(q *Query, e *each) {
	r.str(", ROW_NUMBER() OVER (PARTITION BY ")
	r.column(e.column)
	r.orders(q)
	r.str(") AS ")
	r.ident(placeName)
}

// guard writes the condition that the keys do not have too many rows, whatever else is said
// of these.
func (r *renderer) guard(q *Query, e each) {
	keys := make([]byte, 0, 8*len(e.ints))
	for i, n := range e.ints {
		keys = append(keys, ",["[index(i == 0)])
		keys = strconv.AppendInt(keys, n, 10)
	}
	r.str(" AND (SELECT 1 FROM JSON_TABLE(")
	r.ready(string(append(keys, ']')))
	r.str(", '$[*]' COLUMNS (")
	r.ident("k")
	r.str(" BIGINT PATH '$')) AS ")
	r.ident(eachKeys)
	r.str(" STRAIGHT_JOIN ")
	r.tablePath(q.Table())
	r.str(" AS ")
	r.ident("dbfleet_guard")
	r.str(" ON ")
	r.columnOf("dbfleet_guard", lastPart(e.column))
	r.str(" = ")
	r.columnOf(eachKeys, "k")
	r.str(" LIMIT 1 OFFSET ")
	r.ready(int64(len(e.ints)) * guardedRows(q.Offset()+q.limit))
	r.str(") IS NULL")
}
