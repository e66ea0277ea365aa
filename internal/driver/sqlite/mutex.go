//go:build !dbfleet_no_sqlite

package sqlite

import (
	sqldriver "database/sql/driver"
	"reflect"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// withoutMutex puts a new connection from SQLite's serialized mode into its
// multi-thread mode, in which a connection is used by one goroutine at a time:
// a conn sees to that, and the driver itself demands it. The mode is a flag of
// sqlite3_open_v2 that the driver does not let its users choose, and its whole
// effect is that the connection has no mutex. Taking and releasing that is half
// of the time of a long read: it is done for every value.
//
// Source: https://www.sqlite.org/threadsafe.html. sqlite3_interrupt, which
// another goroutine may call, takes no mutex in either mode.
//
// done is false, and nothing is changed, for a driver that is not made as the
// version that this was written for.
func withoutMutex(dc sqldriver.Conn) (done bool) {
	v := reflect.ValueOf(dc)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return false
	}
	handle, thread := v.Elem().FieldByName("db"), v.Elem().FieldByName("tls")
	if !handle.IsValid() || handle.Kind() != reflect.Uintptr || handle.Uint() == 0 ||
		!thread.IsValid() || thread.Type() != reflect.TypeFor[*libc.TLS]() {
		return false
	}
	db, tls := uintptr(handle.Uint()), (*libc.TLS)(thread.UnsafePointer())
	// The address is not of Go's memory.
	mutex := &(*(**sqlite3.Tsqlite3)(unsafe.Pointer(&db))).Fmutex
	if *mutex == 0 || *mutex != sqlite3.Xsqlite3_db_mutex(tls, db) {
		return false
	}
	sqlite3.Xsqlite3_mutex_free(tls, *mutex)
	*mutex = 0
	return true
}
