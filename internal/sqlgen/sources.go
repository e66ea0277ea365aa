package sqlgen

import (
	"slices"
	"strings"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// A source is the column of a table that a column of a result is; of has none for anything
// else, or what is not certain.
type source struct {
	table Table  // nil for one of which only the name is known
	of    string // the table's name
	name  string // the column, "" for anything else
	star  bool   // it is all columns of the table, or with no name those of others
}

// resulting is a column of a result, or a star.
type resulting struct {
	called string
	source
}

// tracing finds out what the columns of a result are.
type tracing struct {
	d          *dialect.Dialect
	connection string
}

// Sources tells by column of q's result, which are called so, which column of q's table it
// is, "" for anything else: what an expression or another table gives, whatever it is
// called, and what is not known for certain. own says which tables count; a nil Table is
// one of which nothing but its name is known. nil says that each column is the one of its
// name. Hidden columns are not among the names.
func (q *Query) Sources(columns []string, env *Env, own func(t Table, name string) bool) []string {
	if m := q.more; env.Table != nil && env.Table.Modelled() && own(env.Table, q.Table()) && (m == nil || len(m.columns)+len(m.unions)+len(m.ctes) == 0 && m.from == nil) {
		return nil
	}
	t := tracing{env.Dialect, env.Connection}
	out := make([]string, len(columns))
	for i, s := range spread(t.columns(q, env.Table, nil), columns) {
		if s.name != "" && own(s.table, s.of) {
			out[i] = s.name
			if t.d != dialect.Postgres && strings.EqualFold(s.name, columns[i]) { // the same column there
				out[i] = columns[i]
			}
		}
	}
	return out
}

// spread gives each column of a result its source, where stars have as many as are left.
func spread(list []resulting, columns []string) []source {
	out := make([]source, len(columns))
	first, last := slices.IndexFunc(list, isStar), len(list)
	if first < 0 {
		if len(list) == len(columns) {
			for i := range list {
				out[i] = list[i].source
			}
		}
		return out
	}
	for last > 0 && !list[last-1].star {
		last--
	}
	behind := len(list) - last
	if first+behind > len(columns) {
		return out
	}
	for i := range first {
		out[i] = list[i].source
	}
	for i := range behind {
		out[len(columns)-behind+i] = list[last+i].source
	}
	for i := first; i < len(columns)-behind; i++ {
		out[i] = ofStars(list[first:last], columns[i])
	}
	return out
}

// ofStars is the source of a column that stars, or what stands between them, give.
func ofStars(list []resulting, name string) (found source) {
	for _, r := range list {
		switch {
		case !r.star && r.called == name:
			return r.source
		case r.star && r.of != "" && (r.table == nil || !r.table.Modelled() || r.table.Known(name)):
			found = source{table: r.table, of: r.of, name: name}
		}
	}
	return found
}

func isStar(r resulting) bool { return r.star }

// columns are those of q's result. ctes are those that it may read.
func (t tracing) columns(q *Query, of Table, ctes []CTE) []resulting {
	var unions []union
	if q.more != nil {
		ctes = slices.Concat(ctes, q.more.ctes)
		unions = q.more.unions
	}
	list := t.selected(q, of, ctes)
	for _, u := range unions {
		uq, ut, err := u.q.Statement(t.connection)
		if err != nil {
			return nil
		}
		list = united(list, t.columns(&uq, ut, ctes))
	}
	return list
}

// united are the columns of two queries, which are united by their places.
func united(a, b []resulting) []resulting {
	if len(a) != len(b) {
		return nil
	}
	out := slices.Clone(a)
	for i := range out {
		if same := a[i].of == b[i].of && a[i].name == b[i].name; a[i].star != b[i].star || a[i].star && !same {
			return nil
		} else if !same {
			out[i].source = source{}
		}
	}
	return out
}

// selected are the columns of q without its unions.
func (t tracing) selected(q *Query, of Table, ctes []CTE) (list []resulting) {
	if q.more != nil && q.more.from != nil {
		return nil
	}
	if !q.Selects() {
		if of == nil {
			return t.star(q, of, ctes)
		}
		for _, c := range of.Columns() {
			list = append(list, resulting{c, t.own(q, of, ctes, c)})
		}
		return list
	}
	for o := range q.outputs(t.d) {
		s := source{}
		switch {
		case o.kind == unread || o.kind == nameless && strings.HasSuffix(o.raw.SQL, "*"):
			return nil // as many columns as only the database knows
		case o.kind == star && q.ownStar(&o):
			list = append(list, t.star(q, of, ctes)...)
			continue
		case o.kind == star:
			s.star = true
		case o.of != "":
			s = t.named(q, of, ctes, &o)
		}
		list = append(list, resulting{o.nameIn(t.d), s})
	}
	return list
}

// star are the columns of q's own table by a star.
func (t tracing) star(q *Query, of Table, ctes []CTE) []resulting {
	if c, before := t.hiding(ctes, q.Table()); c != nil {
		return t.cte(c, before)
	}
	return []resulting{{source: source{table: of, of: q.Table(), star: true}}}
}

// named is the source of a column by its name.
func (t tracing) named(q *Query, of Table, ctes []CTE, o *output) source {
	switch {
	case o.table == "":
		if q.Joined() && (of == nil || !of.Modelled() || !of.Known(t.written(of, o))) {
			return source{}
		}
	case of != nil && of.Modelled() && o.item.Expr == nil && of.Known(o.item.Name): // the dot is part of the name
		return t.own(q, of, ctes, o.item.Name)
	case !q.own(o.table):
		return source{}
	}
	return t.own(q, of, ctes, t.written(of, o))
}

// written is the name of the column that stands in SQL as o.of does.
func (t tracing) written(of Table, o *output) string {
	switch {
	case t.d == dialect.Postgres && o.loose:
		return strings.ToLower(o.of)
	case t.d == dialect.Postgres || of == nil || of.Known(o.of) && of.Modelled():
		return o.of
	}
	for _, c := range of.Columns() {
		if strings.EqualFold(c, o.of) {
			return c
		}
	}
	return o.of
}

// own is the source of a column of q's own table, which a CTE may hide.
func (t tracing) own(q *Query, of Table, ctes []CTE, name string) source {
	c, before := t.hiding(ctes, q.Table())
	if c == nil {
		return source{table: of, of: q.Table(), name: name}
	}
	list := t.cte(c, before)
	n, at := 0, source{}
	for _, r := range list {
		if r.called == name && !r.star {
			n++
			at = r.source
		}
	}
	if n == 0 {
		return ofStars(list, name)
	}
	if n > 1 {
		return source{}
	}
	return at
}

// hiding is the CTE that a query reads by the name of a table, nil without one, and those
// that its query may read.
func (t tracing) hiding(ctes []CTE, table string) (c *CTE, before []CTE) {
	for i := len(ctes) - 1; i >= 0; i-- {
		if name := ctes[i].Name; name == table || t.d != dialect.Postgres && strings.EqualFold(name, table) {
			return &ctes[i], ctes[:i]
		}
	}
	return nil, nil
}

// cte are the columns of a CTE.
func (t tracing) cte(c *CTE, before []CTE) []resulting {
	if c.Recursive || c.Query == nil {
		return nil
	}
	q, of, err := c.Query.Statement(t.connection)
	if err != nil {
		return nil
	}
	return t.columns(&q, of, before)
}
