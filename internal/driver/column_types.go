package driver

import (
	sqldriver "database/sql/driver"
	"reflect"
)

// What database/sql may ask of rows about their columns. The answers are those of the
// database's own driver: what it does not know is not known here.

var (
	_ columnTypes = (*cursor)(nil)
	_ columnTypes = (*ahead)(nil)
)

// columnTypes is all that database/sql asks about columns.
type columnTypes interface {
	sqldriver.RowsColumnTypeDatabaseTypeName
	sqldriver.RowsColumnTypeLength
	sqldriver.RowsColumnTypeNullable
	sqldriver.RowsColumnTypePrecisionScale
	sqldriver.RowsColumnTypeScanType
}

// ColumnTypeDatabaseTypeName is the type's name as the driver writes it, where
// TypeName is the same for every size.
func (r *cursor) ColumnTypeDatabaseTypeName(i int) (name string) {
	r.ask(func() {
		if s, ok := r.src.(sqldriver.RowsColumnTypeDatabaseTypeName); ok {
			name = s.ColumnTypeDatabaseTypeName(i)
		} else {
			name = r.src.TypeName(i)
		}
	})
	return name
}

// ColumnTypeLength implements driver.RowsColumnTypeLength.
func (r *cursor) ColumnTypeLength(i int) (length int64, ok bool) {
	r.ask(func() {
		if s, knows := r.src.(sqldriver.RowsColumnTypeLength); knows {
			length, ok = s.ColumnTypeLength(i)
		}
	})
	return length, ok
}

// ColumnTypeNullable implements driver.RowsColumnTypeNullable.
func (r *cursor) ColumnTypeNullable(i int) (nullable, ok bool) {
	r.ask(func() {
		if s, knows := r.src.(sqldriver.RowsColumnTypeNullable); knows {
			nullable, ok = s.ColumnTypeNullable(i)
		}
	})
	return nullable, ok
}

// ColumnTypePrecisionScale implements driver.RowsColumnTypePrecisionScale.
func (r *cursor) ColumnTypePrecisionScale(i int) (precision, scale int64, ok bool) {
	r.ask(func() {
		if s, knows := r.src.(sqldriver.RowsColumnTypePrecisionScale); knows {
			precision, scale, ok = s.ColumnTypePrecisionScale(i)
		}
	})
	return precision, scale, ok
}

// ColumnTypeScanType implements driver.RowsColumnTypeScanType.
func (r *cursor) ColumnTypeScanType(i int) (t reflect.Type) {
	t = reflect.TypeFor[any]() // as database/sql says of a driver that does not know
	r.ask(func() {
		if s, knows := r.src.(sqldriver.RowsColumnTypeScanType); knows {
			t = s.ColumnTypeScanType(i)
		}
	})
	return t
}

// ask lets f look at the source of open rows, while no other statement of the
// connection runs.
func (r *cursor) ask(f func()) {
	if r.c.s.ManyCursors() {
		r.c.lockAnyway()
		defer r.c.unlock()
	}
	if !r.closed {
		f()
	}
}

// toldColumn is what was asked about a column before its rows were closed.
type toldColumn struct {
	name                string
	length, prec, scale int64
	nullable            bool
	hasLength, hasNull  bool
	hasPrec             bool
	scan                reflect.Type
}

// tellColumns asks everything about the columns of rows.
func tellColumns(rows columnTypes, n int) []toldColumn {
	told := make([]toldColumn, n)
	for i := range told {
		t := &told[i]
		t.name, t.scan = rows.ColumnTypeDatabaseTypeName(i), rows.ColumnTypeScanType(i)
		t.length, t.hasLength = rows.ColumnTypeLength(i)
		t.nullable, t.hasNull = rows.ColumnTypeNullable(i)
		t.prec, t.scale, t.hasPrec = rows.ColumnTypePrecisionScale(i)
	}
	return told
}

// ColumnTypeDatabaseTypeName implements driver.RowsColumnTypeDatabaseTypeName.
func (a *ahead) ColumnTypeDatabaseTypeName(i int) string { return a.told[i].name }

// ColumnTypeLength implements driver.RowsColumnTypeLength.
func (a *ahead) ColumnTypeLength(i int) (int64, bool) { return a.told[i].length, a.told[i].hasLength }

// ColumnTypeNullable implements driver.RowsColumnTypeNullable.
func (a *ahead) ColumnTypeNullable(i int) (nullable, ok bool) {
	return a.told[i].nullable, a.told[i].hasNull
}

// ColumnTypePrecisionScale implements driver.RowsColumnTypePrecisionScale.
func (a *ahead) ColumnTypePrecisionScale(i int) (precision, scale int64, ok bool) {
	return a.told[i].prec, a.told[i].scale, a.told[i].hasPrec
}

// ColumnTypeScanType implements driver.RowsColumnTypeScanType.
func (a *ahead) ColumnTypeScanType(i int) reflect.Type { return a.told[i].scan }
