package dbfleet

import (
	"slices"

	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// Aggregation is an aggregate over the rows of a group, or over all rows: CountRows,
// CountOf, SumOf, AvgOf, MinOf and MaxOf make one. It is an Expression for select lists
// and, by its alias, for Having and OrderBy; Over makes one of each row's window.
//
//	paid := dbfleet.CountRows().Where(status.Eq("paid"))
//	orders.Select("user_id").SelectValue(paid, "paid").SelectValue(dbfleet.SumOf(total), "total").GroupBy("user_id")
type Aggregation[V any] struct{ Expression[V] }

// CountRows is how many rows there are.
func CountRows() Aggregation[int64] {
	return Aggregation[int64]{Expression[int64]{t: sqlgen.Aggregate{Func: sqlgen.CountRows}, number: true}}
}

// CountOf is how many values there are that are not NULL.
func CountOf(value Term) Aggregation[int64] {
	return Aggregation[int64]{Expression[int64]{t: aggregateOf("CountOf", sqlgen.CountRows, value), number: true}}
}

// SumOf is the sum of the values that are not NULL, NULL if there are none. It is exact,
// as that of SelectSum is, and has its limits.
func SumOf[V any](value Operand[V]) Aggregation[V] {
	return Aggregation[V]{Expression[V]{t: aggregateOf("SumOf", sqlgen.SumOf, value), number: true}}
}

// AvgOf is the mean of the values that are not NULL, NULL if there are none.
func AvgOf(value Term) Aggregation[float64] {
	return Aggregation[float64]{Expression[float64]{t: aggregateOf("AvgOf", sqlgen.MeanOf, value), number: true}}
}

// MinOf is the smallest value, NULL if there are none.
func MinOf[V any](value Operand[V]) Aggregation[V] {
	return Aggregation[V]{Expression[V]{t: aggregateOf("MinOf", sqlgen.MinOf, value), number: isNumber(value)}}
}

// MaxOf is the largest value, NULL if there are none.
func MaxOf[V any](value Operand[V]) Aggregation[V] {
	return Aggregation[V]{Expression[V]{t: aggregateOf("MaxOf", sqlgen.MaxOf, value), number: isNumber(value)}}
}

// Distinct counts or adds each of equal values once.
func (a Aggregation[V]) Distinct() Aggregation[V] {
	if made, ok := a.t.(sqlgen.Aggregate); ok && made.Of == nil {
		a.t = broken("Distinct", "CountRows counts no values; CountOf does")
	}
	return a.changed(func(made *sqlgen.Aggregate) { made.Distinct = true })
}

// Where keeps to the rows for which all the conditions hold; the others count for
// nothing. It is FILTER of PostgreSQL, on every database.
func (a Aggregation[V]) Where(conds ...Cond) Aggregation[V] {
	return a.changed(func(made *sqlgen.Aggregate) { made.If = append(slices.Clip(made.If), joined(conds, false)...) })
}

// Over is the aggregate over each row's window instead of a group: of all rows of its
// part or, with an order, of those up to the row and the ones that the order holds for
// equal to it. MySQL and SQLite take no Distinct there, PostgreSQL neither.
func (a Aggregation[V]) Over(window Window) Expression[V] {
	return Expression[V]{t: over(a.t, window), number: a.number}
}

func (a Aggregation[V]) changed(change func(*sqlgen.Aggregate)) Aggregation[V] {
	made, ok := a.t.(sqlgen.Aggregate)
	if !ok { // broken, or the zero value
		return a
	}
	change(&made)
	a.t = made
	return a
}

func aggregateOf(part string, function sqlgen.Function, value Term) sqlgen.Term {
	t := termOf(part, value)
	if b, bad := t.(sqlgen.BrokenTerm); bad {
		return b
	}
	return sqlgen.Aggregate{Func: function, Of: t}
}

// isNumber says whether an operand is a number also where a V is not one of Go's.
func isNumber[V any](value Operand[V]) bool {
	switch e := value.(type) {
	case Expression[V]:
		return e.number
	case Aggregation[V]:
		return e.number
	}
	switch rowmap.KindOf[V]() {
	case rowmap.Int, rowmap.Uint, rowmap.Float:
		return true
	}
	return false
}
