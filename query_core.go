package dbfleet

import (
	"strings"

	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// The steps of building a query. They are not inlined into the builder's
// methods, which exist once per type.

//go:noinline
func (q *core) where(c sqlgen.Cond) { q.q.Add(c) }

// compares adds column op value.
//
//go:noinline
func (q *core) compares(or bool, column, op string, value any) {
	parsed, ok := sqlgen.ParseOp(op)
	if !ok {
		q.q.Add(unknownOperator(column, op))
		return
	}
	q.q.AddCompare(or, column, parsed, value)
}

//go:noinline
func (q *core) in(column string, op sqlgen.Op, values any) { q.q.AddCompare(false, column, op, values) }

//go:noinline
func (q *core) columns(cols ...sqlgen.Column) { q.q = q.q.WithColumns(cols...) }

//go:noinline
func (q *core) distinct() { q.q = q.q.WithDistinct() }

//go:noinline
func (q *core) alias(name string) { q.q = q.q.WithAlias(name) }

//go:noinline
func (q *core) join(kind, table, left string, op sqlgen.Op, right string) {
	q.q = q.q.WithJoin(kind, table, left, op, right)
}

//go:noinline
func (q *core) rawJoin(e *sqlgen.Expr) { q.q = q.q.WithRawJoin(e) }

//go:noinline
func (q *core) groups(columns ...string) { q.q = q.q.WithGroups(columns...) }

//go:noinline
func (q *core) having(c sqlgen.Cond) { q.q = q.q.WithHaving(c) }

//go:noinline
func (q *core) order(o sqlgen.Order) { q.q.AddOrder(o) }

//go:noinline
func (q *core) limit(n int64) { q.q.SetLimit(n) }

//go:noinline
func (q *core) offset(n int64) { q.q = q.q.WithOffset(n) }

//go:noinline
func (q *core) union(other Subquery, all bool) { q.q = q.q.WithUnion(other, all) }

//go:noinline
func (q *core) lock(l sqlgen.Lock) { q.q = q.q.WithLock(l) }

//go:noinline
func (q *core) allRows() { q.q = q.q.WithAllRows() }

func (q *core) filter(conds []Cond) {
	for _, c := range conds {
		q.where(c.c.And())
	}
}

func (q *core) selects(columns []string) {
	list := make([]sqlgen.Column, len(columns))
	for i, c := range columns {
		list[i] = sqlgen.Column{Name: c}
	}
	q.columns(list...)
}

func (q *core) joinOn(kind, table, left, op, right string) {
	parsed, ok := sqlgen.ParseOp(op)
	if !ok {
		q.where(sqlgen.Invalid(&OperatorError{Column: left, Operator: op, Known: "=, !=, <>, <, <=, >, >="}))
	}
	q.join(kind, table, left, parsed, right)
}

func (q *core) orderBy(column string, direction Direction) {
	switch {
	case direction == Asc || strings.EqualFold(string(direction), "ASC"):
		q.order(sqlgen.Order{Column: column})
	case strings.EqualFold(string(direction), "DESC"):
		q.order(sqlgen.Order{Column: column, Desc: true})
	default:
		q.where(sqlgen.Invalid(&OperatorError{Column: column, Operator: string(direction), Known: "ASC, DESC"}))
	}
}

// The place of a query is shared by its copies; a change makes a new one.

//go:noinline
func (q *core) named(connection string) { q.moved().db = connection }

//go:noinline
func (q *core) sharded(key any) {
	at := q.moved()
	at.shard, at.hasShard = key, true
}

//go:noinline
func (q *core) primary() { q.moved().primary = true }

//go:noinline
func (q *core) using(tx *Tx) { q.moved().tx = tx }

// moved gives the query a place of its own.
func (q *core) moved() *place {
	at := *q.place()
	q.at = &at
	return &at
}

// place is what the query asks of its route; it is not changed.
func (q *core) place() *place {
	if q.at == nil {
		return &nowhere
	}
	return q.at
}

var nowhere place
