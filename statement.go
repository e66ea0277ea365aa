package dbfleet

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/lex"
)

// statement is one text on its way to a database.
type statement struct {
	op    string // what hooks and errors call it
	table string // of a query's, "" otherwise
	text  string
	args  []any
	// write says that the statement is not known to be a plain read: it goes to the
	// primary, and there it is sent once.
	write bool
	// raw says that the caller wrote all of it and chose the node by a handle.
	raw bool
	// oneRow is the single-row form of the INSERT being sent, of which PostgreSQL
	// makes a statement with one array for each column.
	oneRow string
	// stream says that the caller's own code runs between the rows. A transaction
	// then takes other statements, and fails them, instead of letting them wait.
	stream bool
	// turns says that the statement begins or ends the transaction, so that hooks
	// see another context after it than before it.
	turns bool
}

// An exchange sends a statement at a place and takes the answer. It returns how
// many rows that were, -1 if it is not known.
type exchange interface {
	exchange(ctx context.Context, p *place, s *statement) (driver.Result, error)
}

// send is the one road of every statement: the node is chosen, hooks are called
// before and after, the exchange is made, what is wrong is wrapped, and a read that
// was not answered is asked again elsewhere.
func (p *place) send(ctx context.Context, s *statement, x exchange) (driver.Result, error) {
	again := false
	for {
		if err := p.chooses(ctx, s.write && !s.raw); err != nil {
			return unknownRows, err
		}
		res, err := p.sendOnce(ctx, s, x)
		if err == nil || s.begun(x) {
			return res, err
		}
		if p.refind(ctx, s, err) {
			continue
		}
		if err = p.failover(ctx, s, err, &again); err != nil {
			return res, err
		}
	}
}

// chooses is choose for a statement that is to be sent, for which a session may ask nodes
// what they have.
func (p *place) chooses(ctx context.Context, write bool) error {
	chosen := p.node != nil
	err := p.choose(ctx, write)
	if err == nil && !chosen && p.in.session != nil {
		err = p.settle(ctx)
	}
	return err
}

// begun says that the caller has seen rows already.
func (s *statement) begun(x exchange) bool {
	b, ok := x.(interface{ begun() bool })
	return ok && b.begun()
}

var errPanicked = errors.New("dbfleet: the statement ended in a panic")

func (p *place) sendOnce(ctx context.Context, s *statement, x exchange) (res driver.Result, err error) {
	p.begun(ctx, s)
	if h, args, ok := p.hedged(s, x); ok {
		return p.sendHedged(ctx, s, h, args)
	}
	hooks := p.callHooks(ctx, s)
	p.asks(s)
	if err := p.takeTurn(ctx); err != nil {
		return unknownRows, p.ended(s, hooks, unknownRows, err)
	}
	defer p.giveTurn()
	if hooks == nil {
		res, err = x.exchange(ctx, p, s)
		p.lands(s, res, err)
		return res, p.ended(s, hooks, res, err)
	}
	returned := false
	defer func() {
		if !returned { // a panic, or runtime.Goexit
			_ = p.ended(s, hooks, unknownRows, errPanicked)
		}
	}()
	res, err = x.exchange(hooks.context(x), p, s)
	returned = true
	p.lands(s, res, err)
	return res, p.ended(s, hooks, res, err)
}

// lands notes what a statement has written, before a hook can end its verb.
func (p *place) lands(s *statement, res driver.Result, err error) {
	if err == nil && p.landing != nil {
		p.landing.note(p, s, res)
	}
}

var unknownRows = driver.Result{RowsAffected: -1}

// ended notes what came of a statement, wraps its error and calls the hooks after
// it. Load, whose one statement takes rows until the caller has no more, and a race
// call callHooks and ended by themselves; every other statement is sent.
func (p *place) ended(s *statement, hooks *call, res driver.Result, err error) error {
	p.answered(s, err)
	p.tell()
	err = p.wrap(s, err)
	if p.in.session != nil {
		p.wasSent(s, err)
	}
	if hooks != nil {
		hooks.end(p, s, res.RowsAffected, err)
	}
	return err
}

// hold takes the connection that a statement runs on, until letGo: the
// transaction's or Conn's, on which statements run one at a time, or one of the pool.
func (p *place) hold(ctx context.Context) (*driver.Conn, error) {
	switch {
	case p.tx != nil:
		within, err := p.tx.admit(ctx, p.by)
		if err != nil {
			return nil, err
		}
		p.within = within
		return p.on.conn, nil
	case p.on != nil:
		if err := p.on.lock(ctx); err != nil {
			return nil, err
		}
		if err := p.on.ready(); err != nil {
			p.on.gate.Unlock()
			return nil, err
		}
		return p.on.conn, nil
	}
	pool, err := p.node.open()
	if err != nil {
		return nil, err
	}
	var c *driver.Conn
	if p.reads {
		c, err = pool.AcquireToRead(ctx, p.node.wait, p.elsewhere())
	} else {
		c, err = pool.Acquire(ctx, p.node.wait)
	}
	if err == nil && p.checks() {
		if err = p.check(ctx, c); err != nil {
			c.Release()
			return nil, err
		}
	}
	if err == nil && p.in.learns != nil {
		p.in.asks = p.e.asks(p.node.node, c, p.in.session)
	}
	return c, err
}

