//go:build !dbfleet_no_sqlite

package driver

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"math"
	"time"

	"modernc.org/sqlite"
)

// sqliteSession is a connection to a SQLite database.
type sqliteSession struct {
	*plain
	o Options

	// inTx and rolledBack follow the transaction: SQLite calls back when it
	// rolls one back, also when it does so by itself.
	inTx, rolledBack bool
	readOnlyTx       bool
}

func newSQLiteSession(dc sqldriver.Conn, o Options) *sqliteSession {
	s := &sqliteSession{plain: newPlain(dc, o.StatementCache), o: o}
	s.manyOpen = true
	s.direct = func(query string, args int, _ bool) bool {
		return !s.cache.keeps(query) ||
			args == 0 && (!preparable(query) && !endsOrBegins(query) || !s.cache.repeated(query))
	}
	if h, ok := dc.(sqlite.HookRegisterer); ok {
		h.RegisterRollbackHook(func() { s.rolledBack = true })
	}
	return s
}

func sqliteCode(err error) int {
	var se *sqlite.Error
	if errors.As(err, &se) {
		return se.Code()
	}
	return 0
}

func (s *sqliteSession) query(ctx context.Context, query string, args []sqldriver.NamedValue) (rowSource, error) {
	rows, err := s.plain.rows(ctx, query, args)
	if err != nil {
		return nil, err
	}
	return newSQLiteRows(rows), nil
}

func (s *sqliteSession) begin(ctx context.Context, o TxOptions) error {
	if err := sqliteIsolation(o.Isolation); err != nil {
		return err
	}
	query := "BEGIN IMMEDIATE"
	if o.ReadOnly || s.o.ReadOnly || s.o.SQLite.DeferredWrites {
		query = "BEGIN"
	}
	s.rolledBack = false
	if _, err := s.plain.exec(ctx, query, nil); err != nil {
		_, _ = s.plain.exec(context.Background(), "ROLLBACK", nil) // it may have begun before ctx ended
		return err
	}
	s.inTx, s.rolledBack = true, false
	if o.ReadOnly && !s.o.ReadOnly {
		if _, err := s.plain.exec(context.Background(), "PRAGMA query_only = ON", nil); err != nil {
			_ = s.rollback(context.Background())
			return err
		}
		s.readOnlyTx = true
	}
	return nil
}

// commit knows its outcome also when ctx ends meanwhile: if no transaction is
// left to roll back, it has committed.
func (s *sqliteSession) commit(ctx context.Context) error {
	_, err := s.plain.exec(ctx, "COMMIT", nil)
	if err != nil {
		if s.rolledBack {
			err = &TxLostError{Err: err}
		} else if _, rollbackErr := s.plain.exec(context.Background(), "ROLLBACK", nil); rollbackErr != nil {
			err = nil
		} else if ctx.Err() != nil {
			err = &TxLostError{Err: ctx.Err()}
		}
	}
	if endErr := s.endTx(); err == nil {
		return endErr
	}
	return err
}

func (s *sqliteSession) rollback(context.Context) error {
	var err error
	if !s.rolledBack {
		_, err = s.plain.exec(context.Background(), "ROLLBACK", nil)
	}
	if endErr := s.endTx(); err == nil {
		return endErr
	}
	return err
}

func (s *sqliteSession) endTx() error {
	s.inTx = false
	if !s.readOnlyTx {
		return nil
	}
	s.readOnlyTx = false
	_, err := s.plain.exec(context.Background(), "PRAGMA query_only = OFF", nil)
	return err
}

func (s *sqliteSession) txStatus() txStatus {
	if s.inTx && !s.rolledBack {
		return txOpen
	}
	return txNone
}

func (s *sqliteSession) verdict(err error) verdict {
	var notSent *NotSentError
	var lost *TxLostError
	switch {
	case errors.As(err, &lost):
		return verdict{answered: true}
	case errors.As(err, &notSent):
		return verdict{notSent: true}
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		// The driver says so also when the statement was done in time.
		return verdict{txDoubtful: true}
	case errors.Is(err, sqldriver.ErrBadConn):
		return verdict{notSent: true, broken: true}
	}
	switch sqliteCode(err) & 0xff {
	case 11, 26: // the file is damaged, or no database
		return verdict{answered: true, broken: true}
	}
	return verdict{answered: true}
}

// sqliteTime is how times are written: UTC, so that texts sort as times do.
const sqliteTime = "2006-01-02 15:04:05.999999"

func (s *sqliteSession) convert(nv *sqldriver.NamedValue) error {
	switch v := nv.Value.(type) {
	case nil, int64, bool, string, []byte:
		return nil
	case float64:
	case time.Time:
		return sqliteTimeArg(nv, v)
	case uint64:
		if v > math.MaxInt64 {
			return &ArgumentError{Ordinal: nv.Ordinal, Reason: "is larger than SQLite's largest integer"}
		}
		nv.Value = int64(v)
		return nil
	default:
		converted, err := sqldriver.DefaultParameterConverter.ConvertValue(v)
		if err != nil {
			return err
		}
		nv.Value = converted
		if t, ok := converted.(time.Time); ok {
			return sqliteTimeArg(nv, t)
		}
	}
	// SQLite would store NULL.
	if f, ok := nv.Value.(float64); ok && math.IsNaN(f) {
		return &ArgumentError{Ordinal: nv.Ordinal, Reason: "is not a number"}
	}
	return nil
}

func (s *sqliteSession) asIs() kinds { return kindBasic }

// sqliteTimeArg writes a time whose text sorts where the time belongs.
func sqliteTimeArg(nv *sqldriver.NamedValue, t time.Time) error {
	t = t.UTC()
	if y := t.Year(); y < 0 || y > 9999 {
		return &ArgumentError{Ordinal: nv.Ordinal, Reason: "is a time outside the years 0 to 9999"}
	}
	nv.Value = t.Format(sqliteTime)
	return nil
}

func (s *sqliteSession) ping(ctx context.Context) error {
	_, err := s.execText(ctx, "SELECT 1", nil)
	return err
}

func (s *sqliteSession) alive() bool { return true }

// close closes the statements first: SQLite keeps the file open for them.
func (s *sqliteSession) close() error {
	s.cache.clear()
	return s.dc.Close()
}
