//go:build !dbfleet_no_mysql

package mysql

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// xaUndoTimeout bounds what ends a branch that could not be prepared.
const xaUndoTimeout = time.Second

// xaName is the name of a branch as the XA statements have it: both parts and the format.
func xaName(id session.BranchID, format int64) string {
	return "'" + id.Global + "','" + id.Qualifier + "'," + strconv.FormatInt(format, 10)
}

// BeginBranch sets the transaction's options first, which hold for the next transaction
// whichever it is: after an error the session must not be used any more.
func (s *conn) BeginBranch(ctx context.Context, id session.BranchID, o session.TxOptions) error {
	if s.pooler {
		return &session.NotSentError{Err: poolerFault}
	}
	options, err := xaOptions(o)
	if err != nil {
		return err
	}
	if options != "" {
		if _, err := s.ExecText(ctx, options, nil); err != nil {
			return err
		}
	}
	name := xaName(id, formatOf(s.thread.id))
	if _, err := s.ExecText(ctx, "XA START "+name, nil); err != nil {
		return err
	}
	s.xa = name
	return nil
}

// xaOptions is the statement that sets the options of the next transaction; "" if they
// are the session's.
func xaOptions(o session.TxOptions) (string, error) {
	var list []string
	switch o.Isolation {
	case sql.LevelDefault:
	case sql.LevelReadUncommitted, sql.LevelReadCommitted, sql.LevelRepeatableRead, sql.LevelSerializable:
		list = append(list, "ISOLATION LEVEL "+strings.ToUpper(o.Isolation.String()))
	default:
		return "", &session.NotSentError{Err: &session.UnsupportedIsolationError{Level: o.Isolation.String(), Database: "MySQL"}}
	}
	if o.ReadOnly {
		list = append(list, "READ ONLY")
	}
	if list == nil {
		return "", nil
	}
	return "SET TRANSACTION " + strings.Join(list, ", "), nil
}

// endXA ends a branch that is not prepared, with COMMIT in one phase or ROLLBACK.
func (s *conn) endXA(ctx context.Context, commit bool) error {
	name := s.xa
	s.xa = ""
	if _, err := s.ExecText(ctx, "XA END "+name, nil); err != nil && (commit || !s.Verdict(err).Answered) {
		return s.undoneXA(name, err)
	}
	if commit {
		_, err := s.ExecText(ctx, "XA COMMIT "+name+" ONE PHASE", nil)
		if v := s.Verdict(err); err != nil && v.Answered && !v.CommitUnknown && !v.TxLost {
			_ = s.undoneXA(name, err) // it is still there
		} else if err != nil {
			s.refreshed(err)
		}
		return err
	}
	return s.rollbackXA(ctx, name)
}

// rollbackXA rolls a branch back; one that the server has rolled back by itself, as the
// victim of a deadlock, is gone with the error that says so.
func (s *conn) rollbackXA(ctx context.Context, name string) error {
	_, err := s.ExecText(ctx, "XA ROLLBACK "+name, nil)
	if err != nil {
		s.refreshed(err)
		if n := numberOf(err); xaRolledBack(n) || n == xaUnknown {
			return nil
		}
	}
	return err
}

// undoneXA is why a branch could not be ended, which is rolled back with that: by
// statement, or with the session that was lost.
func (s *conn) undoneXA(name string, err error) error {
	if v := s.Verdict(err); v.Answered && !v.Broken {
		ctx, cancel := context.WithTimeout(context.Background(), xaUndoTimeout)
		defer cancel()
		if s.rollbackXA(ctx, name) != nil {
			_ = s.Conn.Close() // which rolls it back
		}
	}
	return &session.TxLostError{Err: s.Explain(err)}
}

// refreshed asks for the status flags, which an error does not bring along.
func (s *conn) refreshed(err error) {
	if v := s.Verdict(err); v.Answered && !v.Broken {
		ctx, cancel := context.WithTimeout(context.Background(), xaUndoTimeout)
		defer cancel()
		_ = s.Ping(ctx)
	}
}

// Numbers of the XA errors.
const (
	xaUnknown   = 1397 // XAER_NOTA
	xaUncertain = 1401 // XAER_RMERR
)

// xaRolledBack says that an error is one of XA_RB…: nothing of the branch is left.
func xaRolledBack(number uint16) bool { return number == 1402 || number == 1613 || number == 1614 }

