//go:build !dbfleet_no_sqlite

package sqlite

import (
	sqldriver "database/sql/driver"
	"reflect"
	"sync/atomic"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// What: reader reads the values of the current row of the driver's rows with
// SQLite's own functions: no value is boxed, and no text is copied that is only
// looked at. The driver still makes the steps, so that contexts, waits for locks and
// errors are its own; it is told that the rows have no columns.
//
// Gain: with mutex.go, reads are 1.2 to 2.5 times as fast; the command stands there.
//
// Relies on: the fields pstmt, columns, decltypes and c of the driver's rows, tls of
// their connection, and that the driver reads as many values of a row as columns has
// names.
//
// Told by: TestReader_KnowsTheDriversRows when the fields are others,
// TestReader_ReadsWhatTheDriverReads when the values are,
// TestTested_KnowsTheVersionInUse when the version is another one.
//
// Off: build tag dbfleet_plain_sqlite. With a version that is not in tested.go, and
// with rows without these fields, the driver reads the values; Fallback says so.

// reader is the way to the current row. stmt is 0 where the driver reads the values.
type reader struct {
	tls      *libc.TLS
	stmt     uintptr
	columns  *[]string // the driver's names
	declared []string  // the driver's declared types, in upper case
}

// layout says where the driver's rows hold what is needed.
type layout struct {
	rows                        reflect.Type
	ok                          bool
	conn, stmt, names, declared uintptr // in the rows
	tls                         uintptr // in their connection
}

var knownLayout atomic.Pointer[layout]

func readerOf(rows sqldriver.Rows) reader {
	if untested() != "" {
		return reader{}
	}
	t := reflect.TypeOf(rows)
	layout := knownLayout.Load()
	if layout == nil || layout.rows != t {
		layout = layoutOf(t)
		knownLayout.Store(layout)
	}
	if !layout.ok {
		return reader{}
	}
	p := reflect.ValueOf(rows).UnsafePointer()
	conn := *(*unsafe.Pointer)(unsafe.Add(p, layout.conn))
	if conn == nil {
		return reader{}
	}
	return reader{
		tls:      *(**libc.TLS)(unsafe.Add(conn, layout.tls)),
		stmt:     *(*uintptr)(unsafe.Add(p, layout.stmt)),
		columns:  (*[]string)(unsafe.Add(p, layout.names)),
		declared: *(*[]string)(unsafe.Add(p, layout.declared)),
	}
}

// layoutOf finds the fields by their names and types.
func layoutOf(t reflect.Type) *layout {
	l := &layout{rows: t, ok: t.Kind() == reflect.Pointer && t.Elem().Kind() == reflect.Struct}
	if !l.ok {
		return l
	}
	place := func(in reflect.Type, name string, is func(reflect.Type) bool) uintptr {
		f, found := in.FieldByName(name)
		l.ok = l.ok && found && len(f.Index) == 1 && is(f.Type)
		return f.Offset
	}
	is := func(want reflect.Type) func(reflect.Type) bool {
		return func(t reflect.Type) bool { return t == want }
	}
	l.stmt = place(t.Elem(), "pstmt", is(reflect.TypeFor[uintptr]()))
	l.names = place(t.Elem(), "columns", is(reflect.TypeFor[[]string]()))
	l.declared = place(t.Elem(), "decltypes", is(reflect.TypeFor[[]string]()))
	l.conn = place(t.Elem(), "c", func(t reflect.Type) bool {
		return t.Kind() == reflect.Pointer && t.Elem().Kind() == reflect.Struct
	})
	if l.ok {
		c, _ := t.Elem().FieldByName("c")
		l.tls = place(c.Type.Elem(), "tls", is(reflect.TypeFor[*libc.TLS]()))
	}
	return l
}

// hideColumns makes the driver read no values.
func (r *reader) hideColumns() {
	if r.stmt != 0 {
		*r.columns = nil
	}
}

func (r *reader) kind(i int) int32 {
	return sqlite3.Xsqlite3_column_type(r.tls, r.stmt, int32(i))
}
func (r *reader) int(i int) int64 {
	return sqlite3.Xsqlite3_column_int64(r.tls, r.stmt, int32(i))
}
func (r *reader) float(i int) float64 {
	return sqlite3.Xsqlite3_column_double(r.tls, r.stmt, int32(i))
}

// text and blob give SQLite's own memory, which is good until the next call of
// anything else on the connection.
func (r *reader) text(i int) string {
	return r.memory(sqlite3.Xsqlite3_column_text(r.tls, r.stmt, int32(i)), i)
}

func (r *reader) blob(i int) string {
	return r.memory(sqlite3.Xsqlite3_column_blob(r.tls, r.stmt, int32(i)), i)
}

func (r *reader) memory(p uintptr, i int) string {
	n := sqlite3.Xsqlite3_column_bytes(r.tls, r.stmt, int32(i))
	if p == 0 || n <= 0 {
		return ""
	}
	// The address is not of Go's memory, so that the garbage collector neither
	// moves nor frees what is there.
	return unsafe.String(*(**byte)(unsafe.Pointer(&p)), n)
}
