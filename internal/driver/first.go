package driver

import (
	sqldriver "database/sql/driver"
	"io"

	"github.com/dbfleet/dbfleet/internal/cell"
	"github.com/dbfleet/dbfleet/internal/dialect"
)

// WithFirst reads the first row of rows, so that it is known that the server answers, and
// returns rows that begin with it. They come as cells if rows do. After an error rows are
// closed.
func WithFirst(rows Rows) (Rows, error) {
	if source, cells := rows.(cellRows); cells {
		f := &firstCells{firstRow: firstRow{Rows: rows}, source: source, row: make([]cell.Cell, len(rows.Columns()))}
		f.err = source.NextCells(f.row)
		return f, f.failed()
	}
	f := &firstRow{Rows: rows, row: make([]sqldriver.Value, len(rows.Columns()))}
	f.err = rows.Next(f.row)
	return f, f.failed()
}

// cellRows are rows that come as cells.
type cellRows interface{ NextCells(row []cell.Cell) error }

// firstRow are rows of which the first was read already.
type firstRow struct {
	Rows
	row  []sqldriver.Value // the first, nil if it is of cells
	err  error             // of reading it
	seen bool              // it was given
}

// failed is the error of the first row, unless there is none.
func (f *firstRow) failed() error {
	if f.err == nil || f.err == io.EOF {
		return nil
	}
	_ = f.Rows.Close()
	return f.err
}

// again says whether the first row is to be given, and what came of reading it.
func (f *firstRow) again() (bool, error) {
	again := !f.seen
	f.seen = true
	return again, f.err
}

// Next implements Rows. What it gives of the first row is valid as it is of others:
// nothing was read after it.
func (f *firstRow) Next(dest []sqldriver.Value) error {
	if again, err := f.again(); again {
		copy(dest, f.row)
		return err
	}
	return f.Rows.Next(dest)
}

// Dialect is the dialect of the database that the rows come from, nil if it is not known.
func (f *firstRow) Dialect() *dialect.Dialect {
	if d, ok := f.Rows.(interface{ Dialect() *dialect.Dialect }); ok {
		return d.Dialect()
	}
	return nil
}

// firstCells is a firstRow that comes as cells. Its source gives nothing but cells, since
// it has begun with them.
type firstCells struct {
	firstRow
	source cellRows
	row    []cell.Cell
}

// NextCells is Next into cells.
func (f *firstCells) NextCells(row []cell.Cell) error {
	if again, err := f.again(); again {
		copy(row, f.row)
		return err
	}
	return f.source.NextCells(row)
}

// Next implements Rows.
func (f *firstCells) Next(dest []sqldriver.Value) error {
	if again, err := f.again(); !again {
		if err = f.source.NextCells(f.row); err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	for i := range f.row {
		dest[i] = f.row[i].Value()
	}
	return nil
}
