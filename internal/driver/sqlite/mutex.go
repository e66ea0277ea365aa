//go:build !dbfleet_no_sqlite

package sqlite

import (
	sqldriver "database/sql/driver"
	"reflect"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// What: withoutMutex puts a new connection from SQLite's serialized mode into its
// multi-thread mode, in which a connection is used by one goroutine at a time.
// Package driver sees to that, and the driver itself demands it. The mode is a flag
// of sqlite3_open_v2 that the driver does not let its users choose, and its whole
// effect is that the connection has no mutex. Source:
// https://www.sqlite.org/threadsafe.html. sqlite3_interrupt, which another goroutine
// may call, takes no mutex in either mode.
//
// Gain: SQLite takes and releases the mutex for every value. With reader.go, a row
// that is read by its key takes 3.9 µs for 5.0, a row of a long read 0.3 µs for 1.5,
// and with what maps it to a record it is 1.2 to 2.5 times as fast:
//
//	go test ./internal/driver -run - -bench 'BenchmarkR.*/sqlite' [-tags dbfleet_plain_sqlite]
//
// Relies on: the fields db and tls of the driver's connection, Fmutex of SQLite's,
// and that nothing else holds the mutex of a connection that has just been opened.
//
// Told by: TestMutex_IsTakenOffOnce and TestMutex_SessionsHaveNone when the fields
// are others, TestTested_KnowsTheVersionInUse when the version is another one.
//
// Off: build tag dbfleet_plain_sqlite. With a version that is not in tested.go, and
// with a connection without these fields, the mutex stays; Fallback says so.

// withoutMutex takes the mutex off. done is false where it is left on.
func withoutMutex(dc sqldriver.Conn) (done bool) {
	db, tls := handlesOf(dc)
	if db == 0 {
		return false
	}
	// The address is not of Go's memory.
	mutex := &(*(**sqlite3.Tsqlite3)(unsafe.Pointer(&db))).Fmutex
	if *mutex == 0 || *mutex != sqlite3.Xsqlite3_db_mutex(tls, db) {
		return false
	}
	sqlite3.Xsqlite3_mutex_free(tls, *mutex)
	*mutex = 0
	return true
}

// handlesOf are the driver's own handles of a connection, 0 where they are left
// alone.
func handlesOf(dc sqldriver.Conn) (db uintptr, tls *libc.TLS) {
	if untested() != "" {
		return 0, nil
	}
	v := reflect.ValueOf(dc)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return 0, nil
	}
	handle, thread := v.Elem().FieldByName("db"), v.Elem().FieldByName("tls")
	if !handle.IsValid() || handle.Kind() != reflect.Uintptr ||
		!thread.IsValid() || thread.Type() != reflect.TypeFor[*libc.TLS]() {
		return 0, nil
	}
	return uintptr(handle.Uint()), (*libc.TLS)(thread.UnsafePointer())
}
