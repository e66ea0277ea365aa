package plain

import (
	sqldriver "database/sql/driver"
	"strings"

	"github.com/dbfleet/dbfleet/internal/driver/stmtcache"
)

// Rows are the rows of a plain session.
type Rows struct {
	sqldriver.Rows
	p      *Session
	Entry  *stmtcache.Entry[sqldriver.Stmt] // nil for a text that was not prepared
	closed bool
}

// TypeName implements session.RowSource.
func (r *Rows) TypeName(i int) string {
	c, ok := r.Rows.(sqldriver.RowsColumnTypeDatabaseTypeName)
	if !ok {
		return ""
	}
	name, _, _ := strings.Cut(c.ColumnTypeDatabaseTypeName(i), "(")
	return strings.ToUpper(strings.TrimSpace(name))
}

// Close implements session.RowSource.
func (r *Rows) Close() error {
	if r.closed {
		return nil
	}
	r.closed = true
	err := r.Rows.Close()
	if r.Entry != nil {
		r.p.Cache.Free(r.Entry)
	}
	return err
}
