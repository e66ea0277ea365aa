package sqlgen

import "slices"

// Conditions that nobody wrote into a query: what a model demands of each of its rows.
// They stand beside the query's own, which are put in parentheses where an OR would let
// rows escape, and do not count as conditions of a write that must have some.

// maxImplicit is how deep implicit conditions may hold queries that have implicit
// conditions in turn.
const maxImplicit = 8

// WithImplicit adds conditions that hold beside all that was asked and will be.
func (q Query) WithImplicit(conds ...Cond) Query {
	if len(conds) == 0 {
		return q
	}
	q, p := q.extend()
	p.implicit = slices.Concat(p.implicit, conds)
	return q
}

// Implicit are the conditions that hold beside the query's own.
func (q *Query) Implicit() []Cond {
	if q.more == nil {
		return nil
	}
	return q.more.implicit
}

// writeImplicit writes the implicit conditions behind AND, or as the first.
func (r *renderer) writeImplicit(q *Query, first bool) {
	r.implied++
	for i, c := range q.Implicit() {
		if i > 0 || !first {
			r.str(" AND ")
		}
		r.cond(&c)
	}
	r.implied--
}

// alternates says whether an OR stands among the query's own conditions.
func (q *Query) alternates() bool {
	first := true
	for _, c := range q.steps.all() {
		if c.kind == order {
			continue
		}
		if c.or && !first {
			return true
		}
		first = false
	}
	return false
}

// statement is the query that a subquery stands for, with its implicit conditions.
func (r *renderer) statement(s Subquery) (Query, Table, error) {
	q, t, err := s.Statement(r.connection)
	if err != nil || r.implicit == nil {
		return q, t, err
	}
	if r.implied > maxImplicit {
		return q, t, r.fault("where", "the scopes of models refer to each other without an end", nil)
	}
	conds, err := r.implicit(s)
	return q.WithImplicit(conds...), t, err
}
