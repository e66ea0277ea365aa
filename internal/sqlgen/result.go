package sqlgen

import (
	"strconv"
	"strings"
)

// Gives says whether the rows of q may have a column of that name.
func (q *Query) Gives(name string) bool {
	_, ok, _ := q.given(nil, name, nil)
	return ok
}

// Plucked returns the query for one column of q. name tells which one of its
// result that is; empty, it is the only one. A select list stays where it gives the
// column, and where an order or HAVING may use its aliases.
func (q Query) Plucked(column string) (out Query, name string) {
	called, _, sure := q.given(nil, column, nil)
	_, _, more := q.named(nil, column, nil)
	switch {
	case q.Selects() && (sure || more && lastPart(column) == column):
		return q, called
	case q.Unites():
		return q, lastPart(column)
	case q.Selects() && !q.distinct() && (q.steps.ordered() || len(q.more.having) > 0):
		const name = "dbfleet_plucked"
		return q.WithColumns(Column{Name: column, As: name}), name
	}
	return q.OnlyColumns(Column{Name: column}), ""
}

// Computes says whether a name means, or may mean, what SQL of the select list
// computes, an alias, or what the star of another table gives.
func (q *Query) Computes(name string) bool {
	o, n, more := q.named(nil, name, nil)
	return n == 0 && more && lastPart(name) == name || n > 0 && (o.kind == aliased || o.item.Expr != nil)
}

// CallsElse says that the select list calls something else by the name of a column of q's
// own table.
func (q *Query) CallsElse(column string) bool {
	o, n, _ := q.named(nil, column, nil)
	same := o.of == column || o.loose && strings.EqualFold(o.of, column)
	return n > 0 && !(same && (o.table == "" || q.own(o.table)))
}

// AddTie adds a column of q's own table to its order, unless it is there, whatever the
// select list calls so.
func (q *Query) AddTie(column string) {
	if !q.OrdersBy(column) {
		q.addTie(column)
	}
}

func (q *Query) addTie(column string) {
	if q.CallsElse(column) {
		column = q.refName() + "." + column
	}
	q.AddOrder(Order{Column: column})
}

// oneColumn says whether the rows of q may have a single column.
func (q *Query) oneColumn(t Table) bool {
	if q.Selects() {
		return len(q.more.columns) == 1
	}
	return t == nil || len(t.Columns()) == 1
}

// resultColumn writes a column of q's result, which no table owns any more:
// that of a derived table, or of a union.
func (r *renderer) resultColumn(q *Query, t Table, name string) {
	called, ok, _ := q.given(r.d, name, t)
	if !ok {
		r.notGiven(q, t, name)
		return
	}
	if o, n, _ := q.named(r.d, called, t); n == 1 {
		called = o.nameIn(r.d)
	} else if n > 1 {
		r.fail(r.fault("column "+strconv.Quote(name), "is ambiguous: the rows have several of that name; give each an alias", nil))
	}
	r.ident(called)
}

// notGiven fails for a column that the rows of q do not have.
func (r *renderer) notGiven(q *Query, t Table, name string) {
	e := &UnknownColumnError{Table: q.Table(), Column: name, Known: q.outputNames(r.d), OfRows: true}
	if !q.Selects() && t != nil {
		e.Known = t.Columns()
	}
	r.fail(e)
}
