package dbfleet

import (
	"strings"

	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// The steps of building a query. They are not inlined into the builder's
// methods, which exist once per type.

//go:noinline
func (q *core) where(c sqlgen.Cond) { q.q.Add(c) }

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
func (q *core) order(o sqlgen.Order) { q.q = q.q.WithOrder(o) }

//go:noinline
func (q *core) limit(n int64) { q.q = q.q.WithLimit(n) }

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
	switch strings.ToUpper(string(direction)) {
	case "ASC":
		q.order(sqlgen.Order{Column: column})
	case "DESC":
		q.order(sqlgen.Order{Column: column, Desc: true})
	default:
		q.where(sqlgen.Invalid(&OperatorError{Column: column, Operator: string(direction), Known: "ASC, DESC"}))
	}
}
