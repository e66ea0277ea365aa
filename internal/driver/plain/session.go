// Package plain is a session on any database/sql driver. The packages of MySQL and
// SQLite build theirs on it.
package plain

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"io"
	"net"

	"github.com/dbfleet/dbfleet/internal/driver/session"
	"github.com/dbfleet/dbfleet/internal/driver/stmtcache"
)

// Session is a session on any database/sql driver connection, with a cache of its
// prepared statements. The MySQL and SQLite sessions build on it; alone it serves
// the connectors that a program brings along. Its methods are those of
// session.Session; the fields are for what is built on it.
type Session struct {
	// Conn is the driver's connection.
	Conn  sqldriver.Conn
	Cache *stmtcache.Cache[sqldriver.Stmt]
	// ManyOpen says that several cursors may be open.
	ManyOpen bool
	// Direct says whether a statement that was never seen before is better sent
	// as text than prepared.
	Direct func(query string, args int, rows bool) bool
	// Stale says that an error means: prepare it again, nothing was executed.
	Stale func(error) bool
	// Full says that an error means: the server prepares no more statements.
	Full func(error) bool
	// Unfit says that an error means: a statement of that kind cannot be prepared.
	Unfit func(error) bool
	// Rowed says that a prepared statement gives rows and that the driver's Exec cannot
	// pass them over: it is run as a query, whose rows are passed over here. writes says
	// that they are the rows which the statement has written, so that they are counted.
	Rowed func(s sqldriver.Stmt, query string) (rows, writes bool)
	// Tx is the driver's transaction, nil while none is open.
	Tx sqldriver.Tx

	// What Conn can do besides; nil is what it cannot.
	checker   sqldriver.NamedValueChecker
	validator sqldriver.Validator
	resetter  sqldriver.SessionResetter
}

// New makes the session of a driver's connection, which it then owns. It keeps so
// many statements; 0 keeps none.
func New(dc sqldriver.Conn, cacheSize int) *Session {
	p := &Session{Conn: dc}
	p.checker, _ = dc.(sqldriver.NamedValueChecker)
	p.validator, _ = dc.(sqldriver.Validator)
	p.resetter, _ = dc.(sqldriver.SessionResetter)
	p.Cache = stmtcache.New(cacheSize, func(s sqldriver.Stmt) { _ = s.Close() })
	return p
}

// statement finds or prepares the statement of that text. once says that it is
// not kept: the caller closes it. A nil entry without an error says that the
// text is to be sent as it is.
func (p *Session) statement(ctx context.Context, query string, args int, rows bool) (e *stmtcache.Entry[sqldriver.Stmt], once bool, err error) {
	if p.Cache.Keeps(query) {
		if e := p.Cache.Get(query); e != nil {
			if !e.Busy {
				return e, false, nil
			}
			s, err := p.prepareStmt(ctx, query)
			return &stmtcache.Entry[sqldriver.Stmt]{Stmt: s, Query: query}, true, err
		}
	}
	if p.Direct != nil && p.Direct(query, args, rows) {
		return nil, false, nil
	}
	s, err := p.prepareStmt(ctx, query)
	if err != nil {
		if p.Full != nil && p.Full(err) {
			p.Cache.Shrink()
			return nil, false, nil
		}
		if p.Unfit != nil && p.Unfit(err) {
			return nil, false, nil
		}
		return nil, false, err
	}
	if p.Cache.Admit(query) {
		return p.Cache.Put(query, s), false, nil
	}
	return &stmtcache.Entry[sqldriver.Stmt]{Stmt: s, Query: query}, true, nil
}

func (p *Session) prepareStmt(ctx context.Context, query string) (s sqldriver.Stmt, err error) {
	if c, ok := p.Conn.(sqldriver.ConnPrepareContext); ok {
		s, err = c.PrepareContext(ctx, query)
	} else {
		s, err = p.Conn.Prepare(query)
	}
	if err == nil && p.Rowed != nil {
		if rows, writes := p.Rowed(s, query); rows {
			s = rowed{s, writes}
		}
	}
	return s, err
}

