//go:build !dbfleet_no_mysql

package mysql

import (
	sqldriver "database/sql/driver"
	"errors"
	"math"
	"strconv"

	"github.com/dbfleet/dbfleet/internal/driver/plain"
	"github.com/dbfleet/dbfleet/internal/value"
)

// rows give a column the same Go type whether its statement was prepared
// or sent as text.
type rows struct {
	plain.Rows
	fix []repair // nil if no column needs it
}

type repair uint8

const (
	fixNothing repair = iota
	fixUnsigned
	fixFloat
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
			fix = fixFloat
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
			if f, ok := dest[i].(float32); ok {
				dest[i] = value.Widen(f)
			}
		}
	}
	return nil
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
