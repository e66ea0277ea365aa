package sqlgen

import "github.com/dbfleet/dbfleet/internal/dialect"

// Nulls says where an order has the rows without a value.
type Nulls uint8

// The places of NULLs.
const (
	NullsAnywhere Nulls = iota // as the database has it
	NullsFirst
	NullsLast
)

// orderAndLimit writes ORDER BY, LIMIT and OFFSET.
func (r *renderer) orderAndLimit(q *Query) {
	if q.steps.ordered() && !q.isOneRow() {
		r.orders(q)
	}
	offset := q.Offset()
	if q.limit < -1 {
		r.fail(r.fault("limit", "is negative", nil))
	}
	if offset < 0 {
		r.fail(r.fault("offset", "is negative", nil))
	}
	switch {
	case q.limit >= 0:
		r.str(" LIMIT ")
		r.limit(q)
	case offset > 0 && r.d.LimitRequired != "":
		r.str(" LIMIT ")
		r.str(r.d.LimitRequired)
	}
	if offset > 0 {
		r.str(" OFFSET ")
		r.ready(offset)
	}
}

// orders writes ORDER BY. Behind a union it may name columns of the result only.
func (r *renderer) orders(q *Query) {
	n := 0
	list := q.steps.all()
	for i := range list {
		o := &list[i]
		if o.kind != order {
			continue
		}
		r.str([2]string{" ORDER BY ", ", "}[min(n, 1)])
		n++
		if r.folds != nil && q.distinct() {
			r.orderOfDistinct(q, o)
			continue
		}
		r.order(q, o)
	}
	r.joinedTies(q)
}

// order writes one item of ORDER BY.
func (r *renderer) order(q *Query, o *Cond) {
	nulls := NullsAnywhere
	if d := o.detail(); d != nil {
		if nulls = d.nulls; nulls == NullsAnywhere && d.expr.Term == nil { // the caller's SQL has its direction
			r.raw(d.expr, "order by")
			return
		}
	}
	emulated := nulls != NullsAnywhere && r.d == dialect.MySQL && (nulls == NullsFirst) == o.or
	if emulated { // where NULL is the smallest value
		if q.Unites() {
			r.fail(r.fault("order by", "MySQL does not put NULLs elsewhere in the order of a union; read it as a CTE", nil))
			return
		}
		r.orderValue(q, o)
		r.str([2]string{" IS NULL, ", " IS NOT NULL, "}[index(nulls == NullsFirst)])
	}
	r.orderValue(q, o)
	if o.or {
		r.str(" DESC")
	}
	if nulls != NullsAnywhere && r.d != dialect.MySQL {
		r.str([2]string{" NULLS LAST", " NULLS FIRST"}[index(nulls == NullsFirst)])
	}
}

// orderValue writes what an item of ORDER BY sorts by, without its direction.
func (r *renderer) orderValue(q *Query, o *Cond) {
	switch {
	case o.detail() != nil && o.detail().expr != nil && isLiteral(o.detail().expr.Term):
		r.str("(") // which is no order: MySQL would take a whole number for a column's place
		r.literal(o.detail().expr.Term.(Literal), true)
		r.str(" IS NULL)")
	case o.detail() != nil && o.detail().expr != nil:
		r.raw(o.detail().expr.exactly(), "order by")
	case q.Unites():
		r.resultColumn(q, r.table, o.col)
	default:
		r.orderColumn(q, o.col)
	}
}

// lock writes the row lock.
func (r *renderer) lock(q *Query) {
	if q.Lock() == NoLock {
		return
	}
	if !r.d.RowLocks {
		r.fail(r.fault("lock", r.d.Name+" has no row locks; a write transaction locks the whole database", nil))
		return
	}
	switch q.Lock() {
	case ForUpdate:
		r.str(" FOR UPDATE")
	case ForShare:
		if r.d.Numbered {
			r.str(" FOR SHARE")
		} else {
			r.str(" LOCK IN SHARE MODE")
		}
	case ForUpdateSkipLocked:
		r.str(" FOR UPDATE SKIP LOCKED")
	case ForUpdateNoWait:
		r.str(" FOR UPDATE NOWAIT")
	}
}
