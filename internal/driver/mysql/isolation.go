//go:build !dbfleet_no_mysql

package mysql

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"fmt"

	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// isolation asks for the session's level, which is that of a transaction for which no
// other was asked. Of the two names the servers know one or both.
const isolation = "SHOW SESSION VARIABLES WHERE Variable_name IN ('tx_isolation', 'transaction_isolation')"

// Isolation implements session.IsolationTeller.
func (s *conn) Isolation(ctx context.Context) (sql.IsolationLevel, error) {
	rows, err := s.QueryText(ctx, isolation, nil)
	if err != nil {
		return 0, err
	}
	dest := make([]sqldriver.Value, 2)
	err = rows.Next(dest)
	if closeErr := rows.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return 0, fmt.Errorf("reading the session's variables: %w", err)
	}
	return session.ParseIsolation(fmt.Sprintf("%s", dest[1]))
}
