// Package goose migrates a connection of dbfleet with goose. Migrations belong to
// a program of their own or to its start, before anything is served. goose works
// on a pool of the primary, db.Pool(), which stays dbfleet's: what goose closes is
// its own access to it.
package goose

import (
	"context"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"

	"github.com/dbfleet/dbfleet"
)

// Dialect is goose's name for the database behind a connection. MySQL's serves
// MariaDB.
func Dialect(db *dbfleet.DB) (goose.Dialect, error) {
	switch db.Driver() {
	case dbfleet.Postgres:
		return goose.DialectPostgres, nil
	case dbfleet.MySQL:
		return goose.DialectMySQL, nil
	case dbfleet.SQLite:
		return goose.DialectSQLite3, nil
	}
	return "", fmt.Errorf("goose has no dialect for %s", db)
}

// Up runs the migrations that have not run yet, and returns how many those were.
func Up(ctx context.Context, db *dbfleet.DB, files fs.FS) (int, error) {
	dialect, err := Dialect(db)
	if err != nil {
		return 0, err
	}
	provider, err := goose.NewProvider(dialect, db.Pool(), files)
	if err != nil {
		return 0, err
	}
	results, err := provider.Up(ctx)
	if closing := provider.Close(); err == nil {
		err = closing
	}
	return len(results), err
}