func (p *place) letGo(c *driver.Conn) {
	if p.on != nil {
		p.on.gate.Unlock()
		return
	}
	if p.in.learns != nil {
		p.learn(c)
	}
	c.Release()
}

// execution is the exchange of a statement without rows.
type execution struct{}

func (execution) exchange(ctx context.Context, p *place, s *statement) (driver.Result, error) {
	c, err := p.hold(ctx)
	if err != nil {
		return unknownRows, err
	}
	defer p.letGo(c)
	res, err := c.Exec(ctx, s.text, s.args)
	if err != nil {
		return unknownRows, err
	}
	return res, nil
}

// A reader reads the rows of a statement and returns how many they were. It begins
// anew each time it is called.
type reader interface {
	read(rows driver.Rows) (int64, error)
}

// readerFunc is a function as a reader, and as the exchange that gives it the rows.
type readerFunc func(rows driver.Rows) (int64, error)

func (f readerFunc) read(rows driver.Rows) (int64, error) { return f(rows) }

func (f readerFunc) exchange(ctx context.Context, p *place, s *statement) (driver.Result, error) {
	return p.rows(ctx, nil, s, f)
}

// query sends a statement and gives its rows to read.
func (p *place) query(ctx context.Context, s *statement, read readerFunc) (driver.Result, error) {
	return p.send(ctx, s, read)
}

// rows runs a statement and gives its rows to read, on a connection that the caller
// holds; nil takes one.
func (p *place) rows(ctx context.Context, c *driver.Conn, s *statement, r reader) (driver.Result, error) {
	var (
		rows driver.Rows
		err  error
	)
	if c == nil {
		if c, err = p.hold(ctx); err != nil {
			return unknownRows, err
		}
		defer p.letGo(c)
	}
	switch {
	case s.oneRow != "":
		var sent string
		if rows, sent, err = c.InsertRows(ctx, s.text, s.args, s.oneRow); sent != "" {
			s.text = sent
		}
	case s.stream:
		rows, err = c.Stream(ctx, s.text, s.args)
	default:
		rows, err = c.Query(ctx, s.text, s.args)
	}
	if err != nil {
		return unknownRows, err
	}
	defer func() { _ = rows.Close() }() // also when reading panics
	if s.stream && p.on != nil {
		p.on.gate.Unlock()
		defer p.on.gate.LockAnyway()
	}
	n, err := r.read(rows)
	if closeErr := rows.Close(); err == nil {
		err = closeErr
	}
	return driver.Result{RowsAffected: n}, err
}

// wrap makes a QueryError of an error of the driver. The arguments are left out
// of its text and not kept. What says nothing about the database, a value that
// does not fit its field or a transaction that has ended, is told as it is.
func (p *place) wrap(s *statement, err error) error {
	if err == nil || err == errPanicked {
		return err
	}
	err = told(err)
	var known *QueryError
	var column *ColumnError
	var ended *endedError
	if errors.As(err, &known) || errors.As(err, &column) || errors.As(err, &ended) {
		return err
	}
	problem := driver.Classify(err)
	text := driver.Text(err, s.text, s.args)
	if names, ok := err.(*driver.NamesError); ok { //nolint:errorlint // as the driver returns it
		err = names.Err
	}
	e := &QueryError{
		Op: s.op, Connection: p.route.Connection, Node: p.route.Node, Role: p.route.Role, SQL: s.text,
		Code: problem.Code, Constraint: problem.Constraint, Table: problem.Table, Column: problem.Column, Err: err,
		class: problem.Class, text: text,
	}
	if problem.Class == driver.InvalidValue {
		e.tellPlace(s, p.e.dialect)
	}
	// Of a transaction nothing persists without its commit, unless a statement ends it.
	e.unknown = problem.Class == driver.CommitUnknown || s.write && !s.turns && p.tx == nil && problem.Unanswered || errors.Is(err, driver.ErrTxEnded)
	var lost *driver.TxLostError
	var unknown *driver.CommitUnknownError
	switch {
	case errors.As(err, &lost):
		e.cause = driver.Classify(lost.Err).Class
	case errors.As(err, &unknown):
		e.cause = driver.Classify(unknown.Err).Class
	}
	return e
}

// tellPlace names the table of a value that was refused and, of an argument that
// cannot be sent, the column and the kind.
func (e *QueryError) tellPlace(s *statement, d *dialect.Dialect) {
	if s.raw || s.op == "exec" {
		return // who wrote it knows its arguments by number
	}
	var arg *driver.ArgumentError
	n := 0
	if errors.As(e.Err, &arg) {
		n = arg.Ordinal
	}
	table, column := lex.Argument(s.text, n, d)
	e.Table, e.Column = cmp.Or(e.Table, table), cmp.Or(e.Column, column)
	if e.Table == "" {
		return
	}
	where := "table " + quoted(e.Table)
	if e.Column != "" {
		where += ", column " + quoted(e.Column)
	}
	if n > 0 && n <= len(s.args) {
		if e.Column == "" {
			where += fmt.Sprintf(", argument %d", n)
		}
		e.text = fmt.Sprintf("%s: a %T %s", where, s.args[n-1], arg.Reason)
		return
	}
	e.text = where + ": " + e.text
}
