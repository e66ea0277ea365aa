package sqlgen

import (
	"errors"
	"strconv"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// What a relation asks beside its rows: which of several keys each row is equal to,
// or some rows for each of them. The answer is a number in a column of the result
// that no record has. Behind it there may be more such columns; Hidden tells how
// many there are.

// each is some rows for each of several keys.
type each struct {
	keys   []Cond
	many   *Keys // the keys, where keys is nil
	sorted bool  // the rows of a key come in the query's order
	at     int   // the key of the branch that is being written, or
	joined bool  // it is that of the row of keys that is joined
	apart  bool  // the rows of each key are asked for apart
	window bool  // the rows of all keys are being numbered
}

// Keys are many keys of which some rows of each are asked for.
type Keys struct {
	Columns []string         // whose values they are
	N       int              // how many there are
	Equal   func(i int) Cond // the condition of the rows of one
	Whole   Cond             // that of the rows of all
	Ints    []int64          // the keys, if they are whole numbers in one column; else nil
}

// marks are conditions of which each row tells which hold.
type marks struct{ keys []Cond }

// MaxEach is how many keys WithEach and WithMarks take, and on most databases WithEachOf,
// which fails with ErrTooManyKeys then.
const MaxEach = 48

// MaxEachOf is how many keys WithEachOf takes where it takes more.
const MaxEachOf = 1000

// ErrTooManyKeys says that a query of WithEachOf has more than MaxEach keys, on a database
// that is asked for the rows of each key apart.
var ErrTooManyKeys = errors.New("too many keys")

// WithEach returns the query for the rows that have one of the keys, each of them given
// as the condition of its rows, where limit and offset hold for each key. Rows that the
// query's order holds for equal, or all without an order, are sorted by the columns of
// ties. sorted asks for the rows of a key in that order. The number is the key's. The
// query must be Divisible.
func (q Query) WithEach(keys []Cond, ties []string, sorted bool) Query {
	return q.withEach(each{keys: padded(keys), sorted: sorted}, ties)
}

// WithEachInt is WithEach for keys that are whole numbers in one column.
func (q Query) WithEachInt(column string, keys []int64, ties []string, sorted bool) Query {
	return q.WithEachOf(&Keys{
		Columns: []string{column}, N: len(keys), Ints: keys, Whole: Compare(column, In, keys),
		Equal: func(i int) Cond { return Compare(column, Eq, keys[i]) },
	}, ties, sorted)
}

// WithEachOf is WithEach for keys that may be many more; see Env.Numbered.
func (q Query) WithEachOf(keys *Keys, ties []string, sorted bool) Query {
	return q.withEach(each{many: keys, sorted: sorted}, ties)
}

func (q Query) withEach(e each, ties []string) Query {
	for _, c := range ties {
		if !q.ordersBy(c) {
			q.addTie(c)
		}
	}
	q, p := q.extend()
	p.each = &e
	return q
}

// ordersBy says whether the query's order names the column, and looks for it in the table
// only.
func (q *Query) ordersBy(column string) bool {
	list := q.steps.all()
	for i := range list {
		if o := &list[i]; o.kind == order && o.val == nil && o.col == column && !q.Names(column) && !q.CallsElse(column) {
			return true
		}
	}
	return false
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
	if e.window {
		r.placeOfRow(q)
		return
	}
	r.str(", ")
	if e.joined {
		r.columnOf(eachKeys, "n")
		r.str(" - 1")
	} else {
		r.whole(e.at)
	}
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
	e := *q.more.each
	switch {
	case e.keys != nil:
	case e.many.Ints != nil && r.d == dialect.Postgres && len(q.more.ctes) == 0 && q.more.from == nil:
		r.forEachJoined(q, t, e)
		return
	case r.numbers && !e.apart && q.numberable(t):
		r.forEachNumbered(q, t, e)
		return
	case e.many.N > MaxEach:
		r.fail(ErrTooManyKeys)
		return
	default:
		for i := range paddedSize(e.many.N) {
			e.keys = append(e.keys, e.many.Equal(min(i, e.many.N-1)))
		}
	}
	r.forEachApart(q, t, e)
}

// forEachApart writes a branch of a union for each key.
func (r *renderer) forEachApart(q *Query, t Table, e each) {
	inner := q.distinctNames()
	derived := r.d != dialect.MySQL // where that costs ten times as much
	for i, key := range e.keys {
		if i > 0 {
			r.str(" UNION ALL ")
		}
		branch, p := inner.WithCond(Cond{kind: veiled, val: &detail{conds: []Cond{key}}}).extend()
		at := e
		at.at = i
		p.each = &at
		alone := len(e.keys) == 1 && r.d == dialect.MySQL
		if !alone {
			r.str([2]string{"(", "SELECT * FROM ("}[index(derived)])
		}
		r.selectBody(&branch, t)
		r.veil = r.d == dialect.SQLite
		r.orderAndLimit(&branch)
		r.ungrouped()
		r.veil = false
		if alone {
			return // in the order of the branch
		}
		r.str(")")
		if derived {
			r.str(" AS ")
			r.ident("each")
		}
	}
	r.eachSorted(q, e)
}

// veiled writes a condition whose arguments SQLite does not look at when it plans, as it does
// with those of LIMIT and, where it has statistics, with those beside indexed columns: it
// would prepare the whole union anew each time that one is bound.
func (r *renderer) veiled(c *Cond) {
	r.veil = r.d == dialect.SQLite
	r.condList(c.detail().conds)
	r.veil = false
}

// eachKeys is what the keys are called that are joined with their rows.
const eachKeys = "dbfleet_keys"

// forEachJoined writes a join of the keys, which are one array, with the rows of each. The
// array gets its type from the column that it is compared with first, in a query whose
// result nobody wants, so that it is not run.
func (r *renderer) forEachJoined(q *Query, t Table, e each) {
	r.q, r.table = q, t
	r.str("SELECT ")
	r.ident("each")
	r.str(".* FROM (SELECT EXISTS (SELECT 1 FROM ")
	r.tablePath(q.Table())
	r.str(" WHERE ")
	r.ident(lastPart(e.many.Columns[0]))
	r.str(" = ANY(")
	r.ready(e.many.Ints)
	typed := len(r.args)
	r.str("))) AS ")
	r.ident("dbfleet_typed")
	r.str(" CROSS JOIN unnest(")
	r.placeholder(typed)
	r.str(") WITH ORDINALITY AS ")
	r.ident(eachKeys)
	r.str(" (")
	r.ident("k")
	r.str(", ")
	r.ident("n")
	r.str(") CROSS JOIN LATERAL (")
	inner := q.distinctNames()
	branch, p := inner.WithCond(Cond{kind: belonging, col: lastPart(e.many.Columns[0]), val: outerColumn{table: eachKeys, column: "k"}}).extend()
	e.joined = true
	p.each = &e
	branch.fixed = branch.limit >= 0 // or a plan for any limit would be made for one that is unlike it
	r.selectBody(&branch, t)
	r.orderAndLimit(&branch)
	r.str(") AS ")
	r.ident("each")
	r.eachSorted(q, e)
}

// eachSorted writes the order of the rows of all keys.
func (r *renderer) eachSorted(q *Query, e each) {
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
