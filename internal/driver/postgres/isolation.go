//go:build !dbfleet_no_postgres

package postgres

import (
	"context"
	"database/sql"

	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// Isolation implements session.IsolationTeller.
func (s *conn) Isolation(ctx context.Context) (sql.IsolationLevel, error) {
	if err := s.beginNow(ctx); err != nil {
		return 0, err
	}
	s.unnamed = nil
	results, err := s.pc.Exec(ctx, "SHOW transaction_isolation").ReadAll()
	if err != nil {
		return 0, err
	}
	name := ""
	if len(results) == 1 && len(results[0].Rows) == 1 {
		name = string(results[0].Rows[0][0])
	}
	return session.ParseIsolation(name)
}
