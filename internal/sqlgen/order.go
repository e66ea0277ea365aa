package sqlgen

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
		if o.val != nil {
			r.raw(o.detail().expr, "order by")
			continue
		}
		if q.Unites() {
			r.resultColumn(q, r.table, o.col)
		} else {
			r.orderColumn(q, o.col)
		}
		if o.or {
			r.str(" DESC")
		}
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
