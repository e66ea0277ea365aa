package driver

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
)

// plain is a session on any database/sql driver connection, with a cache of its
// prepared statements. The MySQL and SQLite sessions build on it; alone it
// serves tests.
type plain struct {
	dc    sqldriver.Conn
	cache *cache[sqldriver.Stmt]
	// manyOpen says that several cursors may be open.
	manyOpen bool
	// direct says whether a statement that was never seen before is better sent
	// as text than prepared.
	direct func(query string, args int, rows bool) bool
	// stale says that an error means: prepare it again, nothing was executed.
	stale func(error) bool
	// full says that an error means: the server prepares no more statements.
	full func(error) bool
	tx   sqldriver.Tx

	// What dc can do besides; nil is what it cannot.
	checker   sqldriver.NamedValueChecker
	validator sqldriver.Validator
	resetter  sqldriver.SessionResetter
}

func newPlain(dc sqldriver.Conn, cacheSize int) *plain {
	p := &plain{dc: dc}
	p.checker, _ = dc.(sqldriver.NamedValueChecker)
	p.validator, _ = dc.(sqldriver.Validator)
	p.resetter, _ = dc.(sqldriver.SessionResetter)
	p.cache = newCache(cacheSize, func(s sqldriver.Stmt) { _ = s.Close() })
	return p
}

// statement finds or prepares the statement of that text. once says that it is
// not kept: the caller closes it. A nil entry without an error says that the
// text is to be sent as it is.
func (p *plain) statement(ctx context.Context, query string, args int, rows bool) (e *entry[sqldriver.Stmt], once bool, err error) {
	if p.cache.keeps(query) {
		if e := p.cache.get(query); e != nil {
			if !e.busy {
				return e, false, nil
			}
			s, err := p.prepareStmt(ctx, query)
			return &entry[sqldriver.Stmt]{stmt: s, query: query}, true, err
		}
	}
	if p.direct != nil && p.direct(query, args, rows) {
		return nil, false, nil
	}
	s, err := p.prepareStmt(ctx, query)
	if err != nil {
		if p.full != nil && p.full(err) {
			p.cache.shrink()
			return nil, false, nil
		}
		return nil, false, err
	}
	if p.cache.keeps(query) {
		return p.cache.put(query, s), false, nil
	}
	return &entry[sqldriver.Stmt]{stmt: s, query: query}, true, nil
}

func (p *plain) prepareStmt(ctx context.Context, query string) (sqldriver.Stmt, error) {
	if c, ok := p.dc.(sqldriver.ConnPrepareContext); ok {
		return c.PrepareContext(ctx, query)
	}
	return p.dc.Prepare(query)
}

func (p *plain) exec(ctx context.Context, query string, args []sqldriver.NamedValue) (Result, error) {
	for try := 0; ; try++ {
		e, once, err := p.statement(ctx, query, len(args), false)
		if err != nil {
			return Result{}, err
		}
		var res sqldriver.Result
		if e == nil {
			res, err = p.execText(ctx, query, args)
		} else {
			res, err = execStmt(ctx, e.stmt, args)
			if once {
				_ = e.stmt.Close()
			}
		}
		if err == nil {
			return p.result(res), nil
		}
		if e != nil && !once && p.stale != nil && p.stale(err) {
			p.cache.remove(e)
			if try == 0 && p.tx == nil {
				continue
			}
		}
		return Result{}, err
	}
}

func (p *plain) result(res sqldriver.Result) Result {
	r := Result{IDStep: 1}
	if res != nil {
		r.RowsAffected, _ = res.RowsAffected()
		r.LastInsertID, _ = res.LastInsertId()
	}
	return r
}

