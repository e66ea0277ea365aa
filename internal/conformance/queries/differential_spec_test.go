package queries

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// A wanted query is described once, and told in two ways: to the library by the
// names that a caller would write, and to the database by SQL that this file puts
// together without the library. There every column stands behind its table, the
// items of the select list are c1, c2, …, and orders are by their numbers: it
// relies on no rule of resolving names.

// collidingTables are the tables, whose columns have the same names on purpose.
var collidingTables = map[string][]string{
	"ra": {"id", "n", "k", "total"},
	"rb": {"id", "ra_id", "n", "total", "extra"},
	"rc": {"id", "rb_id", "k", "total", "kind"},
}

// told is a column or an expression: what the library is told, and what SQL is.
type told struct{ name, sql string }

// tableRef is a table that a query reads, and what the query calls it.
type tableRef struct{ table, ref string }

func (s tableRef) as() string {
	if s.ref == s.table {
		return s.table
	}
	return s.table + " AS " + s.ref
}

type wantedJoin struct {
	tableRef
	left        bool
	spelled     string // "table AS alias", "table alias", "table"
	here, other told
}

type itemForm int

const (
	byName itemForm = iota // Select
	byAs                   // SelectAs
	bySQL                  // SelectRaw
	bySub                  // SelectSub: how many rows of a table there are
)

// wantedItem is an item of the select list: name in the result, and expression.
type wantedItem struct {
	form  itemForm
	what  told
	alias string
	name  string // in the result
	sub   *tableRef
	subOn told // the column of the query that the subquery names
}

type wantedCond struct {
	kind   int
	left   told
	op     string
	right  told
	values []int64
	or     bool
	inner  []wantedCond
	sub    tableRef
}

type wantedOrder struct {
	what told
	desc bool
}

// wanted is a whole query.
type wanted struct {
	base      tableRef
	sources   []tableRef // base first
	joins     []wantedJoin
	items     []wantedItem // none: the base table's columns
	distinct  bool
	conds     []wantedCond
	groups    []told
	having    []wantedCond
	union     *wanted
	unionAll  bool
	orders    []wantedOrder
	limit     int // -1: none
	offset    int
	modelled  bool // the library has a model of the tables
	nextAlias int
}

// outputs are the names and expressions of the result.
func (w *wanted) outputs() []told {
	if len(w.items) == 0 {
		var out []told
		for _, c := range collidingTables[w.base.table] {
			out = append(out, told{c, w.base.ref + "." + c})
		}
		return out
	}
	out := make([]told, len(w.items))
	for i, it := range w.items {
		out[i] = told{it.name, it.what.sql}
	}
	return out
}

// sql is the query for the database. more are further items of the select list.
func (w *wanted) sql(more ...string) string {
	var b strings.Builder
	b.WriteString(w.body(more...))
	if w.union != nil {
		b.WriteString(map[bool]string{true: " UNION ALL ", false: " UNION "}[w.unionAll] + w.union.body())
	}
	for i, o := range w.orders {
		b.WriteString([2]string{" ORDER BY ", ", "}[min(i, 1)] + o.what.sql + map[bool]string{true: " DESC"}[o.desc])
	}
	if w.limit >= 0 {
		fmt.Fprintf(&b, " LIMIT %d", w.limit)
		if w.offset > 0 {
			fmt.Fprintf(&b, " OFFSET %d", w.offset)
		}
	}
	return b.String()
}

func (w *wanted) body(more ...string) string {
	var list []string
	for i, o := range w.outputs() {
		list = append(list, fmt.Sprintf("%s AS c%d", o.sql, i+1))
	}
	s := "SELECT " + map[bool]string{true: "DISTINCT "}[w.distinct] + strings.Join(append(list, more...), ", ") + " FROM " + w.base.as()
	for _, j := range w.joins {
		s += map[bool]string{true: " LEFT JOIN ", false: " JOIN "}[j.left] + j.as() + " ON " + j.here.sql + " = " + j.other.sql
	}
	if len(w.conds) > 0 {
		s += " WHERE " + condsSQL(w.conds)
	}
	for i, g := range w.groups {
		s += [2]string{" GROUP BY ", ", "}[min(i, 1)] + g.sql
	}
	if len(w.having) > 0 {
		s += " HAVING " + condsSQL(w.having)
	}
	return s
}

