package queries

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dbfleet/dbfleet"
)

func (r wishes) cond(w *wanted, depth int) wantedCond {
	c := wantedCond{kind: r.IntN(condExists + 1), left: r.column(w), op: pick(r, "=", "<", ">", "<>", "<=", ">="), or: r.IntN(4) == 0, values: []int64{r.Int64N(7), r.Int64N(7)}}
	if c.kind == condGroup && depth == 0 {
		c.kind = condValue
	}
	switch c.kind {
	case condColumns:
		c.right = r.column(w)
	case condGroup:
		for range 1 + r.IntN(2) {
			c.inner = append(c.inner, r.cond(w, depth-1))
		}
	case condExists:
		c.sub = tableRef{pick(r, "ra", "rb", "rc"), "e"}
		in := pick(r, collidingTables[c.sub.table]...)
		c.left = told{pick(r, "e."+in, in), "e." + in}
		s := pick(r, w.sources...)
		out := s.ref + "." + pick(r, collidingTables[s.table]...)
		c.right = told{out, out}
		if !w.modelled {
			c.left.name = c.left.sql
		}
	}
	return c
}

// having adds conditions on what was grouped, or on aliases.
func (r wishes) having(w *wanted) {
	for range r.IntN(3) {
		c := wantedCond{kind: pick(r, condValue, condIn), op: pick(r, "<", ">", "<>"), values: []int64{r.Int64N(9), r.Int64N(9)}}
		it := pick(r, w.items...)
		c.left = told{it.name, it.what.sql}
		for _, g := range w.groups { // which come first
			if g.sql[strings.LastIndexByte(g.sql, '.')+1:] == it.name && it.form != byName {
				c.left = g
			}
		}
		if it.form == byName || !w.modelled && c.left.name == it.name && r.named(w, it.name) {
			c.left = told{it.what.sql, it.what.sql}
			if it.form != byName {
				continue
			}
		}
		w.having = append(w.having, c)
	}
}

// named says whether a grouped column has a name.
func (r wishes) named(w *wanted, name string) bool {
	return slices.ContainsFunc(w.groups, func(g told) bool { return g.name == name })
}

// orders sorts all rows that differ: by some names, and then by all that tells rows
// apart.
func (r wishes) orders(w *wanted, grouped bool) {
	outputs := w.outputs()
	number := func(name string) int {
		return 1 + slices.IndexFunc(outputs, func(o told) bool { return strings.EqualFold(o.name, name) })
	}
	add := func(o told) { w.orders = append(w.orders, wantedOrder{o, r.IntN(2) == 0}) }
	for range r.IntN(3) {
		switch c := r.column(w); {
		case r.IntN(2) == 0:
			i := r.IntN(len(outputs))
			add(told{outputs[i].name, fmt.Sprint(i + 1)})
		case grouped, w.distinct:
		case strings.Contains(c.name, "."):
			add(c)
		case number(c.name) > 0: // the result's column comes first
			add(told{c.name, fmt.Sprint(number(c.name))})
		default:
			add(c)
		}
	}
	if grouped || w.distinct {
		for i, o := range outputs {
			add(told{o.name, fmt.Sprint(i + 1)})
		}
	}
	if w.distinct {
		return
	}
	for _, g := range w.groups {
		add(told{g.sql, g.sql})
	}
	for _, s := range w.sources {
		if !grouped {
			add(told{s.ref + ".id", s.ref + ".id"})
		}
	}
}

// united makes a query of two, with as many columns; ok is false when it cannot be.
func (r wishes) united(w *wanted) (ok bool) {
	if len(w.items) == 0 {
		return false
	}
	other := r.query(w.modelled)
	for len(other.items) < len(w.items) {
		c := r.column(other)
		alias := fmt.Sprint("alias", len(other.items))
		if len(other.groups) > 0 {
			return false
		}
		other.items = append(other.items, wantedItem{form: byAs, what: c, alias: alias, name: alias})
	}
	if len(other.having) > 0 {
		return false
	}
	other.items = other.items[:len(w.items)]
	other.orders, other.limit, other.offset, other.distinct = nil, -1, 0, false
	w.union, w.unionAll, w.orders = other, r.IntN(2) == 0, nil
	for i, o := range w.outputs() {
		w.orders = append(w.orders, wantedOrder{told{o.name, fmt.Sprint(i + 1)}, r.IntN(2) == 0})
	}
	return true
}

// tellAll tells the library of a query.
func tellAll[T any](m *models, q *dbfleet.Query[T], w *wanted) *dbfleet.Query[T] {
	q = tell(m, q, w)
	if w.union != nil {
		other := w.union.told(m)
		if w.unionAll {
			q = q.UnionAll(other)
		} else {
			q = q.Union(other)
		}
	}
	for _, o := range w.orders {
		q = q.OrderBy(o.what.name, map[bool]dbfleet.Direction{true: dbfleet.Desc, false: dbfleet.Asc}[o.desc])
	}
	if w.limit >= 0 {
		q = q.Limit(w.limit)
		if w.offset > 0 {
			q = q.Offset(w.offset)
		}
	}
	return q
}

func tell[T any](m *models, q *dbfleet.Query[T], w *wanted) *dbfleet.Query[T] {
	if w.base.ref != w.base.table {
		q = q.As(w.base.ref)
	}
	for _, j := range w.joins {
		if j.left {
			q = q.LeftJoin(j.spelled, j.here.name, "=", j.other.name)
		} else {
			q = q.Join(j.spelled, j.here.name, "=", j.other.name)
		}
	}
	for _, it := range w.items {
		switch it.form {
		case byName:
			q = q.Select(it.what.name)
		case byAs:
			q = q.SelectAs(it.what.name, it.alias)
		case bySQL:
			q = q.SelectRaw(it.what.name)
		case bySub:
			q = q.SelectSub(m.rows(it.sub.table).As("s").SelectRaw("COUNT(*)").WhereColumn("s.id", "<", it.subOn.name), it.alias)
		}
	}
	if w.distinct {
		q = q.Distinct()
	}
	q = tellConds(m, q, w, w.conds)
	for _, g := range w.groups {
		q = q.GroupBy(g.name)
	}
	for _, c := range w.having {
		if c.kind == condIn {
			q = q.Having(c.left.name, "IN", c.values)
		} else {
			q = q.Having(c.left.name, c.op, c.values[0])
		}
	}
	return q
}

func tellConds[T any](m *models, q *dbfleet.Query[T], w *wanted, conds []wantedCond) *dbfleet.Query[T] {
	type Q = *dbfleet.Query[T]
	for i, c := range conds {
		or := c.or && i > 0
		one := func(q Q) Q {
			switch c.kind {
			case condColumns:
				return q.WhereColumn(c.left.name, c.op, c.right.name)
			case condIn:
				return q.WhereIn(c.left.name, c.values)
			case condNull:
				return q.WhereNull(c.left.name)
			case condGroup:
				return tellConds(m, q, w, c.inner)
			case condExists:
				return q.WhereExists(m.exists(w.modelled, c.sub.table, c.left.name, c.right.name))
			}
			return q.Where(c.left.name, c.op, c.values[0])
		}
		switch {
		case or:
			q = q.OrWhereGroup(one)
		case c.kind == condGroup:
			q = q.WhereGroup(one)
		default:
			q = one(q)
		}
	}
	return q
}
