//go:build !dbfleet_no_postgres

package postgres

import (
	"context"
	"strings"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/driver/session"
	"github.com/dbfleet/dbfleet/internal/lex"
)

// turned notes what a command's tag says of the transaction: one statement of several in
// a text may end it and another begin one, which the status alone does not tell.
func (s *conn) turned(word, tag string) {
	switch {
	case word == "COMMIT", tag == "PREPARE TRANSACTION":
		s.over = session.TxCommitted
	case word == "ROLLBACK" && s.over == session.TxUnknown && s.begun && !isBackTo(s.text):
		s.over = session.TxRolledBack
	case (word == "BEGIN" || tag == "START TRANSACTION") && s.over == session.TxUnknown && s.begun:
		s.over = session.TxNone // it was one already, or the end went unseen
	}
}

// isBackTo says whether a text is ROLLBACK TO, whose tag is that of ROLLBACK.
func isBackTo(query string) bool {
	word, next := lex.FirstWord(query, dialect.Postgres)
	if !strings.EqualFold(word, "ROLLBACK") {
		return false
	}
	t := next.Next()
	if t.Is("WORK") || t.Is("TRANSACTION") {
		t = next.Next()
	}
	return t.Is("TO")
}

func (s *conn) TxStatus() session.TxStatus {
	if s.opened() {
		return session.TxOpen
	}
	status := s.pc.TxStatus()
	if s.begun && s.over != session.TxUnknown {
		return s.over
	}
	switch status {
	case 'I':
		return session.TxNone
	case 'T':
		return session.TxOpen
	case 'E':
		return session.TxAborted
	}
	return session.TxUnknown
}

const mark = "dbfleet_mark"

// Watch implements session.Watcher by a savepoint.
func (s *conn) Watch(ctx context.Context) error {
	_, err := s.simple(ctx, "SAVEPOINT "+mark)
	return err
}

// Watched implements session.Watcher. A transaction that is aborted goes back to the
// mark: it takes no other question.
func (s *conn) Watched(ctx context.Context) (still bool, err error) {
	if s.pc.TxStatus() == 'E' {
		_, err = s.simple(ctx, "ROLLBACK TO SAVEPOINT "+mark)
	}
	if err == nil {
		_, err = s.simple(ctx, "RELEASE SAVEPOINT "+mark)
	}
	if s.Verdict(err).Answered && !s.pc.IsClosed() {
		return err == nil, nil
	}
	return err == nil, err
}

// states is what statements of others would meet: settings, roles, temporary tables,
// prepared statements, cursors, channels and locks.
const states = "SELECT concat_ws(';', current_user, session_user, pg_my_temp_schema(), " +
	"(SELECT count(*) FROM pg_prepared_statements WHERE from_sql), (SELECT count(*) FROM pg_cursors WHERE name <> ''), " +
	"(SELECT string_agg(c, ',') FROM pg_listening_channels() c), " +
	"(SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()), " +
	"(SELECT string_agg(name || '=' || setting, ',' ORDER BY name) FROM pg_settings WHERE source = 'session'))"

// State implements session.Stater.
func (s *conn) State(ctx context.Context) (string, error) {
	if err := s.beginNow(ctx); err != nil {
		return "", err
	}
	s.unnamed = nil
	results, err := s.pc.Exec(ctx, states).ReadAll()
	if err != nil || len(results) != 1 || len(results[0].Rows) != 1 {
		return "", err
	}
	return string(results[0].Rows[0][0]), nil
}

// Forget implements session.Forgetter.
func (s *conn) Forget() { s.clear() }
