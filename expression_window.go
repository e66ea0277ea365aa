package dbfleet

import (
	"strconv"

	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// Window says which rows a window function looks at from each row. The zero value is all
// of them.
type Window struct {
	// PartitionBy are the values that the rows of a window have in common with the row.
	PartitionBy []Term
	// OrderBy sorts the rows of a window. A name is a column of the tables here, never an
	// alias of the select list.
	OrderBy []Order
}

// WindowFunction is a function that looks at the rows around each row, by Over: RowNumber,
// Rank, DenseRank, Lag, Lead or FirstValue.
type WindowFunction[V any] struct{ t sqlgen.Term }

// RowNumber is the place of a row in its window, from 1 on. Rows that the order holds for
// equal, or all without one, are numbered as the database likes.
func RowNumber() WindowFunction[int64] { return ranking(sqlgen.RowNumber) }

// Rank is the place of a row in its window, from 1 on, of which rows that the order holds
// for equal have the same; the next ones are left out.
func Rank() WindowFunction[int64] { return ranking(sqlgen.Rank) }

// DenseRank is Rank that leaves no place out.
func DenseRank() WindowFunction[int64] { return ranking(sqlgen.DenseRank) }

// Lag is the value of the row so many rows before this one, in the order of the window;
// NULL where there is none. rows must not be negative.
func Lag[V any](value Operand[V], rows int) WindowFunction[V] {
	return WindowFunction[V]{neighbour("Lag", sqlgen.Lag, value, rows)}
}

// Lead is the value of the row so many rows behind this one; see Lag.
func Lead[V any](value Operand[V], rows int) WindowFunction[V] {
	return WindowFunction[V]{neighbour("Lead", sqlgen.Lead, value, rows)}
}

// FirstValue is the value of the first row of the window.
func FirstValue[V any](value Operand[V]) WindowFunction[V] {
	return WindowFunction[V]{neighbour("FirstValue", sqlgen.FirstValue, value, 0)}
}

// Over is the function over each row's window. It stands in select lists and orders; what
// asks for rows by it reads them from a CTE or From:
//
//	ranked := orders.Select("id", "user_id").SelectValue(dbfleet.RowNumber().Over(dbfleet.Window{
//		PartitionBy: []dbfleet.Term{userID}, OrderBy: []dbfleet.Order{total.Desc()},
//	}), "place")
//	top := dbfleet.From(ranked, "ranked").Where("place", "<=", 3)
func (f WindowFunction[V]) Over(window Window) Expression[V] {
	return Expression[V]{t: over(f.t, window)}
}

func ranking(function sqlgen.Function) WindowFunction[int64] {
	return WindowFunction[int64]{sqlgen.Ranking{Func: function}}
}

func neighbour(part string, function sqlgen.Function, value Term, rows int) sqlgen.Term {
	if rows < 0 {
		return broken(part, strconv.Itoa(rows)+" rows are less than none")
	}
	t := termOf(part, value)
	if b, bad := t.(sqlgen.BrokenTerm); bad {
		return b
	}
	return sqlgen.Ranking{Func: function, Of: t, Rows: rows}
}

func over(function sqlgen.Term, window Window) sqlgen.Term {
	switch f := function.(type) {
	case nil:
		return broken("Over", "the function is the zero value")
	case sqlgen.BrokenTerm:
		return f
	}
	orders, err := ordersOf(window.OrderBy)
	if err != nil {
		return sqlgen.BrokenTerm{Err: err}
	}
	o := sqlgen.Over{Func: function, Order: orders}
	for _, p := range window.PartitionBy {
		o.Partition = append(o.Partition, termOf("PartitionBy", p))
	}
	return o
}
