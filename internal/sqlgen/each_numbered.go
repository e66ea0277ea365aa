package sqlgen

import (
	"slices"
	"strings"
)

// What this is. MariaDB plans each branch of a union anew, which takes longer than to read
// the few rows of most keys. So for many keys one SELECT reads the rows of all of them, each
// with its place in the query's order, and the caller takes of each key what is wanted. LIMIT
// ROWS EXAMINED bounds what the server reads and writes for it, in a way that grows with the
// limit: above it the server ends the statement, with some of its rows, with none, or with an
// error while it sorts, and the caller asks for the keys apart. So a key with a million rows
// costs as much as one with some.
//
// How it is known that all rows are there. A last branch gives one row more, whose place is
// 0: the server runs the branches in their order, and none behind the one that it ended. Its
// other values are NULL, so that each column keeps its type.
//
// What it gains. The newest three of five rows of a hundred keys take a quarter of the time:
//
//	make bench-relations    row eager_top on MariaDB
//
// What it relies on. The caller can tell which key a row has; it asks apart where that may
// not be so.
//
// Which tests tell when that changes. TestLimit_EndsWhereTheServerHasReadAll,
// TestLimit_OfOneWithManyReadsFew and TestLimit_IsTheSameInEachForm.
//
// How to switch it off. Env.Numbers.

const (
	minNumbered = 16   // keys; fewer are planned apart as fast
	maxNumbered = 1000 // rows of each key, with those that are skipped
)

// examined bounds what the server may read and write for so many keys, of which so many rows
// each are wanted or skipped: from about 5 rows and two for each of those on, reading them
// costs more than planning. Each row counts up to 12 times: as it is read, and on its way
// through sorts and temporary tables.
func examined(keys int, most int64) int64 { return 12 * int64(keys) * (5 + 2*most) }

// AskedApart returns a query of WithEachOf that asks for the rows of each key apart.
func (q Query) AskedApart() Query {
	q, p := q.extend()
	e := *p.each
	e.apart = true
	p.each = &e
	return q
}

// numberable says whether the rows of all keys can be numbered: it looks for the
// query's columns in the table only, and the result has each name once.
func (q *Query) numberable(t Table) bool {
	m := q.more
	n := q.limit + q.Offset()
	keys := m.each.many
	if keys == nil || keys.N < minNumbered || q.limit < 1 || q.Offset() < 0 || q.limit > maxNumbered || n > maxNumbered {
		return false
	}
	if t == nil || len(m.joins)+len(m.ctes) > 0 || m.from != nil || slices.ContainsFunc(keys.Columns, t.Encrypted) {
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

// forEachNumbered writes one SELECT for the rows of all keys, and a row behind them.
func (r *renderer) forEachNumbered(q *Query, t Table, e each) {
	r.numbered = true
	inner, p := q.distinctNames().Enclosed().WithCond(e.many.Whole).extend()
	e.window = true
	p.each = &e
	r.selectBody(&inner, t)
	r.ungrouped()
	r.str(" UNION ALL SELECT ")
	columns := len(t.Columns())
	if q.Selects() {
		columns = len(q.more.columns)
	}
	for range columns {
		r.str("NULL, ")
	}
	r.str("0 LIMIT ROWS EXAMINED ")
	r.ready(examined(e.many.N, q.Offset()+q.limit))
}

// placeOfRow writes the place of a row in the query's order.
func (r *renderer) placeOfRow(q *Query) {
	r.str(", ROW_NUMBER() OVER (")
	r.orders(q)
	r.str(") AS ")
	r.ident("dbfleet_place")
}
