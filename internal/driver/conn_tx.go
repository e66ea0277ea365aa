package driver

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"time"

	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// txState is the transaction of a connection.
type txState struct {
	active bool
	// cause is why the transaction is broken, nil while it is not. final says
	// that ROLLBACK TO cannot mend it.
	cause error
	final bool
	// plain says that it is a *sql.Tx of the pool's user. A statement that ends the
	// transaction on the server does there what it does with the driver itself: what
	// comes after it commits by itself.
	plain  bool
	branch *branch // nil where nothing is asked of the transaction but to end
	// watched says that the session has a mark in the transaction, see session.Watcher.
	watched bool
	// moved says that a statement has changed what names mean, which the end of the
	// transaction may change back.
	moved bool
	// late says that the server is not known to have begun it, see BeginLate; served that
	// the connection had served before, noted since when it is so.
	late, served bool
	noted        time.Time
}

func (c *conn) lose(cause error, final bool) { c.tx.cause, c.tx.final = cause, final }

var errTxOpen = errors.New("a transaction is already open on this connection")

func (c *conn) begin(ctx context.Context, o TxOptions, plain bool) error {
	if err := c.enter(ctx, "BEGIN"); err != nil {
		return err
	}
	defer c.unlock()
	if c.tx.active {
		return &NotSentError{Err: errTxOpen}
	}
	return c.beginLocked(ctx, o, plain)
}

// beginLocked sends BEGIN.
func (c *conn) beginLocked(ctx context.Context, o TxOptions, plain bool) error {
	if err := c.s.Begin(ctx, o); err != nil {
		if c.pool.remote && o != (TxOptions{}) {
			c.dirty = true // what was asked for may wait for the next transaction
		}
		return c.failed(ctx, err)
	}
	c.tx = txState{active: true, plain: plain}
	return nil
}

// wasLost says that err, of begin, tells nothing but that the connection, which had served
// before, was lost meanwhile: nothing is begun, and another connection may begin it.
func (c *conn) wasLost(ctx context.Context, err error) bool {
	return c.uses > 1 && c.wasLostBy(ctx, err)
}

// wasLostBy says that err tells that the connection was lost, and not by who waited for it.
func (c *conn) wasLostBy(ctx context.Context, err error) bool {
	if !c.broken.Load() || ctx.Err() != nil || isServerSilence(err) || c.pool.closed.Load() {
		return false
	}
	var unanswered *UnansweredError
	var lost *ConnLostError
	return errors.As(err, &unanswered) || errors.As(err, &lost)
}

// A lostBeginError has database/sql begin on another connection, and says why where it
// cannot.
type lostBeginError struct{ err error }

func (e *lostBeginError) Error() string   { return e.err.Error() }
func (e *lostBeginError) Unwrap() []error { return []error{sqldriver.ErrBadConn, e.err} }

// rollbackTimeout bounds a rollback whose context has already ended. A server
// that does not answer in time loses the connection, and rolls back then.
const rollbackTimeout = time.Second

func (c *conn) commit(ctx context.Context) error {
	if err := c.lock(ctx); err != nil {
		return err
	}
	defer c.unlock()
	switch {
	case !c.tx.active, c.tx.attached():
		return sql.ErrTxDone
	case c.tx.cause != nil:
		cause := c.tx.cause
		_ = c.endLost()
		return &TxLostError{Err: cause}
	case c.broken.Load():
		c.tx = txState{}
		return &TxLostError{Err: &ConnLostError{}}
	case c.open.Load() > 0 && !c.s.ManyCursors():
		return &NotSentError{Err: ErrBusy}
	}
	if err := ctx.Err(); err != nil {
		return &NotSentError{Err: err} // the transaction stays open, for Rollback
	}
	if err := c.settle(ctx); err != nil {
		c.tx = txState{}
		return &TxLostError{Err: err}
	}
	if err := c.refuses(); err != nil { // its end rolls it back
		c.tx = txState{}
		c.broken.Store(true)
		return &TxLostError{Err: err}
	}
	if f, ok := c.s.(session.FarewellTeller); ok && !c.unbegun() {
		if why := f.Farewell(); why != nil { // it cannot have been committed: COMMIT was not sent
			c.tx = txState{}
			c.broken.Store(true)
			return &TxLostError{Err: &ConnLostError{Err: why}}
		}
	}
	err := c.s.Commit(ctx)
	c.forgetMoved()
	c.tx = txState{}
	if err == nil {
		return nil
	}
	v := c.s.Verdict(err)
	err = c.s.Explain(err)
	c.stopped(ctx, v, err)
	if v.Broken {
		c.broken.Store(true)
	}
	switch {
	case v.Answered && !v.CommitUnknown:
		return err
	case v.Answered:
		c.broken.Store(true)
		return &CommitUnknownError{Err: err}
	case v.NotSent:
		c.broken.Store(true)
		return &TxLostError{Err: reason(ctx, err)}
	default:
		c.broken.Store(true)
		return &CommitUnknownError{Err: reason(ctx, err)}
	}
}

func (c *conn) rollback(ctx context.Context) error {
	if ctx.Err() != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
		defer cancel()
	}
	if err := c.lock(ctx); err != nil {
		return err
	}
	defer c.unlock()
	if !c.tx.active || c.tx.attached() {
		return sql.ErrTxDone
	}
	if cause := c.tx.cause; cause != nil || c.broken.Load() {
		err := c.endLost()
		if EndedUnasked(cause) {
			return &TxLostError{Err: cause}
		}
		return err
	}
	if c.open.Load() > 0 && !c.s.ManyCursors() {
		return &NotSentError{Err: ErrBusy}
	}
	err := c.settle(ctx)
	if err == nil {
		err = c.s.Rollback(ctx)
	}
	c.forgetMoved()
	c.tx = txState{}
	if err != nil {
		c.broken.Store(true) // closing it rolls back
		return c.failed(ctx, err)
	}
	return nil
}

// endLost ends a transaction that is broken already; what is left of it on the
// server is rolled back, by ROLLBACK or by giving the connection up.
func (c *conn) endLost() error {
	unasked := c.pool.remote && EndedUnasked(c.tx.cause)
	c.forgetMoved()
	c.tx = txState{}
	switch over := c.s.TxStatus().Over(); {
	case c.broken.Load():
		return nil
	case unasked: // in what it is now nobody knows
		c.broken.Store(true)
		return nil
	case c.open.Load() > 0 && !c.s.ManyCursors():
		c.broken.Store(!over)
		return nil
	case over && c.pool.remote:
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), rollbackTimeout)
	defer cancel()
	if err := c.s.Rollback(ctx); err != nil {
		c.broken.Store(true)
	}
	return nil
}
