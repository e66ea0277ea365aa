package driver

import (
	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/driver/mysql"
	"github.com/dbfleet/dbfleet/internal/driver/postgres"
	"github.com/dbfleet/dbfleet/internal/driver/session"
	"github.com/dbfleet/dbfleet/internal/driver/sqlite"
)

// databases are the kinds of databases that a pool can be opened on. A build tag
// leaves the driver of one out; it stays in this list and says so.
var databases = [...]*session.Database{&postgres.Database, &mysql.Database, &sqlite.Database}

// databaseOf returns the database of a dialect, nil if there is none.
func databaseOf(d *dialect.Dialect) *session.Database {
	for _, db := range databases {
		if db.Dialect == d {
			return db
		}
	}
	return nil
}

// Linked tells by a *NotLinkedError that the program was built without the
// dialect's driver.
func Linked(d *dialect.Dialect) error {
	if db := databaseOf(d); db != nil {
		return db.NotLinked
	}
	return nil
}

// Fallback tells why the connections of a dialect take a slower or a less careful
// way than they could, "" if they do not: a driver of a version that the tests have
// not seen is used by what it exports only. Where only a connection shows that, it
// is known once there was one.
func Fallback(d *dialect.Dialect) string {
	if db := databaseOf(d); db != nil && db.NotLinked == nil && db.Fallback != nil {
		return db.Fallback()
	}
	return ""
}
