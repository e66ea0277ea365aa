package rowmap

import (
	"database/sql/driver"
	"time"

	"github.com/dbfleet/dbfleet/internal/cell"
	"github.com/dbfleet/dbfleet/internal/dialect"
)

// Trailing returns a source without the last n columns of src, whose values it gives to
// each for each row. They are valid until the following call; see Trailed.
func Trailing(src Source, n int, each func(values []driver.Value) error) Source {
	t := trailing{src: src, shown: len(src.Columns()) - n, each: each, last: make([]driver.Value, n)}
	if cells, ok := src.(Cells); ok {
		return &trailingCells{t, cells, make([]cell.Cell, len(src.Columns()))}
	}
	return &t
}

// trailing is a source without its last columns.
type trailing struct {
	src   Source
	shown int // how many columns are left
	row   []driver.Value
	last  []driver.Value
	each  func([]driver.Value) error
}

func (t *trailing) Columns() []string         { return t.src.Columns()[:t.shown] }
func (t *trailing) TypeName(i int) string     { return t.src.TypeName(i) }
func (t *trailing) Close() error              { return t.src.Close() }
func (t *trailing) Dialect() *dialect.Dialect { return dialectOf(t.src) }

func (t *trailing) Next(dest []driver.Value) error {
	if t.row == nil {
		t.row = make([]driver.Value, len(t.src.Columns()))
	}
	if err := t.src.Next(t.row); err != nil {
		return err
	}
	copy(dest, t.row)
	copy(t.last, t.row[t.shown:])
	return t.each(t.last)
}

// trailingCells is trailing on a source that gives cells.
type trailingCells struct {
	trailing
	cells Cells
	whole []cell.Cell
}

func (t *trailingCells) NextCells(row []cell.Cell) error {
	if err := t.cells.NextCells(t.whole); err != nil {
		return err
	}
	copy(row, t.whole)
	for i := range t.last {
		t.last[i] = t.whole[t.shown+i].Value()
	}
	return t.each(t.last)
}

// Trailed is a value of a column as it can be kept, and as an argument that the database
// compares with the column: nil, a bool, int64, uint64, float64, string, []byte, or
// time.Time in UTC. decimal says that it is the text of an exact number which MySQL would
// take for a float. ok is false for a value whose column is not sorted by what it shows.
func Trailed(v driver.Value, typeName string, d *dialect.Dialect) (kept any, decimal, ok bool, err error) {
	switch {
	case d == dialect.MySQL && (typeName == "ENUM" || typeName == "SET"):
		return nil, false, v == nil, nil
	case d == dialect.MySQL && typeName == "FLOAT":
		// What is stored, and not the decimal that it is written as, is what MySQL compares.
		switch f := v.(type) {
		case float32:
			return float64(f), false, true, nil
		case float64:
			return float64(float32(f)), false, true, nil
		}
	case d == dialect.Postgres && typeName == "FLOAT4":
		if f, isFloat := v.(float64); isFloat {
			return f, false, true, nil
		}
	case d == dialect.SQLite:
		typeName = "" // values have types, the column's says nothing
		if text, isText := v.(string); isText {
			return text, false, true, nil
		}
	case d == dialect.MySQL && typeName == "DECIMAL":
		decimal = true
	}
	kept, err = plainValue(v, typeName, d)
	if at, isTime := kept.(time.Time); isTime {
		kept = at.UTC()
	}
	return kept, decimal, true, err
}
