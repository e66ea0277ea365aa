package sqlgen

import (
	"slices"
	"strings"
)

// Equal rows of a SELECT DISTINCT may come of rows that differ in what is not selected. Sorted
// by that SQLite and MySQL take its value of any of them, and PostgreSQL refuses.

// orderOfDistinct writes one item of ORDER BY behind DISTINCT, and fails for one that may
// differ between the rows that become one.
func (r *renderer) orderOfDistinct(q *Query, o *Cond) {
	f := r.folds
	read, computes := len(f.read), f.computes
	f.computes = false
	r.order(q, o)
	computed := f.computes
	f.computes = f.computes || computes
	d := o.detail()
	if d == nil || d.expr == nil || d.expr.Term == nil {
		if d != nil && d.expr != nil { // SQL of the caller's
			return
		}
		r.distinctBy(q, o.col)
		return
	}
	if column, ok := d.expr.Term.(ColumnTerm); ok {
		r.distinctBy(q, string(column))
		return
	}
	if slices.Contains(f.terms, r.textOf(d.expr.Term)) {
		return
	}
	if computed {
		r.notSelected("an aggregate or a window's function")
	}
	for _, c := range f.read[read:] {
		r.distinctBy(q, c.name)
	}
}

// distinctBy fails for a column that may differ between rows that are selected as one.
func (r *renderer) distinctBy(q *Query, name string) {
	t := r.folds.table
	if q.Selects() {
		if _, n, any := q.named(r.d, name, t); n > 0 || any {
			return
		}
	}
	selected, all := r.selectedColumns(q, t)
	if all || r.sameInGroup(&selected, name) {
		return
	}
	r.notSelected("the column \"" + name + "\"")
}

func (r *renderer) notSelected(what string) {
	r.fail(r.fault("order by", what+" is not selected, and may differ between the rows of which DISTINCT makes one: "+r.d.Name+" would take its value of any row; select it, or sort by what is selected", nil))
}

// selectedColumns is q, grouped by the columns that it selects; all says that only the
// database knows them.
func (r *renderer) selectedColumns(q *Query, t Table) (out Query, all bool) {
	var names []string
	own := func() {
		for _, name := range t.Columns() {
			if !t.Modelled() { // which may be that of another table
				name = q.refName() + "." + name
			}
			names = append(names, name)
		}
	}
	if !q.Selects() {
		if t == nil || q.derives() {
			return *q, true
		}
		own()
	}
	for o := range q.outputs(r.d) {
		switch {
		case o.kind == unread, o.kind == star && (!q.ownStar(&o) && q.joined(o.table) == nil || t == nil || q.derives()):
			return *q, true
		case o.kind == star && q.ownStar(&o):
			own()
		case o.kind == star:
			j := q.joined(o.table)
			for _, name := range r.joinedKey(j) {
				names = append(names, j.ref()+"."+name)
			}
		case o.of != "":
			names = append(names, strings.TrimPrefix(o.path(), "."))
		}
	}
	out, p := q.extend()
	p.groups, p.columns = names, nil
	return out, false
}
