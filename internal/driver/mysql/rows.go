//go:build !dbfleet_no_mysql

package mysql

import (
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"
	"unsafe"

	"github.com/dbfleet/dbfleet/internal/cell"
	"github.com/dbfleet/dbfleet/internal/driver/plain"
	"github.com/dbfleet/dbfleet/internal/value"
)

// rows give a column the same Go type whether its statement was prepared
// or sent as text.
//
// Dates come as text, since the driver would make 2023-11-30 of 2024-00-00 and the
// same time of 0000-00-00 and 0001-01-01. One that exists becomes a time here, and
// one that does not stays the text that it is.
type rows struct {
	plain.Rows
	fix  []repair          // nil if no column needs it
	dest []sqldriver.Value // of a row that is read as cells
}

type repair uint8

const (
	fixNothing repair = iota
	fixUnsigned
	fixFloat
	fixRounded // a FLOAT in an answer to a text: it has lost digits
	fixTime
	fixBit
	fixYear
)

func newRows(r plain.Rows) *rows {
	m := &rows{Rows: r}
	m.findFixes()
	return m
}

func (m *rows) findFixes() {
	m.fix = nil
	n := len(m.Columns())
	for i := range n {
		var fix repair
		switch m.TypeName(i) {
		case "UNSIGNED BIGINT":
			fix = fixUnsigned
		case "FLOAT":
			if fix = fixFloat; m.Entry == nil {
				fix = fixRounded
			}
		case "DATE", "DATETIME", "TIMESTAMP":
			fix = fixTime
		case "BIT":
			fix = fixBit
		case "YEAR":
			fix = fixYear
		default:
			continue
		}
		if m.fix == nil {
			m.fix = make([]repair, n)
		}
		m.fix[i] = fix
	}
}

func (m *rows) Next(dest []sqldriver.Value) error {
	if err := m.Rows.Next(dest); err != nil {
		return err
	}
	for i, fix := range m.fix {
		switch fix {
		case fixUnsigned:
			dest[i] = unsigned(dest[i])
		case fixFloat:
			if f, ok := single(dest[i]); ok {
				dest[i] = f
			}
		case fixRounded:
			if dest[i] != nil {
				return m.rounded(i)
			}
		case fixTime:
			if t, _, ok := dated(dest[i]); ok {
				dest[i] = t
			}
		case fixYear:
			dest[i] = year(dest[i])
		}
	}
	return nil
}

// rounded is the error of a FLOAT of which the answer does not have all digits. That it has
// few does not say that the value has: 1.5000001 is 1.5 there.
func (m *rows) rounded(i int) error {
	return fmt.Errorf("the column %q is a FLOAT, of which the server tells 6 digits only to a statement that it cannot prepare, and this one it has run as a text: select CAST(… AS DOUBLE) of it", m.Columns()[i])
}

// single is the number of fewest digits that a FLOAT is.
func single(v sqldriver.Value) (float64, bool) {
	switch v := v.(type) {
	case float32:
		return value.Widen(v), true
	case []byte:
		f, err := strconv.ParseFloat(string(v), 32)
		return value.Widen(float32(f)), err == nil
	}
	return 0, false
}

// dated is the time that a text is.
func dated(v sqldriver.Value) (t time.Time, text []byte, ok bool) {
	if text, ok = v.([]byte); ok {
		t, ok = value.ParseTime(unsafe.String(unsafe.SliceData(text), len(text)))
	}
	return t, text, ok
}

// year is the text of the year 0000, for which the number 0, and the text '0', are
// not: as a text it is 2000.
func year(v sqldriver.Value) sqldriver.Value {
	switch v {
	case int64(0), uint64(0):
		return []byte("0000")
	}
	return v
}

// NextCells implements session.CellSource.
func (m *rows) NextCells(row []cell.Cell) error {
	if len(m.dest) != len(row) {
		m.dest = make([]sqldriver.Value, len(row))
	}
	if err := m.Rows.Next(m.dest); err != nil {
		return err
	}
	for i, v := range m.dest {
		switch m.fixOf(i) {
		case fixNothing:
			row[i].Set(v)
		case fixUnsigned:
			row[i].Set(unsigned(v))
		case fixFloat:
			if f, ok := single(v); ok {
				row[i].SetFloat(f)
			} else {
				row[i].Set(v)
			}
		case fixRounded:
			if v != nil {
				return m.rounded(i)
			}
			row[i].Set(v)
		case fixBit: // bytes that are a number, neither text nor binary data
			row[i].Kind, row[i].Other = cell.Other, v
			if v == nil {
				row[i].Kind = cell.Null
			}
		case fixTime:
			if t, text, ok := dated(v); ok {
				row[i].SetTimeText(t, text)
			} else {
				row[i].Set(v)
			}
		case fixYear:
			row[i].Set(year(v))
		}
	}
	return nil
}

func (m *rows) fixOf(i int) repair {
	if m.fix == nil {
		return fixNothing
	}
	return m.fix[i]
}

// unsigned makes an int64 of what fits and a uint64 of what does not.
func unsigned(v sqldriver.Value) sqldriver.Value {
	var u uint64
	switch v := v.(type) {
	case uint64:
		u = v
	case []byte:
		n, err := strconv.ParseUint(string(v), 10, 64)
		if err != nil {
			return v
		}
		u = n
	default:
		return v
	}
	if u <= math.MaxInt64 {
		return int64(u)
	}
	return u
}

// HasNextResultSet and NextResultSet serve database/sql: a procedure may give
// more than one set of rows.
func (m *rows) HasNextResultSet() bool {
	n, ok := m.Rows.Rows.(sqldriver.RowsNextResultSet)
	return ok && n.HasNextResultSet()
}

func (m *rows) NextResultSet() error {
	n, ok := m.Rows.Rows.(sqldriver.RowsNextResultSet)
	if !ok {
		return errors.New("no further result set")
	}
	if err := n.NextResultSet(); err != nil {
		return err
	}
	m.findFixes()
	return nil
}
