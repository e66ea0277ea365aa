//go:build !dbfleet_no_mysql

package mysql

import (
	"context"
	sqldriver "database/sql/driver"
	"fmt"
	"io"

	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// What the server tells of the transaction and the session beyond the flags of its last
// answer.

// Ask implements session.Asker: an error has no flags, the answer to DO has. Errors
// of what was asked, rather than of the transaction, leave it as it is.
func (s *conn) Ask(ctx context.Context, err error) error {
	number := numberOf(err)
	if number == 0 { // not the server's
		return nil
	}
	switch classOf(number) {
	case session.Unique, session.ForeignKey, session.NotNull, session.Check, session.InvalidValue,
		session.Syntax, session.UndefinedObject, session.Auth, session.ReadOnly:
		return nil
	}
	_, err = s.ExecText(ctx, "DO 0", nil)
	return err
}

const mark = "dbfleet_mark"

// Watch implements session.Watcher by a savepoint, which is gone when another
// transaction has begun. In one for reading the session is made so as well: what the
// server commits by itself would be followed by a write.
func (s *conn) Watch(ctx context.Context) error {
	if s.readsOnly() {
		if _, err := s.ExecText(ctx, "SET SESSION TRANSACTION READ ONLY", nil); err != nil {
			return err
		}
	}
	_, err := s.ExecText(ctx, "SAVEPOINT "+mark, nil)
	return err
}

// Watched implements session.Watcher.
func (s *conn) Watched(ctx context.Context) (still bool, err error) {
	_, err = s.ExecText(ctx, "RELEASE SAVEPOINT "+mark, nil)
	if still = err == nil; numberOf(err) == 1305 { // there is none
		_, err = s.ExecText(ctx, "DO 0", nil)
	}
	if err == nil && s.readsOnly() {
		_, err = s.ExecText(ctx, "SET SESSION TRANSACTION READ WRITE", nil)
	}
	return still, err
}

// readsOnly says that the transaction is for reading where the session is not.
func (s *conn) readsOnly() bool { return s.readOnlyTx && !s.readOnly }

// Strayed implements session.Strayer: by the flags, the session does not commit by
// itself, or takes a backslash for a letter.
func (s *conn) Strayed() bool {
	return s.status != nil && *s.status&(statusAutocommit|statusNoBackslashEscapes) != statusAutocommit
}

const states = "SELECT CONCAT_WS(';', DATABASE(), @@autocommit, @@sql_mode, @@time_zone, @@character_set_client, @@character_set_connection, " +
	"@@collation_connection, @@character_set_results, @@foreign_key_checks, @@unique_checks, @@sql_safe_updates, @@sql_select_limit, CURRENT_ROLE())"

// State implements session.Stater.
func (s *conn) State(ctx context.Context) (string, error) {
	rows, err := s.QueryText(ctx, states, nil)
	if err != nil {
		return "", err
	}
	defer func() { _ = rows.Close() }()
	var dest [1]sqldriver.Value
	if err := rows.Next(dest[:]); err != nil {
		return "", err
	}
	state := fmt.Sprintf("%s", dest[0])
	if err := rows.Next(dest[:]); err != io.EOF {
		return "", err
	}
	return state, nil
}

// Forget implements session.Forgetter.
func (s *conn) Forget() { s.Cache.Clear() }
