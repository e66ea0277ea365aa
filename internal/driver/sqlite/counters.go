//go:build !dbfleet_no_sqlite

package sqlite

import (
	sqldriver "database/sql/driver"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// What: counters reads and sets what SQLite itself counts on a connection: the last
// rowid, the rows that were changed, and the version of the schema as the
// connection knows it.
//
// Gain: an INSERT whose key is the rowid needs no RETURNING, with which it takes
// 12 µs for 10, and a table without rowids tells no id of an earlier insert:
//
//	go test ./internal/driver -run - -bench 'BenchmarkTold/sqlite' [-tags dbfleet_plain_sqlite]
//
// Relies on: the fields db and tls of the driver's connection (see mutex.go), FaDb of
// SQLite's, and Fschema_cookie and FiGeneration of its schemas.
//
// Told by: TestCounters_FollowTheSchema when the fields are others,
// TestTested_KnowsTheVersionInUse when the version is another one.
//
// Off: build tag dbfleet_plain_sqlite. With a version that is not in tested.go, keys
// are had by RETURNING.

// counters is the zero value where the driver is left alone.
type counters struct {
	tls *libc.TLS
	db  uintptr
}

func countersOf(dc sqldriver.Conn) counters {
	db, tls := handlesOf(dc)
	if db == 0 || tls == nil {
		return counters{}
	}
	return counters{tls, db}
}

// known says whether they can be read.
func (c counters) known() bool { return c.db != 0 }

// changes is how many rows the connection has changed, by triggers too.
func (c counters) changes() int64 {
	if !c.known() {
		return 0
	}
	return sqlite3.Xsqlite3_total_changes64(c.tls, c.db)
}

// ownChanges is how many rows the last statement has changed, without those of triggers.
func (c counters) ownChanges() int64 {
	if !c.known() {
		return 0
	}
	return sqlite3.Xsqlite3_changes64(c.tls, c.db)
}

func (c counters) lastID() int64 { return sqlite3.Xsqlite3_last_insert_rowid(c.tls, c.db) }

func (c counters) setLastID(id int64) { sqlite3.Xsqlite3_set_last_insert_rowid(c.tls, c.db, id) }

// autocommit is SQLite's flag that no transaction is open.
func (c counters) autocommit() (on, known bool) {
	if !c.known() {
		return false, false
	}
	return sqlite3.Xsqlite3_get_autocommit(c.tls, c.db) != 0, true
}

// schemas are the connection's databases; of the temporary one only that it has been
// changed counts, not that it was read.
func (c counters) schemas() schemas {
	temp := c.schema().temp
	temp.loaded = false
	return schemas{databases: (*(**sqlite3.Tsqlite3)(unsafe.Pointer(&c.db))).FnDb, temp: temp}
}

// schema is the version of what a name without its database may mean: the main
// database's schema and that of temporary tables.
type schema struct{ main, temp version }

// version is that of one schema. The generation tells two apart that have the same
// number because the first was rolled back. One that is not loaded has an old number.
type version struct {
	number, generation int32
	loaded             bool
}

// schemaLoaded is SQLite's DB_SchemaLoaded.
const schemaLoaded = 1

func (c counters) schema() schema {
	// The addresses are not of Go's memory.
	list := (*(**sqlite3.Tsqlite3)(unsafe.Pointer(&c.db))).FaDb
	dbs := *(**[2]sqlite3.TDb)(unsafe.Pointer(&list))
	return schema{main: versionOf(dbs[0].FpSchema), temp: versionOf(dbs[1].FpSchema)}
}

func versionOf(address uintptr) version {
	if address == 0 {
		return version{}
	}
	s := *(**sqlite3.TSchema)(unsafe.Pointer(&address))
	return version{s.Fschema_cookie, s.FiGeneration, s.FschemaFlags&schemaLoaded != 0}
}
