package driver

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"github.com/dbfleet/dbfleet/internal/driver/session"
)

const (
	// idleCheck is how long a connection may have been idle before it is looked
	// at once more when it is taken from the pool.
	idleCheck = time.Millisecond
	// idlePing is how long it may have been idle before the server is asked, and
	// idlePingTimeout how long the server may take to answer.
	idlePing        = 30 * time.Second
	idlePingTimeout = time.Second
)

// conn is the driver connection of a pool. database/sql sees it through the
// methods of conn_sql.go, Conn calls it directly; both go through the methods
// here, which keep these rules:
//
//   - once something may have been sent, driver.ErrBadConn never leaves;
//   - while rows are open nothing else is sent, where the protocol forbids it;
//   - a transaction that the server has lost lets nothing through but its end.
//
// Its statements run one at a time: the gate is held while one runs.
type conn struct {
	s    session.Session
	asIs session.Kinds        // see session.Session
	next session.AheadLocator // s, if it is one
	pool *Pool

	gate gate
	open atomic.Int32 // cursors

	// The following are protected by gate.
	tx      txState
	uses    uint64  // how often something was admitted
	dirty   bool    // the session's settings were changed
	effects effects // of the statements
	state   string  // of the session before other code ran in it, see strayed
	asked   bool    // state is known
	unsure  bool    // other code has run since
	cursors *cursor // that are open
	telling bool    // what has failed is a question of the library's own

	held     atomic.Bool // a Conn has it
	reads    atomic.Bool // for a plain read
	kept     bool        // by who has it for several statements; used by that alone
	broken   atomic.Bool
	cut      atomic.Pointer[InterruptedError] // that has ended it, nil for none
	spoiled  atomic.Bool                      // by Conn.Spoil
	lent     atomic.Bool                      // by Conn.Lend
	old      atomic.Bool                      // its time is over
	budgeted bool                             // it is one of the pool's budget, until it is closed
	counted  bool                             // it is one of the pool's made, until it is closed
	// generation is the pool's when it was dialled, see DropIdle.
	generation uint64
	alone      bool        // of a Probe: what it leaves behind on the server is not waited for
	age        *time.Timer // sets old; nil is never
	idleFrom   time.Time   // where the pool is remote
	server     string      // that it leads to, "" for not known; used by who has it from the pool
}

// newConn makes the driver connection of a session that may live so long; 0 is
// forever. A timer costs less than to look at the clock at each use.
func newConn(s session.Session, p *Pool, lifetime time.Duration) *conn {
	c := &conn{s: s, asIs: s.AsIs(), pool: p}
	if st, ok := s.(session.Strayer); ok {
		st.Strayed() // from now on
	}
	c.next, _ = s.(session.AheadLocator)
	if lifetime > 0 {
		c.age = time.AfterFunc(lifetime, func() { c.old.Store(true) })
	}
	return c
}

// lock waits until no other statement runs on the connection.
func (c *conn) lock(ctx context.Context) error {
	if err := c.gate.lock(ctx); err != nil {
		return &NotSentError{Err: err}
	}
	return nil
}

// lockAnyway is lock for what must be done in any case.
func (c *conn) lockAnyway() { _ = c.gate.lock(context.Background()) }

func (c *conn) unlock() { c.gate.unlock() }

// enter admits a statement: it checks everything that can be checked before
// something is sent, and leaves the connection locked if it returns nil.
func (c *conn) enter(ctx context.Context, query string) error {
	if err := ctx.Err(); err != nil {
		return &NotSentError{Err: err}
	}
	if strings.IndexByte(query, 0) >= 0 {
		return &NotSentError{Err: &ArgumentError{Reason: "the statement contains a NUL byte"}}
	}
	if c.lent.Load() {
		return &NotSentError{Err: errLent}
	}
	if err := c.lock(ctx); err != nil {
		return err
	}
	err := c.settle(ctx)
	if err == nil {
		err = c.admit(query)
	}
	if err == nil {
		err = c.opens(ctx, query)
	}
	if err == nil {
		err = c.before(ctx, query)
	}
	if err != nil {
		c.unlock()
	}
	return err
}

// farewell looks whether the server has ended the session, so that nothing is sent on it:
// what was not sent is known not to be done.
func (c *conn) farewell() error {
	f, ok := c.s.(session.FarewellTeller)
	if !ok {
		return nil
	}
	why := f.Farewell()
	if why == nil {
		return nil
	}
	c.broken.Store(true)
	return &NotSentError{Err: &ConnLostError{Err: why}}
}

func (c *conn) admit(query string) error {
	c.uses++
	if c.tx.active && c.tx.cause != nil && (c.tx.final || !isRollbackTo(query, c.pool.dialect)) {
		return &TxLostError{Err: c.tx.cause}
	}
	if c.broken.Load() {
		if c.pool.closed.Load() {
			return &NotSentError{Err: ErrPoolClosed}
		}
		return &NotSentError{Err: &ConnLostError{}}
	}
	if c.open.Load() > 0 && !c.s.ManyCursors() {
		return &NotSentError{Err: ErrBusy}
	}
	if err := c.refuses(); err != nil && !c.tx.active {
		return &NotSentError{Err: err}
	}
	if c.kept && !c.tx.active {
		if err := c.farewell(); err != nil {
			return err
		}
	}
	if c.tx.branch != nil {
		c.tx.branch.note(query, c.pool.dialect)
	}
	return nil
}