// Exec implements session.Session.
func (p *Session) Exec(ctx context.Context, query string, args []sqldriver.NamedValue) (session.Result, error) {
	for try := 0; ; try++ {
		e, once, err := p.statement(ctx, query, len(args), false)
		if err != nil {
			return session.Result{}, err
		}
		var res sqldriver.Result
		if e == nil {
			res, err = p.ExecText(ctx, query, args)
		} else {
			res, err = execStmt(ctx, e.Stmt, args)
			if once {
				_ = e.Stmt.Close()
			}
		}
		if err == nil {
			return p.result(res), nil
		}
		if e != nil && !once && p.Stale != nil && p.Stale(err) {
			p.Cache.Remove(e)
			if try == 0 && p.Tx == nil {
				continue
			}
		}
		return session.Result{}, err
	}
}

func (p *Session) result(res sqldriver.Result) session.Result {
	r := session.Result{IDStep: 1}
	if res != nil {
		r.RowsAffected, _ = res.RowsAffected()
		r.LastInsertID, _ = res.LastInsertId()
	}
	if r.RowsAffected == 0 { // SQLite then tells the id of an earlier insert
		r.LastInsertID = 0
	}
	return r
}

// ExecText sends a statement without rows as text, or as a statement that is not
// kept if the driver takes no texts.
func (p *Session) ExecText(ctx context.Context, query string, args []sqldriver.NamedValue) (sqldriver.Result, error) {
	if c, ok := p.Conn.(sqldriver.ExecerContext); ok {
		res, err := c.ExecContext(ctx, query, args)
		if !errors.Is(err, sqldriver.ErrSkip) {
			return res, err
		}
	}
	s, err := p.prepareStmt(ctx, query)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	return execStmt(ctx, s, args)
}

// Query implements session.Session.
func (p *Session) Query(ctx context.Context, query string, args []sqldriver.NamedValue) (session.RowSource, error) {
	rows, err := p.Read(ctx, query, args)
	if err != nil {
		return nil, err
	}
	return &rows, nil
}

// Read is Query with the rows as a value, for sessions that make their own of them.
func (p *Session) Read(ctx context.Context, query string, args []sqldriver.NamedValue) (Rows, error) {
	for try := 0; ; try++ {
		e, once, err := p.statement(ctx, query, len(args), true)
		if err != nil {
			return Rows{}, err
		}
		if e == nil {
			return p.QueryText(ctx, query, args)
		}
		rows, err := queryStmt(ctx, e.Stmt, args)
		if err == nil {
			e.Busy = true
			if once {
				e.Gone = true
			}
			return Rows{Rows: rows, p: p, Entry: e}, nil
		}
		if once {
			_ = e.Stmt.Close()
		} else if p.Stale != nil && p.Stale(err) {
			p.Cache.Remove(e)
			if try == 0 && p.Tx == nil {
				continue
			}
		}
		return Rows{}, err
	}
}

// QueryText is ExecText for a statement with rows.
func (p *Session) QueryText(ctx context.Context, query string, args []sqldriver.NamedValue) (Rows, error) {
	if c, ok := p.Conn.(sqldriver.QueryerContext); ok {
		rows, err := c.QueryContext(ctx, query, args)
		if err == nil {
			return Rows{Rows: rows, p: p}, nil
		}
		if !errors.Is(err, sqldriver.ErrSkip) {
			return Rows{}, err
		}
	}
	s, err := p.prepareStmt(ctx, query)
	if err != nil {
		return Rows{}, err
	}
	rows, err := queryStmt(ctx, s, args)
	if err != nil {
		_ = s.Close()
		return Rows{}, err
	}
	return Rows{Rows: rows, p: p, Entry: &stmtcache.Entry[sqldriver.Stmt]{Stmt: s, Busy: true, Gone: true}}, nil
}

