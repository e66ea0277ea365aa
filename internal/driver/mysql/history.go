//go:build !dbfleet_no_mysql

package mysql

import (
	"context"
	sqldriver "database/sql/driver"
	"strings"

	"github.com/dbfleet/dbfleet/internal/position"
)

const historyOf = "SELECT @@global.gtid_binlog_state, @@global.gtid_slave_pos"

// Includes implements session.Historian. The sets of MySQL name their writers by
// themselves.
func (s *conn) Includes(ctx context.Context, target position.Position) (position.Answer, error) {
	if !strings.Contains(s.version, "MariaDB") {
		return position.Unknown, nil
	}
	rows, err := s.QueryText(ctx, historyOf, nil)
	if err != nil {
		return position.Unknown, err
	}
	defer func() { _ = rows.Close() }()
	row := make([]sqldriver.Value, 2)
	if err := rows.Next(row); err != nil {
		return position.Unknown, err
	}
	return target.IncludedIn(text(row[0]), text(row[1])), nil
}

// text is a value as a text, "" for NULL.
func text(v sqldriver.Value) string {
	switch v := v.(type) {
	case []byte:
		return string(v)
	case string:
		return v
	}
	return ""
}
