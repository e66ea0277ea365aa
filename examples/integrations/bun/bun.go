// Package bun opens Bun on a connection of dbfleet, so that old code goes on while
// new code uses models: both share the pools, the settings of their sessions and
// the limits. Bun's statements call no hooks of dbfleet and go to the primary; a
// bun.ConnResolver may hand out db.ReplicaPool() for reads.
package bun

import (
	"fmt"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/mysqldialect"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	"github.com/uptrace/bun/schema"

	"github.com/dbfleet/dbfleet"
)

// Open is a handle of Bun on the primary of a connection. It need not be closed:
// the registry closes the pool.
func Open(db *dbfleet.DB, options ...bun.DBOption) (*bun.DB, error) {
	dialect, err := Dialect(db)
	if err != nil {
		return nil, err
	}
	return bun.NewDB(db.Pool(), dialect, options...), nil
}

// Dialect is Bun's dialect of the database behind a connection.
func Dialect(db *dbfleet.DB) (schema.Dialect, error) {
	switch db.Driver() {
	case dbfleet.Postgres:
		return pgdialect.New(), nil
	case dbfleet.MySQL:
		return mysqldialect.New(), nil
	case dbfleet.SQLite:
		return sqlitedialect.New(), nil
	}
	return nil, fmt.Errorf("bun has no dialect here for %s", db)
}
