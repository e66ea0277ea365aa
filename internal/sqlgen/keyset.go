package sqlgen

import (
	"slices"
	"strconv"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// A page of a query by the keys of the row that it begins behind, and not by a number of
// rows: what is inserted or deleted meanwhile moves no row to another page.

// Keyset is the part of a query's order that lies behind a row.
type Keyset struct {
	// After are the values of the row in the columns of the order, in their order; nil
	// begins with the first row.
	After []Key
	// With takes the row itself and its equals, too.
	With bool
	// Back takes the rows before it in place of those behind it, the nearest first.
	Back bool
	// Whole asks for an order by the whole of long texts, where the database otherwise
	// sorts by their first bytes.
	Whole bool
}

// Key is a value of a row in a column of the order, as the database gave it. Value nil is
// NULL.
type Key struct {
	Value   any
	Decimal bool // Value is the text of a decimal
}

// keyset is a Keyset with its order.
type keyset struct {
	Keyset
	keys  []Cond // items of the order, not turned
	never []bool // which of them are never NULL
}

// KeysetColumns are the columns of the order in which WithKeyset reads rows: those of the query,
// and those of ties that are not among them, so that no two rows are equal. An order
// behind all columns of ties would change nothing. why tells what cannot be paged, ""
// for nothing.
func (q *Query) KeysetColumns(ties []string) (keys []Order, why string) {
	switch {
	case q.Unites():
		return nil, "the rows of a union have no key of their own"
	case q.Merges() || q.aggregates():
		return nil, "a row that stands for several (DISTINCT, GROUP BY, an aggregate) has no key of its own"
	case q.Joined():
		return nil, "a join may repeat a row, and with it its key; ask for what the other table has by WhereExists or WhereIn"
	case q.more != nil && q.more.from != nil:
		return nil, "the rows of a query in the place of the table have no key of their own"
	case q.limit != -1 || q.Offset() != 0:
		return nil, "a limit or offset of the query"
	}
	left := append([]string(nil), ties...)
	list := q.steps.all()
	for i := range list {
		o := &list[i]
		switch {
		case o.kind != order:
			continue
		case o.detail() != nil && o.detail().expr != nil:
			return nil, "an order that is SQL or an expression; order by columns"
		case q.Selects() && q.Computes(o.col):
			return nil, "the order by " + strconv.Quote(o.col) + ", which the select list computes; order by columns of the table"
		}
		key := Order{Column: o.col, Desc: o.or}
		if d := o.detail(); d != nil {
			key.Nulls = d.nulls
		}
		keys = append(keys, key)
		for n, name := range left {
			if q.means(o.col, name) {
				left = append(left[:n:n], left[n+1:]...)
				break
			}
		}
		if len(left) == 0 {
			return keys, ""
		}
	}
	for _, name := range left {
		if q.CallsElse(name) {
			return nil, "a select list that calls something else " + strconv.Quote(name) + ", the column that tells rows apart"
		}
		keys = append(keys, Order{Column: name})
	}
	return keys, ""
}

// OrdersBy says whether a column of the query's own table is in its order. What the select
// list calls so is another.
func (q *Query) OrdersBy(column string) bool {
	list := q.steps.all()
	for i := range list {
		if o := &list[i]; o.kind == order && (o.detail() == nil || o.detail().expr == nil) && q.means(o.col, column) && (o.col != column || !q.CallsElse(column)) {
			return true
		}
	}
	return false
}

// WithKeyset returns the query for the rows of its order that lie behind a row. keys are
// those of KeysetColumns, and each row has their values in as many columns of the result
// that no record has, its last ones; Hidden tells how many. never are columns that are
// never NULL, for which an index serves in either direction.
func (q Query) WithKeyset(k Keyset, keys []Order, never []string) Query {
	k2 := &keyset{Keyset: k}
	q.steps = q.steps.unordered()
	for _, o := range keys {
		k2.keys = append(k2.keys, Cond{kind: order, col: o.Column, or: o.Desc, val: &detail{nulls: o.Nulls}})
		k2.never = append(k2.never, slices.ContainsFunc(never, func(name string) bool { return q.means(o.Column, name) }))
		o.Desc = o.Desc != k.Back
		if k.Back {
			o.Nulls = [...]Nulls{NullsAnywhere, NullsLast, NullsFirst}[o.Nulls]
		}
		q.AddOrder(o)
	}
	if k.After != nil {
		q = q.WithImplicit(Cond{kind: behind, val: &detail{keyset: k2}})
	}
	q, p := q.extend()
	p.keyset = k2
	return q
}

// sortsWhole says that q asks for an order by the whole of its texts, for which this
// database has words of their own.
func (r *renderer) sortsWhole(q *Query) bool {
	return r.d == dialect.MySQL && q.more != nil && q.more.keyset != nil && q.more.keyset.Whole
}

// hiddenKeys writes the values of the order. SQLite is not told the column's type, so
// that it gives what is stored.
func (r *renderer) hiddenKeys(k *keyset) {
	for i := range k.keys {
		r.str([2]string{", ", ", +"}[index(r.d == dialect.SQLite)])
		r.column(k.keys[i].col)
		r.str(" AS ")
		r.ident("dbfleet_key_" + strconv.Itoa(i+1))
	}
}

// behind writes the condition of the rows that lie behind k.After:
//
//	a > ? OR a = ? AND b > ? OR …
//
// where what is equal, greater and NULL is what the database's order says.
func (r *renderer) behind(k *keyset) {
	r.str("(")
	n := 0
	first := k.After[0].Value
	bounded := len(k.keys) > 1 && first != nil && !r.nullsBehind(k, 0)
	if bounded { // by what an index finds
		r.compareKey(k, 0, [2]Op{GtEq, LtEq}[index(k.desc(0))])
		r.str(" AND (")
	}
	for i := range k.keys {
		if k.After[i].Value == nil && r.nullsBehind(k, i) {
			continue // nothing is behind NULL
		}
		r.str([2]string{"", " OR "}[min(n, 1)])
		n++
		r.str("(")
		r.equalKeys(k, i)
		r.beyond(k, i)
		r.str(")")
	}
	if k.With {
		r.str([2]string{"", " OR "}[min(n, 1)])
		n++
		r.equalKeys(k, len(k.keys)-1)
		r.equalKey(k, len(k.keys)-1)
	}
	if n == 0 {
		r.str("1 = 0")
	}
	r.str([2]string{")", "))"}[index(bounded)])
}

// desc says whether key i goes down in the direction of the page.
func (k *keyset) desc(i int) bool { return k.keys[i].or != k.Back }

// nullsBehind says whether NULLs of key i come behind all values in the direction of the
// page. To PostgreSQL NULL is the greatest value, to the others the smallest, unless the order says
// where it is.
func (r *renderer) nullsBehind(k *keyset, i int) bool {
	if k.never[i] {
		return false
	}
	if nulls := k.keys[i].detail().nulls; nulls != NullsAnywhere {
		return (nulls == NullsLast) != k.Back
	}
	return (r.d == dialect.Postgres) != k.desc(i)
}

// equalKeys writes that the keys before i have the values of the row, with AND behind.
func (r *renderer) equalKeys(k *keyset, i int) {
	for at := range i {
		r.equalKey(k, at)
		r.str(" AND ")
	}
}

func (r *renderer) equalKey(k *keyset, i int) {
	if k.After[i].Value == nil {
		r.column(k.keys[i].col)
		r.str(" IS NULL")
		return
	}
	r.compareKey(k, i, Eq)
}

// beyond writes that key i lies behind the row's.
func (r *renderer) beyond(k *keyset, i int) {
	if k.After[i].Value == nil { // NULLs come first, or not at all
		r.column(k.keys[i].col)
		r.str(" IS NOT NULL")
		return
	}
	nulls := r.nullsBehind(k, i)
	if nulls {
		r.str("(")
	}
	r.compareKey(k, i, [2]Op{Gt, Lt}[index(k.desc(i))])
	if nulls {
		r.str(" OR ")
		r.column(k.keys[i].col)
		r.str(" IS NULL)")
	}
}

func (r *renderer) compareKey(k *keyset, i int, op Op) {
	r.column(k.keys[i].col)
	r.columnOp(op)
	v := k.After[i]
	text, ok := v.Value.(string)
	if !v.Decimal || !ok {
		r.ready(v.Value)
		return
	}
	scale, _ := commonScale([]any{text})
	r.decimal(text, scale)
}