func condsSQL(conds []wantedCond) string {
	s := ""
	for i, c := range conds {
		if i > 0 {
			s += map[bool]string{true: " OR ", false: " AND "}[c.or]
		}
		s += c.sql()
	}
	return s
}

func (c *wantedCond) sql() string {
	switch c.kind {
	case condColumns:
		return c.left.sql + " " + c.op + " " + c.right.sql
	case condIn:
		return fmt.Sprintf("%s IN (%d, %d)", c.left.sql, c.values[0], c.values[1])
	case condNull:
		return c.left.sql + " IS NULL"
	case condGroup:
		return "(" + condsSQL(c.inner) + ")"
	case condExists:
		return "EXISTS (SELECT 1 FROM " + c.sub.as() + " WHERE " + c.left.sql + " = " + c.right.sql + ")"
	}
	return fmt.Sprintf("%s %s %d", c.left.sql, c.op, c.values[0])
}

const (
	condValue = iota
	condColumns
	condIn
	condNull
	condGroup
	condExists
)

// wishes makes random queries.
type wishes struct{ *rand.Rand }

func pick[T any](r wishes, list ...T) T { return list[r.IntN(len(list))] }

// query is a random query. modelled says that the library knows the columns.
func (r wishes) query(modelled bool) *wanted {
	w := &wanted{limit: -1, modelled: modelled}
	w.base.table = pick(r, "ra", "rb", "rc")
	w.base.ref = pick(r, w.base.table, w.base.table, "o", "n")
	w.sources = []tableRef{w.base}
	for range pick(r, 0, 1, 1, 2) {
		r.join(w)
	}
	grouped := r.IntN(3) == 0
	if grouped {
		for range pick(r, 1, 1, 2) {
			if g := r.column(w); !slices.ContainsFunc(w.groups, func(o told) bool { return o.sql == g.sql }) {
				w.groups = append(w.groups, g)
			}
		}
	}
	r.items(w, grouped)
	for range r.IntN(3) {
		w.conds = append(w.conds, r.cond(w, 2))
	}
	if grouped {
		r.having(w)
	}
	w.distinct = !grouped && len(w.items) > 0 && r.IntN(5) == 0
	r.orders(w, grouped)
	if r.IntN(2) == 0 {
		w.limit, w.offset = 1+r.IntN(6), pick(r, 0, 0, 1, 2)
	}
	return w
}

func (r wishes) join(w *wanted) {
	j := wantedJoin{tableRef: tableRef{table: pick(r, "ra", "rb", "rc")}, left: r.IntN(3) == 0}
	taken := func(ref string) bool {
		return slices.ContainsFunc(w.sources, func(s tableRef) bool { return s.ref == ref })
	}
	j.ref = pick(r, j.table, j.table, "p", "q", "total")
	if taken(j.ref) || j.ref != j.table && r.IntN(8) == 0 {
		j.ref = fmt.Sprintf("j%d", len(w.sources))
	}
	if j.ref == j.table {
		j.spelled = j.table
	} else {
		j.spelled = j.table + pick(r, " AS ", " as ", " ") + j.ref
	}
	before := w.sources
	w.sources = append(slices.Clone(before), j.tableRef)
	here := pick(r, collidingTables[j.table]...)
	j.here = told{j.ref + "." + here, j.ref + "." + here}
	to := pick(r, before...)
	c := pick(r, collidingTables[to.table]...)
	j.other = told{to.ref + "." + c, to.ref + "." + c}
	if w.modelled && to == w.base && r.IntN(2) == 0 {
		j.other.name = c
	}
	w.joins = append(w.joins, j)
}

