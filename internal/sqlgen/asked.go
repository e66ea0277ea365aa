package sqlgen

// What was asked of a query.

// HasConditions says whether anything was asked of the rows. Groups without
// conditions ask nothing.
func (q *Query) HasConditions() bool {
	for _, c := range q.steps.all() {
		if c.kind != order && c.asks() {
			return true
		}
	}
	return false
}

// Unasked says whether nothing is asked but that the rows may have columns which
// nothing takes.
func (q *Query) Unasked() bool {
	p := q.more
	return q.steps.n == 0 && q.limit == -1 && (p == nil || p.alias == "" && p.from == nil && p.offset == 0 && p.lock == NoLock && !p.unique &&
		len(p.columns)+len(p.joins)+len(p.groups)+len(p.having)+len(p.unions)+len(p.ctes) == 0)
}

// AllRows says whether a write may go without conditions.
func (q *Query) AllRows() bool { return q.more != nil && q.more.all }

// Unites says whether the query adds the rows of others.
func (q *Query) Unites() bool { return q.more != nil && len(q.more.unions) > 0 }

// Merges says whether one row of the result may stand for several.
func (q *Query) Merges() bool {
	return q.more != nil && (q.more.unique || len(q.more.groups)+len(q.more.having) > 0)
}
