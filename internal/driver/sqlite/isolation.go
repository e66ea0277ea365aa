//go:build !dbfleet_no_sqlite

package sqlite

import (
	"context"
	"database/sql"
)

// Isolation implements session.IsolationTeller: SQLite has one level.
func (s *conn) Isolation(context.Context) (sql.IsolationLevel, error) {
	return sql.LevelSerializable, nil
}
