// Package migrate migrates a connection of dbfleet with golang-migrate. It works
// on a pool of the primary, db.Pool(), which stays dbfleet's: golang-migrate closes
// what it was given, and that is its own access to the pool.
package migrate

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/golang-migrate/migrate/v4"
	"github.com/golang-migrate/migrate/v4/database"
	"github.com/golang-migrate/migrate/v4/database/mysql"
	"github.com/golang-migrate/migrate/v4/database/pgx/v5"
	"github.com/golang-migrate/migrate/v4/database/sqlite"
	"github.com/golang-migrate/migrate/v4/source/iofs"

	"github.com/dbfleet/dbfleet"
)

// Up runs the migrations in the folder dir of files that have not run yet. That
// there were none is no error.
func Up(db *dbfleet.DB, files fs.FS, dir string) (err error) {
	source, err := iofs.New(files, dir)
	if err != nil {
		return err
	}
	target, err := driverOf(db)
	if err != nil {
		return err
	}
	m, err := migrate.NewWithInstance("iofs", source, db.Name(), target)
	if err != nil {
		return err
	}
	defer func() {
		ofSource, ofTarget := m.Close()
		err = errors.Join(err, ofSource, ofTarget)
	}()
	if err := m.Up(); !errors.Is(err, migrate.ErrNoChange) {
		return err
	}
	return nil
}

func driverOf(db *dbfleet.DB) (database.Driver, error) {
	switch db.Driver() {
	case dbfleet.Postgres:
		return pgx.WithInstance(db.Pool(), &pgx.Config{})
	case dbfleet.MySQL:
		return mysql.WithInstance(db.Pool(), &mysql.Config{})
	case dbfleet.SQLite:
		return sqlite.WithInstance(db.Pool(), &sqlite.Config{})
	}
	return nil, fmt.Errorf("golang-migrate has no driver here for %s", db)
}
