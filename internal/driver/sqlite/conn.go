//go:build !dbfleet_no_sqlite

package sqlite

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"io/fs"
	"math"
	"os"
	"strings"
	"time"

	"modernc.org/sqlite"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/driver/plain"
	"github.com/dbfleet/dbfleet/internal/driver/session"
	"github.com/dbfleet/dbfleet/internal/lex"
	"github.com/dbfleet/dbfleet/internal/value"
)

// conn is a connection to a SQLite database.
type conn struct {
	*plain.Session
	o      session.Options
	path   string
	file   fs.FileInfo // of a copy, as it was opened; nil otherwise
	in     counters
	rowids rowids

	// inTx, committed and rolledBack follow the transaction: SQLite calls back when it
	// commits one that has written, and when it rolls one back, also by itself.
	inTx, committed, rolledBack bool
	// synchronous is the level to go back to at the end of the transaction, "" for none.
	synchronous string
	readOnlyTx  bool
	schemas     *schemas // see Strayed
}

func newConn(dc sqldriver.Conn, o session.Options) *conn {
	s := &conn{Session: plain.New(dc, o.StatementCache), o: o, in: countersOf(dc)}
	s.ManyOpen = true
	s.Direct = func(query string, args int, _ bool) bool {
		return !s.Cache.Keeps(query) ||
			args == 0 && (!plain.Preparable(query, dialect.SQLite) && !endsOrBegins(query) || !s.Cache.Repeated(query))
	}
	if h, ok := dc.(sqlite.HookRegisterer); ok {
		h.RegisterRollbackHook(func() { s.rolledBack = true })
		h.RegisterCommitHook(func() int32 { s.committed = true; return 0 })
	}
	return s
}

func codeOf(err error) int {
	var se *sqlite.Error
	if errors.As(err, &se) {
		return se.Code()
	}
	return 0
}

func (s *conn) Exec(ctx context.Context, query string, args []sqldriver.NamedValue) (session.Result, error) {
	before := s.changesNow()
	res, err := s.Session.Exec(ctx, query, args)
	changed := s.in.changes() - before
	res.Elsewhere = changed > res.RowsAffected
	return res, s.partly(err, changed)
}

func (s *conn) Query(ctx context.Context, query string, args []sqldriver.NamedValue) (session.RowSource, error) {
	before := s.changesNow()
	rows, err := s.Session.Read(ctx, query, args)
	if err != nil {
		return nil, s.partly(err, s.in.changes()-before)
	}
	return newRows(rows), nil
}

// changesNow is taken before a statement, for partly.
func (s *conn) changesNow() int64 {
	if !s.inTx {
		s.committed = false
	}
	return s.in.changes()
}

// partly is the error of a statement, which may have left rows that it had changed: by ON
// CONFLICT FAIL, or RAISE(FAIL) of a trigger. changed counts what triggers have changed, and
// that also where it was undone: then no row of the statement's own has stayed, and nothing
// was committed by itself. That of triggers before the first row is not told in a transaction.
func (s *conn) partly(err error, changed int64) error {
	if err == nil || changed <= 0 {
		return err
	}
	own := s.in.ownChanges()
	if own == 0 && (s.inTx || !s.committed) {
		return err
	}
	return &session.PartlyError{Rows: own, Err: err}
}

func (s *conn) Begin(ctx context.Context, o session.TxOptions) error {
	if err := checkIsolation(o.Isolation); err != nil {
		return err
	}
	if o.Deferrable {
		return &session.NotSentError{Err: session.ErrNotDeferrable}
	}
	query := "BEGIN IMMEDIATE"
	if o.ReadOnly || s.o.ReadOnly || s.o.SQLite.DeferredWrites {
		query = "BEGIN"
	}
	s.committed, s.rolledBack = false, false
	if _, err := s.Session.Exec(ctx, query, nil); err != nil {
		_, _ = s.Session.Exec(context.Background(), "ROLLBACK", nil) // it may have begun before ctx ended
		return err
	}
	s.inTx, s.committed, s.rolledBack = true, false, false
	if !o.ReadOnly || s.o.ReadOnly {
		return nil
	}
	if err := s.refuseWrites(); err != nil {
		_ = s.Rollback(context.Background())
		return err
	}
	return nil
}

// refuseWrites lets SQLite refuse writes until endTx, unless it does anyway.
func (s *conn) refuseWrites() error {
	only, err := s.pragma(context.Background(), "PRAGMA query_only")
	if err != nil || only == "1" {
		return err
	}
	s.readOnlyTx = true
	_, err = s.Session.Exec(context.Background(), "PRAGMA query_only = ON", nil)
	return err
}

