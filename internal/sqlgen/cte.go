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
	own     bool // its rows are those of the table that it hides
	query   *Query
	key     []string
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
		v := visible{name: c.Name, columns: columns, all: all, own: r.reads(&sub, c), query: &sub}
		if !c.Recursive {
			v.key = r.keyOfRows(&sub, t)
		}
		if c.Recursive {
			r.ctes = append(r.ctes, v)
		}
		r.ident(c.Name)
		r.str(" AS ")
		if r.d == dialect.SQLite && !c.Recursive {
			r.inside = append(r.inside, hiding{c.Name, len(r.ctes)})
			r.cte(sub, t)
			r.inside = r.inside[:len(r.inside)-1]
		} else {
			r.cte(sub, t)
		}
		if !c.Recursive {
			r.ctes = append(r.ctes, v)
		}
	}
	r.str(" ")
}

// hiding is a CTE whose query is being written: by its name SQLite means the CTE itself
// there ("circular reference"), and others the table that it hides, or a CTE before.
type hiding struct {
	name   string
	before int // how many CTEs could be read around it
}

// tableName writes the name of a table that is read, or changed.
func (r *renderer) tableName(name string) {
	for _, h := range r.inside {
		if !strings.EqualFold(h.name, name) {
			continue
		}
		for i := len(r.ctes) - 1; i >= 0; i-- {
			if !strings.EqualFold(r.ctes[i].name, name) {
				continue
			}
			if i < h.before {
				r.fail(r.fault("CTE "+strconv.Quote(h.name), "reads another CTE of its own name, which SQLite takes for itself; give one of them another name", nil))
			}
			r.path(name)
			return
		}
		r.str("main.")
		break
	}
	r.path(name)
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

// hider is the CTE that the SELECT which is being written reads in the place of its table,
// nil without one. The table that a statement changes is hidden by none.
func (r *renderer) hider() *visible {
	if len(r.ctes) == 0 || r.target && len(r.outer) == 0 {
		return nil
	}
	for i := len(r.ctes) - 1; i >= 0; i-- {
		if r.ctes[i].name == r.q.Table() && (r.q.more == nil || r.q.more.from == nil) {
			return &r.ctes[i]
		}
	}
	return nil
}

// lacks says that the SELECT reads a CTE in the place of its table, and that this is known
// not to have the column.
func (r *renderer) lacks(column string) bool {
	v := r.hider()
	return v != nil && v.all && !slices.Contains(v.columns, column)
}

// reads says that the query of a CTE reads the table that the CTE hides, and no other.
func (r *renderer) reads(q *Query, c *CTE) bool {
	if c.Recursive || q.Table() != c.Name || q.more != nil && (q.more.from != nil || len(q.more.unions) > 0 || len(q.more.ctes) > 0) {
		return false
	}
	for i := len(r.ctes) - 1; i >= 0; i-- {
		if r.ctes[i].name == c.Name {
			return r.ctes[i].own
		}
	}
	return true
}
