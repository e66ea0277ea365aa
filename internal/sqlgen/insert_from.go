package sqlgen

import (
	"fmt"
	"slices"
	"strconv"
)

// InsertFrom renders INSERT INTO q's table (columns) SELECT …, of the rows of sub. Behind
// the columns of sub come those of more, which are the same in each row.
func InsertFrom(q *Query, columns []string, more []Set, sub Subquery, env *Env) (string, []any, error) {
	return render(env, q, func(r *renderer) {
		r.locks = true
		r.takesNothing(r.q, "an INSERT")
		from, t, err := r.statement(sub)
		if err != nil {
			r.fail(err)
			return
		}
		if given, all := from.ResultColumns(r.d, t); all && len(given) != len(columns) {
			r.fail(r.fault("insert", fmt.Sprintf("%d columns for a query that gives %d", len(columns), len(given)), nil))
			return
		}
		r.str("INSERT INTO ")
		r.target = true
		r.tablePath(r.q.Table())
		r.target = false
		r.str(" (")
		for i, c := range slices.Concat(columns, setColumns(more)) {
			r.commas(i)
			r.ident(c)
		}
		r.str(") ")
		into := r.q
		if len(more) > 0 {
			r.str("SELECT ")
			r.ident("rows")
			r.str(".*")
			for i := range more {
				r.str(", ")
				r.sameInAll(&more[i])
			}
			r.str(" FROM ")
			r.q, r.table = nil, nil
			r.derived(&from, t, "rows")
		} else {
			r.q, r.table = nil, nil
			r.nested(&from, t)
		}
		r.q = into
	})
}

func setColumns(sets []Set) []string {
	names := make([]string, len(sets))
	for i := range sets {
		names[i] = sets[i].Column
	}
	return names
}

// sameInAll writes a value that each row has.
func (r *renderer) sameInAll(s *Set) {
	a, err := r.values.Arg(s.Value, r.d)
	if err != nil {
		r.fail(r.fault("column "+strconv.Quote(s.Column), "", err))
		return
	}
	r.literal(Literal{a}, true)
}