// Commit knows its outcome also when ctx ends meanwhile: if no transaction is
// left to roll back, it has committed.
func (s *conn) Commit(ctx context.Context) error {
	_, err := s.Session.Exec(ctx, "COMMIT", nil)
	if err != nil {
		if s.rolledBack {
			err = &session.TxLostError{Err: err}
		} else if _, rollbackErr := s.Session.Exec(context.Background(), "ROLLBACK", nil); rollbackErr != nil {
			err = nil
		} else if ctx.Err() != nil {
			err = &session.TxLostError{Err: ctx.Err()}
		}
	}
	if endErr := s.endTx(); err == nil {
		return endErr
	}
	return err
}

// Usable implements session.Session. A session that still refuses writes after a
// transaction that only read is nobody else's: SQLite has rolled it back by itself, or
// could not be told to take writes again.
func (s *conn) Usable() bool {
	return (!s.readOnlyTx || s.TxStatus() == session.TxOpen) && s.Session.Usable()
}

func (s *conn) Verdict(err error) session.Verdict {
	var notSent *session.NotSentError
	var lost *session.TxLostError
	switch {
	case errors.As(err, &lost):
		return session.Verdict{Answered: true}
	case errors.As(err, &notSent):
		return session.Verdict{NotSent: true}
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		// The driver says so also when the statement was done in time.
		return session.Verdict{TxDoubtful: true}
	case errors.Is(err, sqldriver.ErrBadConn):
		return session.Verdict{NotSent: true, Broken: true}
	}
	switch codeOf(err) & 0xff {
	case 11, 26: // the file is damaged, or no database
		return session.Verdict{Answered: true, Broken: true}
	}
	return session.Verdict{Answered: true}
}

func (s *conn) Convert(nv *sqldriver.NamedValue) error {
	switch v := nv.Value.(type) {
	case nil, int64, bool, string, []byte:
		return nil
	case float64:
	case time.Time:
		return timeArg(nv, v)
	case uint64:
		return uintArg(nv, v)
	case uint: // database/sql would make a negative number of a large one
		return uintArg(nv, uint64(v))
	default:
		converted, err := sqldriver.DefaultParameterConverter.ConvertValue(v)
		if err != nil {
			return err
		}
		nv.Value = converted
		if t, ok := converted.(time.Time); ok {
			return timeArg(nv, t)
		}
	}
	// SQLite would store NULL.
	if f, ok := nv.Value.(float64); ok && math.IsNaN(f) {
		return &session.ArgumentError{Ordinal: nv.Ordinal, Reason: "is not a number"}
	}
	return nil
}

func (s *conn) AsIs() session.Kinds { return session.KindBasic }

func uintArg(nv *sqldriver.NamedValue, n uint64) error {
	if n > math.MaxInt64 {
		return &session.ArgumentError{Ordinal: nv.Ordinal, Reason: "is larger than SQLite's largest integer"}
	}
	nv.Value = int64(n)
	return nil
}

// timeArg writes a time whose text sorts where the time belongs.
func timeArg(nv *sqldriver.NamedValue, t time.Time) error {
	t = t.UTC()
	if y := t.Year(); y < 0 || y > 9999 {
		return &session.ArgumentError{Ordinal: nv.Ordinal, Reason: "is a time outside the years 0 to 9999"}
	}
	nv.Value = value.FormatTime(t)
	return nil
}

func (s *conn) Ping(ctx context.Context) error {
	_, err := s.ExecText(ctx, "SELECT 1", nil)
	return err
}

// ReadOnly tells of a file that may only be read, and of the pragma query_only.
func (s *conn) ReadOnly(ctx context.Context) (bool, error) {
	if err := s.Ping(ctx); err != nil {
		return false, err
	}
	if c, ok := s.Conn.(interface{ IsReadOnly(string) (bool, error) }); ok {
		if readOnly, err := c.IsReadOnly("main"); err != nil || readOnly {
			return readOnly, err
		}
	}
	only, err := s.pragma(ctx, "PRAGMA query_only")
	return only == "1", err
}

// Alive reports false when another file has taken the place of a copy, or when it was
// emptied.
func (s *conn) Alive() bool {
	if s.file == nil {
		return true
	}
	now, err := os.Stat(s.path)
	return err == nil && now.Size() > 0 && os.SameFile(s.file, now)
}

// Close closes the statements first: SQLite keeps the file open for them.
func (s *conn) Close() error {
	s.Cache.Clear()
	return s.Conn.Close()
}

// endsOrBegins reports whether a statement is one of those that frame a
// transaction.
func endsOrBegins(query string) bool {
	word, _ := lex.FirstWord(query, dialect.SQLite)
	switch strings.ToUpper(word) {
	case "BEGIN", "COMMIT", "END", "ROLLBACK", "SAVEPOINT", "RELEASE":
		return true
	}
	return false
}