// column is a column of one of the tables, by one of the names that mean it.
func (r wishes) column(w *wanted) told {
	s := pick(r, w.sources...)
	return r.spell(w, s, pick(r, collidingTables[s.table]...))
}

// spell names a column of a table of the query.
func (r wishes) spell(w *wanted, s tableRef, c string) told {
	out := told{s.ref + "." + c, s.ref + "." + c}
	owners := 0
	for _, other := range w.sources {
		if slices.Contains(collidingTables[other.table], c) {
			owners++
		}
	}
	switch {
	case r.IntN(2) == 0:
	case s == w.base && (w.modelled || owners == 1):
		out.name = c
		if w.modelled && r.IntN(4) == 0 && !slices.ContainsFunc(w.sources[1:], func(o tableRef) bool { return o.ref == s.table }) {
			out.name = s.table + "." + c // the table's own name, also behind an alias
		}
	case owners == 1 && s != w.base:
		out.name = c
	}
	return out
}

// fresh is a name for an item of the result that no other item has: that of a column,
// or a new one.
func (r wishes) fresh(w *wanted) string {
	for range 20 {
		name := pick(r, "total", "n", "k", "id", "extra", "kind", "x", "Sum", "y")
		if !slices.ContainsFunc(w.items, func(it wantedItem) bool { return strings.EqualFold(it.name, name) }) {
			return name
		}
	}
	w.nextAlias++
	return fmt.Sprintf("alias%d", w.nextAlias)
}

func (r wishes) items(w *wanted, grouped bool) {
	add := func(it wantedItem) {
		for _, other := range w.items {
			if strings.EqualFold(other.name, it.name) {
				return
			}
		}
		w.items = append(w.items, it)
	}
	plainItem := func(c told) {
		add(wantedItem{form: byName, what: c, name: c.sql[strings.LastIndexByte(c.sql, '.')+1:]})
	}
	if grouped {
		for _, g := range w.groups {
			if r.IntN(4) > 0 {
				plainItem(g)
			}
		}
		for range 1 + r.IntN(2) {
			c := r.column(w).sql
			r.rawItem(w, pick(r, "COUNT(*)", "SUM("+c+")", "MAX("+c+")", "MIN(-"+c+")", "COUNT(DISTINCT "+c+")"), add)
		}
		return
	}
	if r.IntN(4) == 0 {
		return
	}
	for range 1 + r.IntN(3) {
		c := r.column(w)
		switch r.IntN(6) {
		case 0, 1:
			plainItem(c)
		case 2, 3:
			alias := r.fresh(w)
			add(wantedItem{form: byAs, what: c, alias: alias, name: alias})
		case 4:
			r.rawItem(w, pick(r, c.sql+" + 1", "-"+c.sql, "COALESCE("+c.sql+", 0)", "CASE WHEN "+c.sql+" > 3 THEN 1 ELSE 0 END", c.sql), add)
		case 5:
			sub := tableRef{pick(r, "ra", "rb", "rc"), "s"}
			alias := r.fresh(w)
			outer := told{w.sources[0].ref + ".id", w.sources[0].ref + ".id"}
			add(wantedItem{form: bySub, sub: &sub, subOn: outer, alias: alias, name: alias,
				what: told{"", "(SELECT COUNT(*) FROM " + sub.as() + " WHERE s.id < " + outer.sql + ")"}})
		}
	}
}

// rawItem adds SQL with an alias, written in some way.
func (r wishes) rawItem(w *wanted, expr string, add func(wantedItem)) {
	alias := r.fresh(w)
	text := expr + pick(r, " AS ", " as ", " ", "\n\tAS ") + alias
	add(wantedItem{form: bySQL, what: told{text, expr}, alias: alias, name: alias})
}
