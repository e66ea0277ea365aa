//go:build !dbfleet_no_sqlite

package driver

import (
	"bytes"
	sqldriver "database/sql/driver"
	"fmt"
	"slices"
	"strings"
	"time"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/dbfleet/dbfleet/internal/cell"
)

// sqliteRows are the rows of a SQLite query. Values are taken from SQLite
// itself where that can be done, see sqliteReader, and else from the driver.
//
// SQLite has no type for times: what a column declared DATE, DATETIME or
// TIMESTAMP holds as text becomes a time if it is one, and stays a text
// otherwise. The driver does the same at many times the cost, and does not know
// DATETIME(6).
type sqliteRows struct {
	plainRows
	*sqliteColumns
	direct sqliteReader
	dest   []sqldriver.Value // of a row that the driver reads
}

// sqliteColumns is what is known about the columns of a statement. It belongs
// to one cursor at a time.
type sqliteColumns struct {
	names, declared []string // as the driver has them
	types           []string
	times           []bool
	text            []byte // of the current row
}

func newSQLiteRows(r plainRows) *sqliteRows {
	s := &sqliteRows{plainRows: r, direct: readerOfSQLite(r.Rows)}
	names := r.Rows.Columns()
	if r.e != nil {
		s.sqliteColumns, _ = r.e.known.(*sqliteColumns)
	}
	// SQLite prepares a statement anew after the schema has changed.
	if s.sqliteColumns == nil || !slices.Equal(s.names, names) || !slices.Equal(s.declared, s.direct.declared) {
		s.sqliteColumns = describeSQLite(&s.plainRows, names, s.direct.declared)
		if r.e != nil && s.direct.stmt != 0 {
			r.e.known = s.sqliteColumns
		}
	}
	s.direct.hideColumns()
	return s
}

func describeSQLite(r *plainRows, names, declared []string) *sqliteColumns {
	c := &sqliteColumns{
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

func (s *sqliteRows) Columns() []string { return s.names }

func (s *sqliteRows) TypeName(i int) string { return s.types[i] }

func (s *sqliteRows) Next(dest []sqldriver.Value) error {
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

func (s *sqliteRows) NextCells(row []cell.Cell) error {
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
func (s *sqliteRows) next() error {
	s.text = s.text[:0]
	if s.direct.stmt != 0 {
		return s.plainRows.Next(nil)
	}
	if s.dest == nil {
		s.dest = make([]sqldriver.Value, len(s.names))
	}
	return s.plainRows.Next(s.dest)
}

// read fills c with column i of the current row.
func (s *sqliteRows) read(c *cell.Cell, i int) error {
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
func (s *sqliteRows) setText(c *cell.Cell, i int, text string) {
	if s.times[i] {
		if t, ok := parseSQLiteTime(text); ok {
			c.SetTime(t)
			return
		}
	}
	c.SetText(s.keep(text))
}

var noBytes = []byte{}

// keep copies what belongs to SQLite: another statement, or the end of the
// connection, would take it away from under its reader.
func (s *sqliteRows) keep(b string) []byte {
	if len(b) == 0 {
		return noBytes
	}
	from := len(s.text)
	s.text = append(s.text, b...)
	return s.text[from:len(s.text):len(s.text)]
}

// maxKeptText is how much memory a statement keeps for the text of its rows.
const maxKeptText = 64 << 10

func (s *sqliteRows) Close() error {
	if cap(s.text) > maxKeptText {
		s.text = nil
	}
	return s.plainRows.Close()
}

// sqliteLayouts are the texts, besides the usual one, that are taken for times:
// what SQLite's own functions and the usual drivers write.
var sqliteLayouts = []string{
	"2006-01-02 15:04:05.999999999-07:00",
	"2006-01-02T15:04:05.999999999-07:00",
	"2006-01-02 15:04:05.999999999Z07:00",
	"2006-01-02T15:04:05.999999999Z07:00",
	"2006-01-02T15:04:05.999999999",
	"2006-01-02 15:04",
	"2006-01-02T15:04",
	"2006-01-02 15:04Z07:00",
	"2006-01-02T15:04Z07:00",
	"2006-01-02 15:04:05.999999999 -0700 MST",
}

// parseSQLiteTime reads a time; one without a zone is UTC. It keeps nothing of s.
func parseSQLiteTime(s string) (time.Time, bool) {
	if t, ok := parsePlainTime(s); ok {
		return t, true
	}
	if len(s) < 10 || s[4] != '-' {
		return time.Time{}, false
	}
	s, _, _ = strings.Cut(strings.Clone(s), " m=") // of time.Time.String
	for _, layout := range sqliteLayouts {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// parsePlainTime reads "2006-01-02" and "2006-01-02 15:04:05.999999999".
func parsePlainTime(s string) (time.Time, bool) {
	if len(s) < 10 || s[4] != '-' || s[7] != '-' {
		return time.Time{}, false
	}
	year, ok1 := digits(s[0:4])
	month, ok2 := digits(s[5:7])
	day, ok3 := digits(s[8:10])
	if !ok1 || !ok2 || !ok3 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) {
		return time.Time{}, false
	}
	var hour, minute, sec, nano int
	if len(s) > 10 {
		if len(s) < 19 || s[10] != ' ' || s[13] != ':' || s[16] != ':' {
			return time.Time{}, false
		}
		var ok4, ok5, ok6 bool
		hour, ok4 = digits(s[11:13])
		minute, ok5 = digits(s[14:16])
		sec, ok6 = digits(s[17:19])
		if !ok4 || !ok5 || !ok6 || hour > 23 || minute > 59 || sec > 59 {
			return time.Time{}, false
		}
		if rest := s[19:]; rest != "" {
			if rest[0] != '.' || len(rest) < 2 || len(rest) > 10 {
				return time.Time{}, false
			}
			n, ok := digits(rest[1:])
			if !ok {
				return time.Time{}, false
			}
			for i := len(rest); i < 10; i++ {
				n *= 10
			}
			nano = n
		}
	}
	return time.Date(year, time.Month(month), day, hour, minute, sec, nano, time.UTC), true
}

func digits(s string) (int, bool) {
	n := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n, true
}

func daysIn(year, month int) int {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}
