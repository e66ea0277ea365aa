package plain

import (
	sqldriver "database/sql/driver"
	"io"
	"reflect"
)

// ColumnTypeDatabaseTypeName is the driver's own word.
func (r *Rows) ColumnTypeDatabaseTypeName(i int) string {
	if c, ok := r.Rows.(sqldriver.RowsColumnTypeDatabaseTypeName); ok {
		return c.ColumnTypeDatabaseTypeName(i)
	}
	return ""
}

// ColumnTypeLength implements driver.RowsColumnTypeLength.
func (r *Rows) ColumnTypeLength(i int) (length int64, ok bool) {
	if c, knows := r.Rows.(sqldriver.RowsColumnTypeLength); knows {
		return c.ColumnTypeLength(i)
	}
	return 0, false
}

// ColumnTypeNullable implements driver.RowsColumnTypeNullable.
func (r *Rows) ColumnTypeNullable(i int) (nullable, ok bool) {
	if c, knows := r.Rows.(sqldriver.RowsColumnTypeNullable); knows {
		return c.ColumnTypeNullable(i)
	}
	return false, false
}

// ColumnTypePrecisionScale implements driver.RowsColumnTypePrecisionScale.
func (r *Rows) ColumnTypePrecisionScale(i int) (precision, scale int64, ok bool) {
	if c, knows := r.Rows.(sqldriver.RowsColumnTypePrecisionScale); knows {
		return c.ColumnTypePrecisionScale(i)
	}
	return 0, 0, false
}

// ColumnTypeScanType implements driver.RowsColumnTypeScanType.
func (r *Rows) ColumnTypeScanType(i int) reflect.Type {
	if c, knows := r.Rows.(sqldriver.RowsColumnTypeScanType); knows {
		return c.ColumnTypeScanType(i)
	}
	return reflect.TypeFor[any]()
}

// HasNextResultSet implements driver.RowsNextResultSet.
func (r *Rows) HasNextResultSet() bool {
	n, ok := r.Rows.(sqldriver.RowsNextResultSet)
	return ok && n.HasNextResultSet()
}

// NextResultSet implements driver.RowsNextResultSet.
func (r *Rows) NextResultSet() error {
	n, ok := r.Rows.(sqldriver.RowsNextResultSet)
	if !ok {
		return io.EOF
	}
	return n.NextResultSet()
}
