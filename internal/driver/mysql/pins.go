//go:build !dbfleet_no_mysql

package mysql

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"io"

	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// pinned asks for what pin has set. Of the last two the servers know one each.
const pinned = "SHOW SESSION VARIABLES WHERE Variable_name IN ('autocommit', 'character_set_client', 'character_set_connection', " +
	"'character_set_results', 'sql_mode', 'time_zone', 'tx_read_only', 'transaction_read_only')"

// Pins asks the server.
func (s *conn) Pins(ctx context.Context) ([]string, error) {
	if s.TxStatus() == session.TxOpen {
		return nil, errors.New("left a transaction open")
	}
	rows, err := s.QueryText(ctx, pinned, nil)
	if err != nil {
		return nil, fmt.Errorf("reading the session's variables: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var pins []string
	dest := make([]sqldriver.Value, 2)
	for {
		err := rows.Next(dest)
		if err == io.EOF {
			return pins, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading the session's variables: %w", err)
		}
		pins = append(pins, fmt.Sprintf("%s = %s", dest[0], dest[1]))
	}
}
