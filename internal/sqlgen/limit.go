package sqlgen

import "strconv"

// What this is. LIMIT is an argument, so that limits that come from requests do
// not make a text each. On PostgreSQL the limits that people write into programs
// (1, 2, 5, 10, 20, 25, 50, 100 and so on to 10,000) are part of the text, if there
// is no OFFSET, which has the same effect.
//
// What it gains. PostgreSQL plans a prepared SELECT with an unknown limit anew each
// time: it takes the plan for all limits to cost a tenth of the whole table. A
// hundred rows by primary key take 91 µs instead of 110:
//
//	make bench-quick    row read_100 on PostgreSQL
//
// What it relies on. There are 16 such limits, so a query has at most 17 texts.
// With another limit, or an OFFSET, it is as fast as hand-written code that binds
// them.
//
// Which test tells when that changes. TestPostgres_PlansAKnownLimitOnce.
//
// How to switch it off. Dialect.PlansByLimit.

// maxUsualLimit is the largest limit that is part of the text.
const maxUsualLimit = 10_000

// limit writes the number behind LIMIT.
func (r *renderer) limit(q *Query) {
	if q.fixed || r.d.PlansByLimit && q.Offset() == 0 && isUsualLimit(q.limit) {
		r.buf = strconv.AppendInt(r.buf, q.limit, 10)
		return
	}
	r.ready(q.limit)
}

// isUsualLimit says whether n is 1, 2, 5 or 25 times a power of ten.
func isUsualLimit(n int64) bool {
	if n <= 0 || n > maxUsualLimit {
		return false
	}
	for n%10 == 0 {
		n /= 10
	}
	return n == 1 || n == 2 || n == 5 || n == 25
}