// Prepare implements session.Session.
func (p *Session) Prepare(ctx context.Context, query string) (int, error) {
	e, once, err := p.statement(ctx, query, 1, true)
	if err != nil || e == nil {
		return -1, err
	}
	n := e.Stmt.NumInput()
	if once {
		_ = e.Stmt.Close()
	}
	return n, nil
}

// Begin implements session.Session.
func (p *Session) Begin(ctx context.Context, o session.TxOptions) error {
	if o.Deferrable {
		return &session.NotSentError{Err: session.ErrNotDeferrable}
	}
	var err error
	if c, ok := p.Conn.(sqldriver.ConnBeginTx); ok {
		p.Tx, err = c.BeginTx(ctx, sqldriver.TxOptions{Isolation: sqldriver.IsolationLevel(o.Isolation), ReadOnly: o.ReadOnly})
		return err
	}
	if o.Isolation != sql.LevelDefault || o.ReadOnly {
		return &session.UnsupportedIsolationError{Level: o.Isolation.String(), Database: "this driver"}
	}
	//lint:ignore SA1019 a driver may have nothing newer
	p.Tx, err = p.Conn.Begin()
	return err
}

// Commit implements session.Session.
func (p *Session) Commit(context.Context) error {
	tx := p.Tx
	p.Tx = nil
	return tx.Commit()
}

// Rollback implements session.Session.
func (p *Session) Rollback(context.Context) error {
	tx := p.Tx
	p.Tx = nil
	return tx.Rollback()
}

// TxStatus implements session.Session.
func (p *Session) TxStatus() session.TxStatus { return session.TxUnknown }

// ManyCursors implements session.Session.
func (p *Session) ManyCursors() bool { return p.ManyOpen }

// Explain implements session.Session.
func (p *Session) Explain(err error) error { return err }

// Verdict takes an error that is known to come from the network or from the
// driver's own trouble as such, and every other as the server's answer.
func (p *Session) Verdict(err error) session.Verdict {
	var netErr net.Error
	switch {
	case errors.Is(err, sqldriver.ErrBadConn), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF),
		errors.As(err, &netErr):
		return session.Verdict{Broken: true}
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return session.Verdict{TxDoubtful: true}
	}
	return session.Verdict{Answered: true}
}

// Convert implements session.Session.
func (p *Session) Convert(nv *sqldriver.NamedValue) error {
	if p.checker != nil {
		if err := p.checker.CheckNamedValue(nv); !errors.Is(err, sqldriver.ErrSkip) {
			return err
		}
	}
	v, err := sqldriver.DefaultParameterConverter.ConvertValue(nv.Value)
	nv.Value = v
	return err
}

// AsIs implements session.Session.
func (p *Session) AsIs() session.Kinds {
	if p.checker != nil {
		return 0
	}
	return session.KindBasic | session.KindFloat | session.KindTime
}

// Ping implements session.Session.
func (p *Session) Ping(ctx context.Context) error {
	if c, ok := p.Conn.(sqldriver.Pinger); ok {
		return c.Ping(ctx)
	}
	return nil
}

// DriverConn implements session.Session.
func (p *Session) DriverConn() any { return p.Conn }

// Pins implements session.Session: a plain session is pinned to nothing.
func (p *Session) Pins(context.Context) ([]string, error) { return nil, nil }

// Usable implements session.Session.
func (p *Session) Usable() bool {
	return p.validator == nil || p.validator.IsValid()
}

// Alive implements session.Session.
func (p *Session) Alive() bool {
	return p.resetter == nil || p.resetter.ResetSession(context.Background()) == nil
}

// Close closes the statements first: a driver may keep the connection for them.
func (p *Session) Close() error {
	p.Cache.Clear()
	return p.Conn.Close()
}
