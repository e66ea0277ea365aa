package rowmap

import (
	"database/sql/driver"
	"fmt"
	"strconv"

	"github.com/dbfleet/dbfleet/internal/cell"
	"github.com/dbfleet/dbfleet/internal/dialect"
)

// Hiding returns a source without the last n columns of src. The first of them is a
// whole number, which it gives to each for each row. A row for which that is false is
// left out.
func Hiding(src Source, n int, each func(number int64) bool) Source {
	h := hiding{src: src, shown: len(src.Columns()) - n, each: each}
	if cells, ok := src.(Cells); ok {
		return &hidingCells{h, cells, make([]cell.Cell, len(src.Columns()))}
	}
	return &h
}

// hiding is a source without its last columns.
type hiding struct {
	src   Source
	shown int // how many columns are left
	row   []driver.Value
	each  func(int64) bool
}

func (h *hiding) Columns() []string         { return h.src.Columns()[:h.shown] }
func (h *hiding) TypeName(i int) string     { return h.src.TypeName(i) }
func (h *hiding) Close() error              { return h.src.Close() }
func (h *hiding) Dialect() *dialect.Dialect { return dialectOf(h.src) }

func (h *hiding) Next(dest []driver.Value) error {
	if h.row == nil {
		h.row = make([]driver.Value, len(h.src.Columns()))
	}
	for {
		if err := h.src.Next(h.row); err != nil {
			return err
		}
		if shown, err := h.tell(h.row[h.shown]); shown || err != nil {
			copy(dest, h.row)
			return err
		}
	}
}

// tell gives a row's number to each.
func (h *hiding) tell(v driver.Value) (shown bool, err error) {
	n := int64(0)
	switch v := v.(type) {
	case int64:
		n = v
	case []byte:
		n, err = strconv.ParseInt(string(v), 10, 64)
	case string:
		n, err = strconv.ParseInt(v, 10, 64)
	default:
		err = fmt.Errorf("%w: column %q is a %T, not a whole number", ErrColumn, h.src.Columns()[h.shown], v)
	}
	return err == nil && h.each(n), err
}

// hidingCells is hiding on a source that gives cells.
type hidingCells struct {
	hiding
	cells Cells
	whole []cell.Cell
}

func (h *hidingCells) NextCells(row []cell.Cell) error {
	for {
		if err := h.cells.NextCells(h.whole); err != nil {
			return err
		}
		if shown, err := h.tell(h.whole[h.shown].Value()); shown || err != nil {
			copy(row, h.whole)
			return err
		}
	}
}