func (s *conn) PrepareBranch(ctx context.Context, _ session.BranchID) (attached bool, err error) {
	name := s.xa
	s.xa = ""
	if _, err := s.ExecText(ctx, "XA END "+name, nil); err != nil {
		return false, s.undoneXA(name, err)
	}
	_, err = s.ExecText(ctx, "XA PREPARE "+name, nil)
	if err == nil {
		return true, nil
	}
	if v := s.Verdict(err); !v.Answered || v.Broken {
		return false, err
	}
	undo, cancel := context.WithTimeout(context.Background(), xaUndoTimeout)
	defer cancel()
	if undoErr := s.rollbackXA(undo, name); undoErr != nil {
		_ = s.Conn.Close()
		return false, fmt.Errorf("the branch may be prepared: it could not be rolled back after %v", err) //nolint:errorlint // it must not match: it is no answer to the vote
	}
	return false, &session.TxLostError{Err: err}
}

var poolerFault = &session.BranchSetupError{
	Setting: "Pooler", Reason: "a branch of MySQL belongs to its session, which a pooler gives to others: connect without it",
}

// CheckBranches asks for InnoDB's word, the version, and the right to see what is
// prepared, without which nothing could be recovered.
func (s *conn) CheckBranches(ctx context.Context) error {
	var faults []error
	if s.pooler {
		faults = append(faults, poolerFault)
	}
	if !survivesSession(s.version) {
		faults = append(faults, &session.BranchSetupError{
			Setting: "version", Reason: "the server rolls prepared branches back when their session ends: it takes MariaDB 10.5 or MySQL 5.7.7",
		})
	}
	engines, err := s.askAll(ctx, "SELECT XA FROM information_schema.ENGINES WHERE ENGINE = 'InnoDB' AND SUPPORT IN ('YES', 'DEFAULT')")
	if err != nil {
		return err
	}
	if len(engines) != 1 || engines[0][0] != "YES" {
		faults = append(faults, &session.BranchSetupError{Setting: "InnoDB", Reason: "is switched off, and no other engine prepares branches"})
	}
	galera, err := s.askAll(ctx, "SHOW GLOBAL VARIABLES LIKE 'wsrep_on'")
	if err != nil {
		return err
	}
	if len(galera) == 1 && galera[0][1] == "ON" {
		faults = append(faults, &session.BranchSetupError{Setting: "wsrep_on", Reason: "is ON, and Galera has no XA transactions"})
	}
	readOnly, err := s.ReadOnly(ctx)
	if err != nil {
		return err
	}
	if readOnly {
		faults = append(faults, &session.BranchSetupError{Setting: "read_only", Reason: "is set: name the primary"})
	}
	if _, err := s.askAll(ctx, "XA RECOVER"); err != nil {
		if v := s.Verdict(err); !v.Answered || v.Broken {
			return err
		}
		faults = append(faults, fmt.Errorf("%w: %w", &session.BranchSetupError{
			Setting: "XA_RECOVER_ADMIN", Reason: "the account may not see what is prepared: grant it",
		}, err))
	}
	return errors.Join(faults...)
}

// survivesSession says whether prepared branches outlive the session.
func survivesSession(version string) bool {
	if strings.Contains(version, "MariaDB") {
		return returning(version) // both came with 10.5
	}
	return atLeast(version, 5, 7, 7)
}

func atLeast(version string, want ...int) bool {
	version, _, _ = strings.Cut(version, "-")
	for _, w := range want {
		part, rest, _ := strings.Cut(version, ".")
		if n, _ := strconv.Atoi(part); n != w {
			return n > w
		}
		version = rest
	}
	return true
}

// askAll is a query without arguments, whose values come as text.
func (s *conn) askAll(ctx context.Context, query string) ([][]string, error) {
	rows, err := s.QueryText(ctx, query, nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var list [][]string
	dest := make([]sqldriver.Value, len(rows.Columns()))
	for {
		err := rows.Next(dest)
		if err == io.EOF {
			return list, nil
		}
		if err != nil {
			return nil, err
		}
		row := make([]string, len(dest))
		for i, v := range dest {
			if b, ok := v.([]byte); ok {
				v = string(b)
			}
			row[i] = fmt.Sprint(v)
		}
		list = append(list, row)
	}
}
