package dbfleet

import "github.com/dbfleet/dbfleet/internal/rowmap"

// Into gives the rows of a query another shape than the model's records: those of R,
// which may be what T of Select may be. The query keeps its route, shard, conditions,
// joins, groups and order, and its columns are checked as before.
//
//	type name struct{ ID int64; Name string }
//	names, err := dbfleet.Into[name](users.Where("active", "=", true)).Get(ctx)
//
// Without a select list the columns of R are that, and each must be one of the model
// (UnknownColumnError lists what there is), or of a joined table; a Row has all of the
// model. With one, given before or after Into, its names and R's fields must be the
// same, or the error is a *ColumnError that lists both; a star and
// DiscardUnknownColumns let R have fewer.
//
// The query only reads: what would write, and With, are refused.
func Into[R any](from Queryable) *Query[R] { return (*Query[R])(into(from, shapeOf[R]())) }

func into(from Queryable, as *shape) *query {
	if from == nil {
		return &query{src: &source{err: &StatementError{Part: "Into", Reason: "the query is nil"}}}
	}
	next := from.base().next()
	next.shape = as
	switch {
	case as.plan == nil || as.plan.IsScalar():
	case next.q.Unites() && !next.q.Selects():
		next.shape = &shape{err: &StatementError{Part: "Into", Reason: "the queries of a union need select lists; give each one before Union"}}
	default:
		next.q = next.q.WithImpliedColumns(as.plan.Columns())
	}
	return next
}

// takesNull says whether what a column of the result is read into can hold NULL.
func (q *query) takesNull(column string) bool {
	plan := q.plan()
	return plan == nil || plan.Nullable(column)
}

// shape is what a row is read into, if that is not what the source's records are.
type shape struct {
	plan *rowmap.Plan // nil is Row
	err  error
}

func shapeOf[T any]() *shape {
	if _, ok := any((*T)(nil)).(*Row); ok {
		return &shape{}
	}
	plan, err := rowmap.ShapeOf[T]()
	return &shape{plan, err}
}

// plan is what the query's rows are read into, nil for Row.
func (q *query) plan() *rowmap.Plan {
	if q.shape != nil {
		return q.shape.plan
	}
	return q.src.table.Plan
}

// intoReads says why a write is refused.
const intoReads = "a query of Into only reads; write by the model's own"
