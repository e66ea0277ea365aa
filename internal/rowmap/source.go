package rowmap

import (
	"database/sql/driver"
	"io"
	"unsafe"

	"github.com/dbfleet/dbfleet/internal/cell"
	"github.com/dbfleet/dbfleet/internal/dialect"
)

// Source is a result that is read row by row.
type Source interface {
	// Columns are the names of the result's columns.
	Columns() []string
	// TypeName is the database's name for the type of column i, in upper case,
	// as database/sql's DatabaseTypeName; empty if unknown.
	TypeName(i int) string
	// Next fills dest, which has one place per column, or returns io.EOF after
	// the last row. A []byte in dest is valid until the following call; an
	// untyped nil is NULL and a nil []byte an empty value.
	Next(dest []driver.Value) error
	// Close ends the result. It may be called more than once.
	Close() error
}

// Cells is a Source that can also give its rows without a driver.Value for each
// value. A read uses one of Next and NextCells, not both.
type Cells interface {
	Source
	// NextCells is Next into cells, one per column, whose Value is what Next
	// would have given. Their Bytes are valid until the following call.
	NextCells(row []cell.Cell) error
}

// atEnd is the error of a source that gave no row: none after the last row.
//
// An error that wraps io.EOF is no end: a connection that breaks between two
// rows is told so.
func atEnd(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}

// A Source may also have this method. It settles what type names leave open:
// fields of type any then hold the same Go types as [ReadRows] gives.
type dialected interface{ Dialect() *dialect.Dialect }

// reading is what the places of one read have in common.
type reading struct {
	src Source
	// blobs says that bytes are no text: SQLite finds no value equal to both.
	blobs bool
	// strict says that the columns are those that the fields are written to.
	strict bool
	sharing
}

// origin is what a setter may know about the place that its value came from, and
// where it may put what outlives the row. One exists per column and read; a
// nil *origin is a value that came from nowhere.
type origin struct {
	of    *reading
	index int // of the column
	slab  slab
	// valued is that of the field's codec, whose holding is not known yet if it is 0.
	valued  bool
	holding holding
}

// typeName is the database's name of the column's type, or "".
func (c *origin) typeName() string {
	if c == nil || c.of.src == nil {
		return ""
	}
	return c.of.src.TypeName(c.index)
}

// isBlob says whether bytes of this column are no text.
func (c *origin) isBlob() bool { return c != nil && c.of.blobs }

// isBit says whether the column is MySQL's BIT, whose bytes are a number.
func (c *origin) isBit() bool { return c.typeName() == "BIT" && c.dialect() == dialect.MySQL }

// dialect is the source's dialect, or nil if it does not tell.
func (c *origin) dialect() *dialect.Dialect {
	if c == nil {
		return nil
	}
	return dialectOf(c.of.src)
}

func dialectOf(src Source) *dialect.Dialect {
	if s, ok := src.(dialected); ok {
		return s.Dialect()
	}
	return nil
}

// stringOf returns b's bytes as a string without copying them. The caller
// must never write to b again while the string is used.
func stringOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// NoRows is a result without rows, of which the names of the columns are known.
type NoRows []string

// Columns are the names.
func (n NoRows) Columns() []string { return n }

// TypeName is not known.
func (n NoRows) TypeName(int) string { return "" }

// Next is the end.
func (n NoRows) Next([]driver.Value) error { return io.EOF }

// Close does nothing.
func (n NoRows) Close() error { return nil }
