package rowmap

import (
	"database/sql/driver"
	"fmt"
	"strconv"

	"github.com/dbfleet/dbfleet/internal/cell"
	"github.com/dbfleet/dbfleet/internal/dialect"
)

// Hiding returns a source without the last n columns of src, which are not NULL
// and whole numbers. It gives those of each row to each, which keeps nothing of
// the slice.
func Hiding(src Source, n int, each func(numbers []int64)) Source {
	h := hiding{src: src, shown: len(src.Columns()) - n, numbers: make([]int64, n), each: each}
	if cells, ok := src.(Cells); ok {
		return &hidingCells{h, cells, make([]cell.Cell, len(src.Columns()))}
	}
	return &h
}

// hiding is a source without its last columns.
type hiding struct {
	src     Source
	shown   int // how many columns are left
	row     []driver.Value
	numbers []int64
	each    func([]int64)
}

func (h *hiding) Columns() []string         { return h.src.Columns()[:h.shown] }
func (h *hiding) TypeName(i int) string     { return h.src.TypeName(i) }
func (h *hiding) Close() error              { return h.src.Close() }
func (h *hiding) Dialect() *dialect.Dialect { return dialectOf(h.src) }

func (h *hiding) Next(dest []driver.Value) error {
	if h.row == nil {
		h.row = make([]driver.Value, h.shown+len(h.numbers))
	}
	if err := h.src.Next(h.row); err != nil {
		return err
	}
	copy(dest, h.row)
	return h.tell(func(i int) driver.Value { return h.row[i] })
}

// tell gives the hidden numbers to each.
func (h *hiding) tell(value func(i int) driver.Value) (err error) {
	for i := range h.numbers {
		switch v := value(h.shown + i).(type) {
		case int64:
			h.numbers[i] = v
		case []byte:
			h.numbers[i], err = strconv.ParseInt(string(v), 10, 64)
		case string:
			h.numbers[i], err = strconv.ParseInt(v, 10, 64)
		default:
			err = fmt.Errorf("%w: column %q is a %T, not a whole number", ErrColumn, h.src.Columns()[h.shown+i], v)
		}
		if err != nil {
			return err
		}
	}
	h.each(h.numbers)
	return nil
}

// hidingCells is hiding on a source that gives cells.
type hidingCells struct {
	hiding
	cells Cells
	whole []cell.Cell
}

func (h *hidingCells) NextCells(row []cell.Cell) error {
	if err := h.cells.NextCells(h.whole); err != nil {
		return err
	}
	copy(row, h.whole)
	return h.tell(func(i int) driver.Value { return h.whole[i].Value() })
}
