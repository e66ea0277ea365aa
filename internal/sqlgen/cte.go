package sqlgen

import (
	"slices"
	"strconv"
	"strings"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// CTE is a query that the rest of the statement reads as a table of that name.
type CTE struct {
	Name      string
	Query     Subquery
	Recursive bool // Query may read the name, too
}

// WithCTE adds queries that q reads as tables.
func (q Query) WithCTE(ctes ...CTE) Query {
	q, p := q.extend()
	p.ctes = append(p.ctes[:len(p.ctes):len(p.ctes)], ctes...)
	return q
}

// visible is a CTE that the statement may read at this place, and what is known of it.
type visible struct {
	name    string
	columns []string
	all     bool // it has no others
}

// with writes the queries that q reads as tables, which may name those before them.
func (r *renderer) with(q *Query) {
	if q.more == nil || len(q.more.ctes) == 0 {
		return
	}
	r.q = q // which faults name
	recursive := slices.ContainsFunc(q.more.ctes, func(c CTE) bool { return c.Recursive })
	r.str([2]string{"WITH ", "WITH RECURSIVE "}[index(recursive)])
	for i := range q.more.ctes {
		c := &q.more.ctes[i]
		if i > 0 {
			r.str(", ")
		}
		part := "CTE " + strconv.Quote(c.Name)
		switch {
		case strings.Contains(c.Name, "."):
			r.fail(r.fault(part, "its name has a dot, which stands behind a schema", nil))
		case slices.ContainsFunc(q.more.ctes[:i], func(before CTE) bool { return before.Name == c.Name }):
			r.fail(r.fault(part, "is there twice", nil))
		case c.Query == nil:
			r.fail(r.fault(part, "has no query", nil))
			continue
		}
		sub, t, err := r.statement(c.Query)
		if err != nil {
			r.fail(err)
			continue
		}
		columns, all := sub.ResultColumns(r.d, t)
		if twice := repeated(columns); twice != "" { // SQLite gives it another name
			r.fail(r.fault(part, "has the column "+strconv.Quote(twice)+" twice; give one an alias", nil))
			continue
		}
		if c.Recursive {
			r.ctes = append(r.ctes, visible{c.Name, columns, all})
		}
		r.ident(c.Name)
		r.str(" AS ")
		r.cte(sub, t)
		if !c.Recursive {
			r.ctes = append(r.ctes, visible{c.Name, columns, all})
		}
	}
	r.str(" ")
}

// cte writes the query of a CTE, which sees nothing of the queries around it.
func (r *renderer) cte(q Query, t Table) {
	outer, outerTable, scopes, having := r.q, r.table, r.outer, r.having
	r.q, r.table, r.outer, r.having = nil, nil, nil, false
	r.subquery(q, t, nil)
	r.q, r.table, r.outer, r.having = outer, outerTable, scopes, having
}

// ResultColumns are the columns of q's result as far as they are known; all says that
// there are no others.
func (q *Query) ResultColumns(d *dialect.Dialect, t Table) (columns []string, all bool) {
	if !q.Selects() {
		if t == nil {
			return nil, false
		}
		return t.Columns(), !q.Joined()
	}
	all = true
	for o := range q.outputs(d) {
		switch {
		case o.name != "":
			columns = append(columns, o.name)
		case o.kind == star && t != nil && q.ownStar(&o):
			columns = append(columns, t.Columns()...)
		default:
			all = false
		}
	}
	return columns, all
}

// repeated is a name that is in a list twice, "" if none is.
func repeated(names []string) string {
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			return name
		}
	}
	return ""
}

// cteHas says whether a CTE of that name has the column, and whether there is one whose
// columns are known; is that there is one. It hides a table of its name.
func (r *renderer) cteHas(name, column string) (has, known, is bool) {
	for i := len(r.ctes) - 1; i >= 0; i-- {
		if c := &r.ctes[i]; c.name == name {
			has = slices.Contains(c.columns, column)
			return has, has || c.all, true
		}
	}
	return false, false, false
}
