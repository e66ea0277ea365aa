package sqlgen

import (
	"strconv"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// Set is one assignment of an UPDATE.
type Set struct {
	Column string
	Value  any  // an *Expr is SQL, a Subquery is rendered
	Ready  bool // Value is an argument that needs no more work
	// Add is column = column + value. The value is then SQL, or a number: an int64,
	// a uint64, a float64 or a decimal as text. Minus is for SQL only.
	Add, Minus bool
	Sum        Sum
}

// Update renders UPDATE … SET … WHERE.
func Update(q *Query, sets []Set, env *Env) (string, []any, error) {
	return render(env, q, func(r *renderer) {
		r.locks = true
		r.writable(r.q, "an UPDATE")
		r.with(r.q)
		r.target = true
		if len(sets) == 0 {
			r.fail(r.fault("update", "no column to set", nil))
		}
		r.str("UPDATE ")
		r.tablePath(r.q.Table())
		r.joinedUpdate(r.q, func() {
			r.str(" SET ")
			for i, s := range r.inTurn(sets) {
				if i > 0 {
					r.str(", ")
				}
				r.set(&s)
			}
		})
		r.returning(r.q)
	})
}

// set writes one assignment.
func (r *renderer) set(s *Set) {
	if r.table != nil && !r.table.Known(s.Column) {
		r.fail(&UnknownColumnError{Table: r.q.Table(), Column: s.Column, Known: r.table.Columns()})
		return
	}
	r.setsOwner(s)
	r.setColumn(s.Column)
	r.str(" = ")
	if s.Add {
		r.addition(s)
		return
	}
	if s.Ready {
		r.ready(s.Value)
		return
	}
	switch v := s.Value.(type) {
	case *Expr, Subquery:
		r.assigned(s.Column, v)
		return
	}
	v, i, known := s.Value, 0, false
	var err error
	if r.table != nil && v != nil {
		if i, known = r.table.Field(s.Column); known {
			if v, err = r.table.Fit(i, v); err != nil {
				r.fail(err)
				return
			}
		}
	}
	a, err := r.values.Arg(v, r.d)
	if err != nil {
		r.fail(r.fault("column "+strconv.Quote(s.Column), "", err))
		return
	}
	if known {
		if a, err = r.table.Stored(i, a); err != nil {
			r.fail(err)
			return
		}
	}
	r.ready(a)
}

// assigned writes SQL, or a query for one value, that a column is set to.
func (r *renderer) assigned(column string, v any) {
	document := r.asDocument(column)
	if document {
		r.str("JSON(")
	}
	switch v := v.(type) {
	case *Expr:
		r.raw(v, "column "+strconv.Quote(column))
	case Subquery:
		r.subquery(r.statement(v))
	}
	if document {
		r.str(")")
	}
}

// asDocument says that the database would store in the column what is no document:
// SQLite's function JSON fails on that.
func (r *renderer) asDocument(column string) bool {
	if r.d != dialect.SQLite || r.table == nil {
		return false
	}
	i, ok := r.table.Field(column)
	return ok && r.table.Document(i)
}

// Delete renders DELETE FROM … WHERE.
func Delete(q *Query, env *Env) (string, []any, error) {
	return render(env, q, func(r *renderer) {
		r.locks = true
		r.writable(r.q, "a DELETE")
		r.with(r.q)
		r.target = true
		if r.q.Joined() {
			r.joinedDelete(r.q)
			return
		}
		r.str("DELETE FROM ")
		r.tablePath(r.q.Table())
		r.chosen(r.q)
		r.returning(r.q)
	})
}

// returning writes the select list of a write that returns the rows that it has
// written.
func (r *renderer) returning(q *Query) {
	if q.more == nil || !q.more.returning {
		return
	}
	if columns, _ := q.ResultColumns(r.d, r.table); repeated(columns) != "" { // told before anything is written
		r.fail(r.fault("select", "has the column "+strconv.Quote(repeated(columns))+" twice; give one an alias", nil))
		return
	}
	r.str(" RETURNING ")
	r.selectList(q, r.table)
}

// writable refuses what an UPDATE or DELETE would have to ignore.
func (r *renderer) writable(q *Query, verb string) {
	plain := *q
	if q.limit >= 0 {
		plain.limit, plain.steps = -1, q.steps.unordered()
	}
	if q.more != nil && len(q.more.ctes) > 0 && r.d != dialect.MySQL {
		_, p := plain.extend()
		p.ctes = nil
		plain.more = p
	}
	if q.Joined() {
		r.joinable(q, verb)
		_, p := plain.extend()
		p.joins = nil
		plain.more = p
	}
	r.takesNothing(&plain, verb)
	if !q.HasConditions() && !q.AllRows() {
		r.fail(r.fault("", "", ErrMissingWhere))
	}
}

// takesNothing refuses the parts of a query that a write would have to ignore.
func (r *renderer) takesNothing(q *Query, verb string) {
	part := ""
	switch {
	case q.limit != -1:
		part = "limit"
	case q.Offset() != 0:
		part = "offset"
	case q.steps.ordered():
		part = "order by"
	case q.distinct():
		part = "distinct"
	case q.Lock() != NoLock:
		part = "lock"
	case q.more != nil && len(q.more.joins) > 0:
		part = "join"
	case q.more != nil && len(q.more.groups)+len(q.more.having) > 0:
		part = "group by"
	case q.more != nil && len(q.more.unions) > 0:
		part = "union"
	case q.more != nil && len(q.more.ctes) > 0:
		part = "CTE"
	case q.more != nil && q.more.from != nil:
		part = "from"
	case q.more != nil && q.more.alias != "":
		part = "alias"
	}
	if part == "" {
		return
	}
	reason := verb + " does not take it"
	switch {
	case verb == "an INSERT":
	case part == "CTE":
		reason += " on MySQL; give it to the subqueries that read it"
	case part == "order by":
		reason += " without a limit"
	default:
		reason += "; select the keys first and use WhereIn"
	}
	r.fail(r.fault(part, reason, nil))
}
