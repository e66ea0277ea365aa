//go:build !dbfleet_no_mysql

package mysql

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// FinishPrepared asks on another session than the branch's own first whether the server
// takes writes, since a privileged account can finish a branch on a replica, which must
// not be; and then waits for the end of the session that prepared it.
func (s *conn) FinishPrepared(ctx context.Context, id session.BranchID, commit, own bool) error {
	refused := func(reason, err error) error { return &session.BranchError{ID: id, Reason: reason, Err: err} }
	format := formatOf(s.thread.id)
	if !own {
		if err := s.takesWrites(ctx, id); err != nil {
			return err
		}
		listed, ok, err := s.prepared(ctx, id)
		switch {
		case err != nil:
			return err
		case !ok:
			return refused(session.ErrBranchUnknown, nil)
		}
		format = listed
		if err := s.ownerGone(ctx, ownerOf(format)); err != nil {
			return err
		}
	}
	query := "XA ROLLBACK "
	if commit {
		query = "XA COMMIT "
	}
	_, err := s.ExecText(ctx, query+xaName(id, format), nil)
	if err == nil {
		return nil
	}
	s.refreshed(err)
	switch number := numberOf(err); {
	case number == xaUnknown: // which it also says of one that it lists, and whose session is connected
		_, ok, listErr := s.prepared(ctx, id)
		switch {
		case listErr != nil:
			return listErr
		case ok:
			return refused(session.ErrBranchHeld, err)
		}
		return refused(session.ErrBranchUnknown, err)
	case xaRolledBack(number) && commit:
		return refused(session.ErrBranchRolledBack, err)
	case xaRolledBack(number):
		return nil
	case classOf(number) == session.ReadOnly:
		return refused(session.ErrBranchReadOnly, err)
	case classOf(number) == session.Auth:
		return refused(session.ErrBranchDenied, err)
	}
	return err
}

// prepared finds a branch in the list of those that are prepared, with its format.
func (s *conn) prepared(ctx context.Context, id session.BranchID) (format int64, ok bool, err error) {
	err = s.eachPrepared(ctx, func(has session.BranchID, f int64) {
		if has == id {
			format, ok = f, true
		}
	})
	return format, ok, err
}

func (s *conn) takesWrites(ctx context.Context, id session.BranchID) error {
	readOnly, err := s.ReadOnly(ctx)
	if err == nil && readOnly {
		err = &session.BranchError{ID: id, Reason: session.ErrBranchReadOnly}
	}
	return err
}

// ListPrepared lists the branches of all databases of the server: it does not tell
// which has which. A replica lists what it has copied, and is refused.
func (s *conn) ListPrepared(ctx context.Context) (list []session.PreparedBranch, err error) {
	if err := s.takesWrites(ctx, session.BranchID{}); err != nil {
		return nil, err
	}
	err = s.eachPrepared(ctx, func(id session.BranchID, _ int64) {
		list = append(list, session.PreparedBranch{ID: id})
	})
	return list, err
}

// eachPrepared tells of each branch of this module's form that the server lists.
func (s *conn) eachPrepared(ctx context.Context, tell func(id session.BranchID, format int64)) error {
	rows, err := s.askAll(ctx, "XA RECOVER")
	if err != nil {
		return err
	}
	for _, row := range rows {
		if len(row) != 4 {
			return errors.New("XA RECOVER gave other columns than it is known to")
		}
		if id, format, ok := recovered(row[0], row[1], row[2], row[3]); ok {
			tell(id, format)
		}
	}
	return nil
}

// recovered reads a row of XA RECOVER: the format, the lengths of both parts of the
// name, and the parts without anything between them.
func recovered(format, global, qualifier, name string) (id session.BranchID, number int64, ok bool) {
	number, err := strconv.ParseInt(format, 10, 64)
	n, err2 := strconv.Atoi(global)
	m, err3 := strconv.Atoi(qualifier)
	if err != nil || err2 != nil || err3 != nil || number < 1 || n < 0 || m < 0 || n+m != len(name) {
		return id, 0, false
	}
	id = session.BranchID{Global: name[:n], Qualifier: name[n:]}
	return id, number, id.Valid()
}

// When a session ends that has prepared a branch, MariaDB lets others finish it a moment
// before InnoDB does: XA COMMIT and XA ROLLBACK are answered with OK in that moment, find
// nothing in InnoDB to finish, and take the branch out of XA RECOVER. It keeps its locks
// then until the server is started again, and nobody can name it. So the end of that
// session is waited for: a branch bears its connection's number as the format of its name,
// which the server keeps and lists, and MariaDB does not compare. A connection that is
// not in the process list any more has let go of its branch; what is left to do is
// InnoDB's part, for which the list says nothing: a pause.

const (
	ownerPatience = time.Second           // for a session that may be about to end
	ownerTick     = 5 * time.Millisecond  // between two looks for it
	ownerPause    = 50 * time.Millisecond // after it has gone
)

// ownerBits are those of a connection's number that a format has: it is a positive
// number of 32 bits.
const ownerBits = 1<<30 - 1

// formatOf is the format of the names of a connection's branches: 1, the usual one, says
// that its number is not known.
func formatOf(connection int64) int64 {
	if connection <= 0 {
		return 1
	}
	return connection&ownerBits + 2
}

// ownerOf is the number, as far as a format has it; 0 is not known.
func ownerOf(format int64) int64 { return max(0, format-2) }

const ownerThere = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE ID <> CONNECTION_ID() AND ID & 1073741823 = "

// ownerGone waits for the end of the session that prepared a branch. One that is still
// there after a while is not about to end, or another one with the same number, since the
// server was started again: then the server is asked, which refuses while it is held.
func (s *conn) ownerGone(ctx context.Context, owner int64) error {
	if owner > 0 {
		for end := time.Now().Add(ownerPatience); time.Now().Before(end); {
			rows, err := s.askAll(ctx, ownerThere+strconv.FormatInt(owner, 10))
			if err != nil {
				return err
			}
			if len(rows) == 1 && rows[0][0] == "0" {
				break
			}
			if err := wait(ctx, ownerTick); err != nil {
				return err
			}
		}
	}
	return wait(ctx, ownerPause)
}

// wait is a pause. The end of ctx during it is that of something that was not sent.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return &session.NotSentError{Err: ctx.Err()}
	}
}
