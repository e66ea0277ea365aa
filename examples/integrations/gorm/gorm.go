// Package gorm opens GORM on a connection of dbfleet, so that old code goes on
// while new code uses models: both share the pools, the settings of their sessions
// and the limits. GORM's statements call no hooks and know no replicas; give
// gorm.io/plugin/dbresolver the db.ReplicaPool() for those.
package gorm

import (
	"fmt"
	"time"

	"gorm.io/driver/mysql"
	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/dbfleet/dbfleet"
)

// Open is a handle of GORM on the primary of a connection. It is not to be closed:
// the registry closes the pool.
func Open(db *dbfleet.DB, options ...gorm.Option) (*gorm.DB, error) {
	dialector, err := Dialector(db)
	if err != nil {
		return nil, err
	}
	inUTC := &gorm.Config{NowFunc: func() time.Time { return time.Now().UTC() }}
	return gorm.Open(dialector, append([]gorm.Option{inUTC}, options...)...)
}

// Dialector is GORM's word for a driver on a pool.
func Dialector(db *dbfleet.DB) (gorm.Dialector, error) {
	switch db.Driver() {
	case dbfleet.Postgres:
		return postgres.New(postgres.Config{Conn: db.Pool()}), nil
	case dbfleet.MySQL:
		return mysql.New(mysql.Config{Conn: db.Pool()}), nil
	case dbfleet.SQLite:
		return sqlite.New(sqlite.Config{Conn: db.Pool()}), nil
	}
	return nil, fmt.Errorf("gorm has no dialect here for %s", db)
}
