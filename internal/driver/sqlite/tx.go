//go:build !dbfleet_no_sqlite

package sqlite

import (
	"context"

	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// What SQLite tells of the transaction and the session: its own flag, which says
// whether one is open, and its calls when one ends.

// Rollback ends also what is left of a transaction that a statement has ended.
func (s *conn) Rollback(context.Context) error {
	var err error
	ended := s.rolledBack
	if auto, _ := s.in.autocommit(); !auto {
		if _, err = s.Session.Exec(context.Background(), "ROLLBACK", nil); s.committed || ended {
			err = nil // there may be none
		}
	}
	if endErr := s.endTx(); err == nil {
		return endErr
	}
	return err
}

func (s *conn) endTx() error {
	s.inTx = false
	if !s.readOnlyTx {
		return nil
	}
	_, err := s.Session.Exec(context.Background(), "PRAGMA query_only = OFF", nil)
	s.readOnlyTx = err != nil
	return err
}

func (s *conn) TxStatus() session.TxStatus {
	auto, known := s.in.autocommit()
	switch {
	case !s.inTx && (!known || auto):
		return session.TxNone
	case !s.inTx:
		return session.TxOpen
	case s.rolledBack && s.committed: // first one, then another
		return session.TxNone
	case s.rolledBack:
		return session.TxRolledBack
	case s.committed && known && !auto: // another one was begun, or the commit did not succeed
		return session.TxNone
	case s.committed:
		return session.TxCommitted
	case known && auto: // nothing was written
		return session.TxNone
	}
	return session.TxOpen
}

const mark = "dbfleet_mark"

// Watch implements session.Watcher by a savepoint.
func (s *conn) Watch(context.Context) error {
	_, err := s.ExecText(context.Background(), "SAVEPOINT "+mark, nil)
	return err
}

// Watched implements session.Watcher.
func (s *conn) Watched(context.Context) (still bool, err error) {
	if s.TxStatus().Over() {
		return false, nil
	}
	_, err = s.ExecText(context.Background(), "RELEASE "+mark, nil)
	if codeOf(err) == 1 { // there is none
		return false, nil
	}
	return err == nil, err
}

// schemas are the databases of a connection: how many, and what the one of temporary
// tables holds.
type schemas struct {
	databases int32
	temp      version
	has       int64 // tables, views, indexes and triggers in it
}

const temporaries = "SELECT count(*) FROM temp.sqlite_master"

// Strayed implements session.Strayer: a temporary table, view or trigger was made, or a
// database attached.
func (s *conn) Strayed() bool {
	if !s.in.known() {
		return false
	}
	now := s.in.schemas()
	if s.schemas != nil {
		if now.databases != s.schemas.databases {
			return true
		}
		if now.temp == s.schemas.temp {
			return false
		}
	}
	// The version alone changes with VACUUM, too.
	if s.numbers(context.Background(), temporaries, nil, &now.has) != nil {
		return true
	}
	now.temp = s.in.schemas().temp
	if s.schemas != nil && s.schemas.has != now.has {
		return true
	}
	s.schemas = &now
	return false
}

// Forget implements session.Forgetter.
func (s *conn) Forget() { s.Cache.Clear() }
