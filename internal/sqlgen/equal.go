package sqlgen

import (
	"strconv"
	"strings"
)

// Equal returns the values that the conditions demand of a column: one for
// column = value, several for column IN (list). ok is false when rows with
// other values could match: no such condition, or one beside an OR, or inside
// a negation or raw SQL.
func (q *Query) Equal(column string) (values any, list, ok bool) {
	implicit := q.Implicit()
	for i := range implicit {
		if v, l, found := implicit[i].equal(column, q); found {
			return v, l, true
		}
	}
	all := q.steps.all()
	first := true
	for i := range all {
		if c := &all[i]; c.kind != order {
			if c.or && !first {
				return nil, false, false
			}
			first = false
		}
	}
	for i := range all {
		if v, l, found := all[i].equal(column, q); found {
			return v, l, true
		}
	}
	return nil, false, false
}

func (c *Cond) equal(column string, q *Query) (any, bool, bool) {
	switch c.kind {
	case compare:
		if !q.means(c.col, column) {
			return nil, false, false
		}
		switch {
		case decided(c.val): // what it is, only the database knows
		case c.op == Eq:
			return c.val, false, c.val != nil
		case c.op == In:
			return c.val, true, true
		}
	case group:
		if either(c.detail().conds) {
			return nil, false, false
		}
		for i := range c.detail().conds {
			if v, l, ok := c.detail().conds[i].equal(column, q); ok {
				return v, l, true
			}
		}
	}
	return nil, false, false
}

// decided says whether the database makes a value: it is SQL or a query.
func decided(v any) bool {
	switch v.(type) {
	case *Expr, Expr, Subquery:
		return true
	}
	return false
}

// WhyNotEqual says why Equal finds no values for a column that the conditions name,
// and what to do about it; "" when they do not name it.
func (q *Query) WhyNotEqual(column string) string {
	conds := q.Conditions()
	if !q.mentionsIn(conds, column) {
		return ""
	}
	if either(conds) {
		return "the condition on it stands beside an OR, so rows of other shards could match; put the alternatives into a group (WhereGroup) and the condition beside the group, or ask for each by itself"
	}
	return q.whyNotIn(conds, column)
}

// whyNotIn is WhyNotEqual for conditions that all must hold.
func (q *Query) whyNotIn(conds []Cond, column string) string {
	for i := range conds {
		c := &conds[i]
		if !q.mentionsIn(conds[i:i+1], column) {
			continue
		}
		switch c.kind {
		case compare:
			if !q.means(c.col, column) {
				return "the condition is on " + strconv.Quote(c.col) + ", a column of another table; the key is " + strconv.Quote(q.refName()+"."+column)
			}
			if c.op != Eq && c.op != In {
				return opName(c.op) + " does not say which shard; = and IN do"
			}
			if decided(c.val) {
				return "SQL or a query in the place of its value does not say which shard; give the key by Shard"
			}
		case columns:
			return "a comparison with another column does not say which shard; add the value"
		case group:
			if either(c.detail().conds) {
				return "the condition on it stands beside an OR inside a group, so rows of other shards could match; put it outside of the group"
			}
			return q.whyNotIn(c.detail().conds, column)
		case negation:
			return "a negation says where rows are not; name the key beside it"
		case rawSQL:
			return "a condition given as SQL is not looked into; name the key by Where"
		}
	}
	return ""
}

// mentionsIn says whether one of the conditions names a column, whatever its table.
func (q *Query) mentionsIn(conds []Cond, column string) bool {
	names := func(name string) bool { return name == column || strings.HasSuffix(name, "."+column) }
	for i := range conds {
		switch c := &conds[i]; c.kind {
		case compare:
			if names(c.col) {
				return true
			}
		case columns:
			if names(c.col) || names(c.detail().text) {
				return true
			}
		case group, negation:
			if q.mentionsIn(c.detail().conds, column) {
				return true
			}
		case rawSQL:
			if mentions(c.detail().expr, column) {
				return true
			}
		}
	}
	return false
}

// either says whether one of the conditions is joined by OR to another.
func either(conds []Cond) bool {
	for i := range conds {
		if i > 0 && conds[i].or {
			return true
		}
	}
	return false
}
