package sqlgen

import "strconv"

// What a relation asks beside its rows: which of several keys each row is equal to,
// or some rows for each of them. The answer is a number in a column of the result
// that no record has. Behind it there may be more such columns; Hidden tells how
// many there are.

// each is some rows for each of several keys.
type each struct {
	keys   []Cond
	sorted bool // the rows of a key come in the query's order
	at     int  // the key of the branch that is being written
}

// marks are conditions of which each row tells which hold.
type marks struct{ keys []Cond }

// MaxEach is how many keys WithEach and WithMarks take.
const MaxEach = 48

// WithEach returns the query for the rows that have one of the keys, each of them given
// as the condition of its rows, where limit and offset hold for each key. Rows that the
// query's order holds for equal, or all without an order, are sorted by the columns of
// ties. sorted asks for the rows of a key in that order. The number is the key's. The
// query must be Divisible.
func (q Query) WithEach(keys []Cond, ties []string, sorted bool) Query {
	for _, c := range ties {
		q.AddOrder(Order{Column: c})
	}
	q, p := q.extend()
	p.each = &each{keys: padded(keys), sorted: sorted}
	return q
}

// Divisible says whether WithEach may be asked: each row is one of the table, not
// locked, in an order that does not need the select list and, if sorted, is one of
// columns.
func (q *Query) Divisible(sorted bool) bool {
	if q.Merges() || q.Unites() || q.Lock() != NoLock {
		return false
	}
	named := false
	if q.Selects() {
		for i := range q.more.columns {
			c := &q.more.columns[i]
			named = named || c.As != "" || c.Expr != nil
		}
	}
	list := q.steps.all()
	for i := range list {
		if o := &list[i]; o.kind == order && (o.val != nil && (named || sorted) || named && q.Computes(o.col)) {
			return false
		}
	}
	return true
}

// WithMarks returns the query for the rows that have one of the keys, each of them given
// as the condition of its rows. Bit i of the number says that the row has keys[i].
func (q Query) WithMarks(keys []Cond) Query {
	keys = padded(keys)
	for i := range keys {
		keys[i].or = i > 0
	}
	q, p := q.WithCond(Group(keys...)).extend()
	p.marks = &marks{keys}
	return q
}

// padded repeats the last of the keys until their number is one of few, as those of
// a list, so that few statements are prepared.
func padded[E any](keys []E) []E {
	out := make([]E, 0, paddedSize(len(keys)))
	out = append(out, keys...)
	for len(out) < cap(out) {
		out = append(out, keys[len(keys)-1])
	}
	return out
}

// Names says whether the select list gives the name to what may be something else
// than the column.
func (q *Query) Names(column string) bool { return q.Selects() && q.Computes(column) }

// Hidden is how many columns of the result no record has. They are its last ones.
func (q *Query) Hidden() int {
	switch {
	case q.more == nil:
	case q.more.keyset != nil:
		return len(q.more.keyset.keys)
	case q.more.marks != nil:
		return 1
	case q.more.each != nil && q.more.each.sorted:
		return 1 + q.steps.n - q.steps.conditions()
	case q.more.each != nil:
		return 1
	}
	return 0
}

// hidden writes the columns that no record has.
func (r *renderer) hidden(q *Query) {
	if q.more == nil {
		return
	}
	if q.more.keyset != nil {
		r.hiddenKeys(q.more.keyset)
	}
	if m := q.more.marks; m != nil {
		for i := range m.keys {
			r.str([2]string{", CASE WHEN ", " + CASE WHEN "}[min(i, 1)])
			r.cond(&m.keys[i])
			r.str(" THEN ")
			r.buf = strconv.AppendInt(r.buf, 1<<i, 10)
			r.str(" ELSE 0 END")
		}
		r.str(" AS ")
		r.ident("dbfleet_marks")
	}
	e := q.more.each
	if e == nil {
		return
	}
	r.str(", ")
	r.buf = strconv.AppendInt(r.buf, int64(e.at), 10)
	r.str(" AS ")
	r.ident("dbfleet_key")
	if e.sorted {
		r.eachOrder(q, func(n int, o *Cond) {
			r.str(", ")
			r.orderColumn(q, o.col)
			r.str(" AS ")
			r.ident(orderName(n))
		})
	}
}

// eachOrder calls f with each item of ORDER BY, counted from 1.
func (r *renderer) eachOrder(q *Query, f func(n int, o *Cond)) {
	list, n := q.steps.all(), 0
	for i := range list {
		if o := &list[i]; o.kind == order {
			n++
			f(n, o)
		}
	}
}

func orderName(n int) string { return "dbfleet_order_" + strconv.Itoa(n) }

// forEach writes a query of which some rows for each of several keys are asked.
func (r *renderer) forEach(q *Query, t Table) {
	inner, e := q.distinctNames(), *q.more.each
	for i, key := range e.keys {
		if i > 0 {
			r.str(" UNION ALL ")
		}
		branch, p := inner.WithCond(key).extend()
		at := e
		at.at = i
		p.each = &at
		r.str("SELECT * FROM (")
		r.selectBody(&branch, t)
		r.orderAndLimit(&branch)
		r.str(") AS ")
		r.ident("each")
	}
	if !e.sorted {
		return
	}
	r.str(" ORDER BY ")
	r.ident("dbfleet_key")
	r.eachOrder(q, func(n int, o *Cond) {
		r.str(", ")
		r.ident(orderName(n))
		if o.or {
			r.str(" DESC")
		}
	})
}