func (c *conn) exec(ctx context.Context, query string, args []sqldriver.NamedValue) (Result, error) {
	if err := c.enter(ctx, query); err != nil {
		return Result{}, err
	}
	defer c.unlock()
	res, err := c.s.Exec(ctx, query, args)
	if err != nil {
		return Result{}, c.failedIn(ctx, query, err)
	}
	if b := c.tx.branch; b != nil && b.wrote && res.RowsAffected > 0 {
		b.changed = true
	}
	return res, c.succeeded(query)
}

// query returns the rows in into, unless that is nil or in use already.
func (c *conn) query(ctx context.Context, query string, args []sqldriver.NamedValue, into *cellCursor) (Rows, error) {
	if err := c.enter(ctx, query); err != nil {
		return nil, err
	}
	defer c.unlock()
	src, err := c.s.Query(ctx, query, args)
	if err != nil {
		return nil, c.failedIn(ctx, query, err)
	}
	return c.opened(ctx, query, src, into), nil
}

// opened makes a cursor of the rows of a session, in into as query does.
func (c *conn) opened(ctx context.Context, query string, src session.RowSource, into *cellCursor) Rows {
	if into == nil || into.c != nil {
		into = new(cellCursor)
	}
	r := &into.cursor
	r.c, r.src, r.ctx, r.query, r.done = c, src, ctx, query, ctx.Done()
	c.addCursor(r)
	if r.cells, _ = src.(session.CellSource); r.cells != nil {
		return into
	}
	return r
}

func (c *conn) addCursor(r *cursor) {
	if r.next = c.cursors; r.next != nil {
		r.next.prev = r
	}
	c.cursors = r
	c.open.Add(1)
}

func (c *conn) removeCursor(r *cursor) {
	if r.prev == nil {
		c.cursors = r.next
	} else {
		r.prev.next = r.next
	}
	if r.next != nil {
		r.next.prev = r.prev
	}
	c.open.Add(-1)
}

func (c *conn) prepare(ctx context.Context, query string) (int, error) {
	if err := c.enter(ctx, query); err != nil {
		return 0, err
	}
	defer c.unlock()
	n, err := c.s.Prepare(ctx, query)
	if err != nil {
		err = c.failed(ctx, err)
	}
	return n, err
}

// succeeded notes what a statement that succeeded has done to the session. Its
// error says that the statement ended the transaction.
func (c *conn) succeeded(query string) error {
	c.noted(c.effectOf(query))
	if !c.tx.active {
		return nil
	}
	if c.tx.cause != nil { // only ROLLBACK TO gets here
		c.tx.cause, c.tx.final = nil, false
	}
	if c.tx.moved && isRollbackTo(query, c.pool.dialect) {
		c.forget()
	}
	if c.tx.plain {
		if c.s.TxStatus() == session.TxAborted {
			c.lose(ErrTxAborted, false)
		}
		return nil
	}
	switch status := c.statusNow(); {
	case status.Over():
		return c.endedBy(status, nil)
	case status == session.TxAborted:
		c.lose(ErrTxAborted, false)
	}
	return nil
}

// failed turns an error of the session into one for the caller, and draws the
// consequences for the connection and its transaction.
func (c *conn) failed(ctx context.Context, err error) error {
	v := c.s.Verdict(err)
	if err == ctx.Err() { // this program's own, and no server's word
		v.Answered = false
	}
	if v.Broken {
		c.broken.Store(true)
	}
	err = c.s.Explain(err)
	c.stopped(ctx, v, err)
	out := err
	switch {
	case v.Answered:
	case v.NotSent:
		var known *NotSentError
		if !errors.As(err, &known) {
			out = &NotSentError{Err: reason(ctx, err)}
		}
	default:
		out = &UnansweredError{Err: reason(ctx, err)}
	}
	if c.tx.active && c.tx.cause == nil {
		status := c.statusAfter(ctx, v, err)
		if c.tx.late && v.Answered && status.Over() {
			c.dirty = true // as after a BEGIN that is refused
		}
		switch {
		case c.tx.plain:
		case v.Answered && status == session.TxCommitted, c.tx.watched && !v.NotSent && (status.Over() || !v.Answered):
			return c.endedBy(status, out)
		}
		switch {
		case c.broken.Load(), v.TxLost, status.Over() && !(c.tx.plain && v.Answered):
			c.lose(out, true)
		case v.TxDoubtful, status == session.TxAborted:
			c.lose(out, false)
		}
	} else if c.tx.active && (v.Broken || v.TxLost) {
		c.tx.final = true
	}
	return out
}

// failedToTell is failed of a question of the library's own, which holds no locks: the server
// is not waited for when it does not answer in time.
func (c *conn) failedToTell(ctx context.Context, err error) error {
	c.telling = true
	defer func() { c.telling = false }()
	return c.failed(ctx, err)
}

// reason is the error that explains a lost answer: the context's, if the
// context has ended, for then it is what interrupted the statement.
func reason(ctx context.Context, err error) error {
	var argument *ArgumentError
	if ctxErr := ended(ctx); ctxErr != nil && !isServerSilence(err) && !errors.As(err, &argument) {
		return &interruptedError{context: ctxErr, driver: err}
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return &ConnLostError{Err: err}
	}
	return stripBadConn(err)
}

func isServerSilence(err error) bool {
	var silence *SilenceError
	return errors.As(err, &silence)
}

// dropped reports whether DropIdle was called since the connection was dialled.
func (c *conn) dropped() bool { return c.generation != c.pool.generation.Load() }

// leftovers reports whether the connection may not go back to its pool as it is.
func (c *conn) leftovers() bool {
	return c.broken.Load() || c.spoiled.Load() || c.dirty || c.tx.active || c.open.Load() > 0 || c.old.Load() || c.dropped()
}
