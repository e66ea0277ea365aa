//go:build !dbfleet_no_sqlite

package sqlite

import (
	"bytes"
	sqldriver "database/sql/driver"
	"fmt"
	"slices"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/dbfleet/dbfleet/internal/cell"
	"github.com/dbfleet/dbfleet/internal/driver/plain"
	"github.com/dbfleet/dbfleet/internal/value"
)

// rows are the rows of a SQLite query. Values are taken from SQLite
// itself where that can be done, see reader, and else from the driver.
//
// SQLite has no type for times: what a column declared DATE, DATETIME or
// TIMESTAMP holds as text becomes a time if it is one, and stays a text
// otherwise. The driver does the same at many times the cost, and does not know
// DATETIME(6).
type rows struct {
	plain.Rows
	*columns
	direct reader
	dest   []sqldriver.Value // of a row that the driver reads
}

// columns is what is known about the columns of a statement. It belongs
// to one cursor at a time.
type columns struct {
	names, declared []string // as the driver has them
	types           []string
	times           []bool
	text            []byte // of the current row
}

func newRows(r plain.Rows) *rows {
	s := &rows{Rows: r, direct: readerOf(r.Rows)}
	names := r.Rows.Columns()
	if r.Entry != nil {
		s.columns, _ = r.Entry.Known.(*columns)
	}
	// SQLite prepares a statement anew after the schema has changed.
	if s.columns == nil || !slices.Equal(s.names, names) || !slices.Equal(s.declared, s.direct.declared) {
		s.columns = describe(&s.Rows, names, s.direct.declared)
		if r.Entry != nil && s.direct.stmt != 0 {
			r.Entry.Known = s.columns
		}
	}
	s.direct.hideColumns()
	return s
}

func describe(r *plain.Rows, names, declared []string) *columns {
	c := &columns{
		names: slices.Clone(names), declared: slices.Clone(declared),
		types: make([]string, len(names)), times: make([]bool, len(names)),
	}
	for i := range names {
		c.types[i] = r.TypeName(i)
		c.times[i] = isTimeType(c.types[i])
	}
	return c
}

func isTimeType(name string) bool {
	return name == "DATETIME" || name == "TIMESTAMP" || name == "DATE"
}

func (s *rows) Columns() []string { return s.names }

func (s *rows) TypeName(i int) string { return s.types[i] }

func (s *rows) Next(dest []sqldriver.Value) error {
	if err := s.next(); err != nil {
		return err
	}
	var c cell.Cell
	for i := range dest {
		if err := s.read(&c, i); err != nil {
			return err
		}
		if dest[i] = c.Value(); c.Kind == cell.Bytes {
			dest[i] = bytes.Clone(c.Bytes) // as the driver gives them
		}
	}
	return nil
}

func (s *rows) NextCells(row []cell.Cell) error {
	if err := s.next(); err != nil {
		return err
	}
	for i := range row {
		if err := s.read(&row[i], i); err != nil {
			return err
		}
	}
	return nil
}

// next goes to the next row.
func (s *rows) next() error {
	s.text = s.text[:0]
	if s.direct.stmt != 0 {
		return s.Rows.Next(nil)
	}
	if s.dest == nil {
		s.dest = make([]sqldriver.Value, len(s.names))
	}
	return s.Rows.Next(s.dest)
}

// read fills c with column i of the current row.
func (s *rows) read(c *cell.Cell, i int) error {
	if s.direct.stmt == 0 {
		c.Set(s.dest[i])
		switch v := s.dest[i].(type) {
		case []byte:
			if v == nil { // the driver's x''
				c.SetBytes(noBytes)
			}
		case string:
			s.setText(c, i, v)
		}
		return nil
	}
	switch kind := s.direct.kind(i); kind {
	case sqlite3.SQLITE_NULL:
		c.Kind = cell.Null
	case sqlite3.SQLITE_INTEGER:
		c.SetInt(s.direct.int(i))
	case sqlite3.SQLITE_FLOAT:
		c.SetFloat(s.direct.float(i))
	case sqlite3.SQLITE_TEXT:
		s.setText(c, i, s.direct.text(i))
	case sqlite3.SQLITE_BLOB:
		c.SetBytes(s.keep(s.direct.blob(i)))
	default:
		return fmt.Errorf("column %q: SQLite has no type %d", s.names[i], kind)
	}
	return nil
}

// setText sets a text that may not outlive the call.
func (s *rows) setText(c *cell.Cell, i int, text string) {
	if s.times[i] {
		if t, ok := value.ParseTime(text); ok {
			c.SetTimeText(t, s.keep(text))
			return
		}
	}
	c.SetText(s.keep(text))
}

var noBytes = []byte{}

// keep copies what belongs to SQLite: another statement, or the end of the
// connection, would take it away from under its reader.
func (s *rows) keep(b string) []byte {
	if len(b) == 0 {
		return noBytes
	}
	from := len(s.text)
	s.text = append(s.text, b...)
	return s.text[from:len(s.text):len(s.text)]
}

// maxKeptText is how much memory a statement keeps for the text of its rows.
const maxKeptText = 64 << 10

func (s *rows) Close() error {
	if cap(s.text) > maxKeptText {
		s.text = nil
	}
	return s.Rows.Close()
}
