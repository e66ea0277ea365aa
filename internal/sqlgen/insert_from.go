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
		documents := make([]bool, len(columns))
		for i, c := range columns {
			documents[i] = r.asDocument(c)
		}
		if slices.Contains(documents, true) {
			r.q, r.table = nil, nil
			r.fromDocuments(&from, t, documents, more)
		} else if len(more) > 0 {
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

// fromDocuments writes the rows of a query for columns of which some hold documents, on
// SQLite; see asDocument.
func (r *renderer) fromDocuments(from *Query, t Table, documents []bool, more []Set) {
	name := func(i int) { r.ident("c" + strconv.Itoa(i+1)) }
	r.str("WITH dbfleet_rows (")
	for i := range documents {
		r.commas(i)
		name(i)
	}
	r.str(") AS (")
	r.nested(from, t)
	r.str(") SELECT ")
	for i, document := range documents {
		r.commas(i)
		if document {
			r.str("JSON(")
		}
		name(i)
		if document {
			r.str(")")
		}
	}
	for i := range more {
		r.str(", ")
		r.sameInAll(&more[i])
	}
	r.str(" FROM dbfleet_rows")
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
