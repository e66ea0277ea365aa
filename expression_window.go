package dbfleet

import (
	"math"
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
	// Frame narrows the window to rows around each row, for aggregates, FirstValue and
	// LastValue; the other functions take none. The zero value is, with an order, all rows up
	// to the row and those that the order holds for equal to it, and without one all rows.
	Frame Frame
}

// Frame says which rows of a window are looked at, counted from the row: -2 is two before
// it, 0 the row itself, 2 two behind it. Both ends belong to it.
//
//	lastThree := dbfleet.AvgOf(total).Over(dbfleet.Window{
//		OrderBy: []dbfleet.Order{day.Asc()}, Frame: dbfleet.Frame{Unit: dbfleet.FrameRows, From: -2},
//	})
type Frame struct {
	// Unit is what is counted. Without one there is no frame, and From and To must be 0.
	Unit FrameUnit
	// From and To are the ends; To must not lie before From. UnboundedPreceding and
	// UnboundedFollowing are those of the window.
	From, To int
}

// FrameUnit is what a Frame counts: FrameRows, FrameRange or FrameGroups.
type FrameUnit string

// The units of frames.
const (
	// FrameRows counts rows. Of rows that the order holds for equal, the database decides
	// which come first.
	FrameRows FrameUnit = "rows"
	// FrameRange takes the rows whose value in the order is so much less or more; 0 takes
	// those that are equal to the row. With other ends than 0 and the unbounded ones, the
	// order is one number.
	FrameRange FrameUnit = "range"
	// FrameGroups counts groups of rows that the order holds for equal. MySQL and MariaDB
	// have none, and it is refused there.
	FrameGroups FrameUnit = "groups"
)

// The ends of a window as ends of a Frame.
const (
	UnboundedPreceding = math.MinInt // for From
	UnboundedFollowing = math.MaxInt // for To
)

// WindowFunction is a function that looks at the rows around each row, by Over: RowNumber,
// Rank, DenseRank, Lag, Lead, FirstValue or LastValue.
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

// LastValue is the value of the last row of the window's frame: that of the row itself, or
// of one that the order holds for equal, unless Frame says more.
func LastValue[V any](value Operand[V]) WindowFunction[V] {
	return WindowFunction[V]{neighbour("LastValue", sqlgen.LastValue, value, 0)}
}

// FirstValue is the value of the first row of the window, or its frame.
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
	frame, wrong := frameOf(function, window)
	if wrong != nil {
		return wrong
	}
	o := sqlgen.Over{Func: function, Order: orders, Frame: frame}
	for _, p := range window.PartitionBy {
		o.Partition = append(o.Partition, termOf("PartitionBy", p))
	}
	return o
}

var frameUnits = map[FrameUnit]sqlgen.FrameUnit{FrameRows: sqlgen.FrameRows, FrameRange: sqlgen.FrameRange, FrameGroups: sqlgen.FrameGroups}

// frameOf is the frame of a window for a function, or what is wrong with it.
func frameOf(function sqlgen.Term, window Window) (frame sqlgen.Frame, wrong sqlgen.Term) {
	f := window.Frame
	if f == (Frame{}) {
		return frame, nil
	}
	unit, known := frameUnits[f.Unit]
	k, ranks := function.(sqlgen.Ranking)
	offset := f.From != 0 && f.From != UnboundedPreceding || f.To != 0 && f.To != UnboundedFollowing
	switch {
	case !known:
		wrong = broken("Frame", "there is no unit "+quoted(string(f.Unit))+"; there are rows, range and groups")
	case f.From > f.To || f.From == UnboundedFollowing || f.To == UnboundedPreceding:
		wrong = broken("Frame", "it ends before it begins")
	case ranks && k.Func != sqlgen.FirstValue && k.Func != sqlgen.LastValue:
		wrong = broken("Frame", "the function looks at the whole window, whatever the frame is")
	case f.Unit == FrameGroups && len(window.OrderBy) == 0:
		wrong = broken("Frame", "groups of rows that are equal need an order")
	case f.Unit == FrameRange && offset && len(window.OrderBy) != 1:
		wrong = broken("Frame", "a range of values needs an order by one number")
	}
	return sqlgen.Frame{Unit: unit, From: f.From, To: f.To}, wrong
}
