//go:build !dbfleet_no_mysql

package mysql

import (
	"context"

	"github.com/dbfleet/dbfleet/internal/position"
)

const historyOf = "SELECT @@global.gtid_binlog_state, @@global.gtid_slave_pos"

// Includes implements session.Historian. The sets of MySQL name their writers by
// themselves.
func (s *conn) Includes(ctx context.Context, target position.Position) (position.Answer, error) {
	if !s.isMariaDB() || s.unplaced || s.pooler {
		return position.Unknown, nil
	}
	row, err := s.row(ctx, historyOf)
	if err != nil {
		return position.Unknown, err
	}
	return target.IncludedIn(row...), nil
}
