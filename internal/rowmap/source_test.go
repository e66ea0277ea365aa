package rowmap

import (
	"database/sql/driver"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// memory is a Source of rows in memory. It reuses its byte buffers from row to
// row, as drivers do, so that a value that aliases one is found out.
type memory struct {
	columns  []string
	types    []string
	rows     [][]driver.Value
	d        *dialect.Dialect
	err      error // after the last row, instead of io.EOF
	closeErr error

	next   int
	closed int
	bufs   [][]byte
}

func (m *memory) Columns() []string { return m.columns }

func (m *memory) TypeName(i int) string {
	if i < len(m.types) {
		return m.types[i]
	}
	return ""
}

func (m *memory) Dialect() *dialect.Dialect { return m.d }

func (m *memory) Next(dest []driver.Value) error {
	for _, b := range m.bufs {
		for i := range b {
			b[i] = '!'
		}
	}
	if m.next == len(m.rows) {
		if m.err != nil {
			return m.err
		}
		return io.EOF
	}
	m.bufs = m.bufs[:0]
	for i, v := range m.rows[m.next] {
		if b, ok := v.([]byte); ok && b != nil {
			b = append(make([]byte, 0, len(b)), b...)
			m.bufs = append(m.bufs, b)
			v = b
		}
		dest[i] = v
	}
	m.next++
	return nil
}

func (m *memory) Close() error {
	m.closed++
	return m.closeErr
}

// one is a result of one column and one row.
func one(v driver.Value) *memory { return column("c", v) }

func column(name string, values ...driver.Value) *memory {
	m := &memory{columns: []string{name}}
	for _, v := range values {
		m.rows = append(m.rows, []driver.Value{v})
	}
	return m
}

func typedOne(typeName string, d *dialect.Dialect, v driver.Value) *memory {
	m := one(v)
	m.types, m.d = []string{typeName}, d
	return m
}

// read reads one value the way a column field would.
func read[V any](v driver.Value) (V, error) {
	var out V
	_, err := ReadValue(one(v), &out)
	return out, err
}

func mustPlan[T any](t testing.TB) *Plan {
	t.Helper()
	p, err := Of[T]()
	require.NoError(t, err)
	return p
}