func (p *plain) execText(ctx context.Context, query string, args []sqldriver.NamedValue) (sqldriver.Result, error) {
	if c, ok := p.dc.(sqldriver.ExecerContext); ok {
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

func (p *plain) query(ctx context.Context, query string, args []sqldriver.NamedValue) (rowSource, error) {
	rows, err := p.rows(ctx, query, args)
	if err != nil {
		return nil, err
	}
	return &rows, nil
}

func (p *plain) rows(ctx context.Context, query string, args []sqldriver.NamedValue) (plainRows, error) {
	for try := 0; ; try++ {
		e, once, err := p.statement(ctx, query, len(args), true)
		if err != nil {
			return plainRows{}, err
		}
		if e == nil {
			return p.queryText(ctx, query, args)
		}
		rows, err := queryStmt(ctx, e.stmt, args)
		if err == nil {
			e.busy = true
			if once {
				e.gone = true
			}
			return plainRows{Rows: rows, p: p, e: e}, nil
		}
		if once {
			_ = e.stmt.Close()
		} else if p.stale != nil && p.stale(err) {
			p.cache.remove(e)
			if try == 0 && p.tx == nil {
				continue
			}
		}
		return plainRows{}, err
	}
}

func (p *plain) queryText(ctx context.Context, query string, args []sqldriver.NamedValue) (plainRows, error) {
	if c, ok := p.dc.(sqldriver.QueryerContext); ok {
		rows, err := c.QueryContext(ctx, query, args)
		if err == nil {
			return plainRows{Rows: rows, p: p}, nil
		}
		if !errors.Is(err, sqldriver.ErrSkip) {
			return plainRows{}, err
		}
	}
	s, err := p.prepareStmt(ctx, query)
	if err != nil {
		return plainRows{}, err
	}
	rows, err := queryStmt(ctx, s, args)
	if err != nil {
		_ = s.Close()
		return plainRows{}, err
	}
	return plainRows{Rows: rows, p: p, e: &entry[sqldriver.Stmt]{stmt: s, busy: true, gone: true}}, nil
}

func (p *plain) prepare(ctx context.Context, query string) (int, error) {
	e, once, err := p.statement(ctx, query, 1, true)
	if err != nil || e == nil {
		return -1, err
	}
	n := e.stmt.NumInput()
	if once {
		_ = e.stmt.Close()
	}
	return n, nil
}

func (p *plain) begin(ctx context.Context, o TxOptions) error {
	var err error
	if c, ok := p.dc.(sqldriver.ConnBeginTx); ok {
		p.tx, err = c.BeginTx(ctx, sqldriver.TxOptions{Isolation: sqldriver.IsolationLevel(o.Isolation), ReadOnly: o.ReadOnly})
		return err
	}
	if o.Isolation != sql.LevelDefault || o.ReadOnly {
		return &unsupportedIsolation{o.Isolation.String(), "this driver"}
	}
	//lint:ignore SA1019 a driver may have nothing newer
	p.tx, err = p.dc.Begin()
	return err
}

func (p *plain) commit(context.Context) error {
	tx := p.tx
	p.tx = nil
	return tx.Commit()
}

func (p *plain) rollback(context.Context) error {
	tx := p.tx
	p.tx = nil
	return tx.Rollback()
}

func (p *plain) txStatus() txStatus { return txUnknown }
func (p *plain) manyCursors() bool  { return p.manyOpen }

func (p *plain) explain(err error) error { return err }

// verdict takes an error that is known to come from the network or from the
// driver's own trouble as such, and every other as the server's answer.
func (p *plain) verdict(err error) verdict {
	var netErr net.Error
	switch {
	case errors.Is(err, sqldriver.ErrBadConn), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF),
		errors.As(err, &netErr):
		return verdict{broken: true}
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return verdict{txDoubtful: true}
	}
	return verdict{answered: true}
}

func (p *plain) convert(nv *sqldriver.NamedValue) error {
	if p.checker != nil {
		return p.checker.CheckNamedValue(nv)
	}
	v, err := sqldriver.DefaultParameterConverter.ConvertValue(nv.Value)
	nv.Value = v
	return err
}

func (p *plain) asIs() kinds {
	if p.checker != nil {
		return 0
	}
	return kindBasic | kindFloat | kindTime
}

func (p *plain) ping(ctx context.Context) error {
	if c, ok := p.dc.(sqldriver.Pinger); ok {
		return c.Ping(ctx)
	}
	return nil
}

func (p *plain) usable() bool {
	return p.validator == nil || p.validator.IsValid()
}

func (p *plain) alive() bool {
	return p.resetter == nil || p.resetter.ResetSession(context.Background()) == nil
}

func (p *plain) close() error { return p.dc.Close() }

// plainRows are the rows of a plain session.
type plainRows struct {
	sqldriver.Rows
	p      *plain
	e      *entry[sqldriver.Stmt] // nil for a text that was not prepared
	closed bool
}

func (r *plainRows) TypeName(i int) string {
	c, ok := r.Rows.(sqldriver.RowsColumnTypeDatabaseTypeName)
	if !ok {
		return ""
	}
	name, _, _ := strings.Cut(c.ColumnTypeDatabaseTypeName(i), "(")
	return strings.ToUpper(strings.TrimSpace(name))
}

func (r *plainRows) Close() error {
	if r.closed {
		return nil
	}
	r.closed = true
	err := r.Rows.Close()
	if r.e != nil {
		r.p.cache.free(r.e)
	}
	return err
}

func execStmt(ctx context.Context, s sqldriver.Stmt, args []sqldriver.NamedValue) (sqldriver.Result, error) {
	if err := checkInputs(s.NumInput(), len(args)); err != nil {
		return nil, err
	}
	if c, ok := s.(sqldriver.StmtExecContext); ok {
		return c.ExecContext(ctx, args)
	}
	//lint:ignore SA1019 a driver may have nothing newer
	return s.Exec(values(args))
}

// checkInputs refuses too few or too many arguments; want is -1 if the driver
// does not know.
func checkInputs(want, have int) error {
	if want < 0 || want == have {
		return nil
	}
	return &NotSentError{Err: &ArgumentError{Reason: fmt.Sprintf("the statement has %d placeholders but %d arguments", want, have)}}
}

func queryStmt(ctx context.Context, s sqldriver.Stmt, args []sqldriver.NamedValue) (sqldriver.Rows, error) {
	if err := checkInputs(s.NumInput(), len(args)); err != nil {
		return nil, err
	}
	if c, ok := s.(sqldriver.StmtQueryContext); ok {
		return c.QueryContext(ctx, args)
	}
	//lint:ignore SA1019 a driver may have nothing newer
	return s.Query(values(args))
}

func values(args []sqldriver.NamedValue) []sqldriver.Value {
	out := make([]sqldriver.Value, len(args))
	for i := range args {
		out[i] = args[i].Value
	}
	return out
}

// plainBackend opens plain sessions from a connector.
type plainBackend struct {
	connector sqldriver.Connector
	cache     int
}

func (b *plainBackend) open(ctx context.Context) (session, error) {
	dc, err := b.connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return newPlain(dc, b.cache), nil
}

func (b *plainBackend) Close() error {
	if c, ok := b.connector.(io.Closer); ok {
		return c.Close()
	}
	return nil
}
