package driver

import (
	"context"
	"errors"
	"time"

	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// A transaction that is begun late is not known to the server before its first statement:
// where the database can do that, BEGIN goes out with it, in one round trip. Both are then
// in doubt together where no answer comes, and where that is because the connection is
// lost, both are sent again on another one, as BEGIN alone is.
//
// So only a plain read goes along: a server that has not noticed the loss yet may go on with
// it, and holds no lock for which the second one would wait. Before any other statement
// BEGIN is sent by itself.

// Another gives a transaction another connection.
type Another interface {
	// Another returns a connection to the same database, which nobody else has. It is
	// called when the transaction's own was lost and given back.
	Another(ctx context.Context) (*Conn, error)
}

// BeginsAtMost is on how many connections a transaction is begun where each was lost while
// nobody used it.
const BeginsAtMost = 3

// lateBegin is how a Conn's transaction was begun late.
type lateBegin struct {
	o       TxOptions
	another Another
	begins  int
}

// BeginLate is Begin, but begins the transaction with its first statement where that saves
// a round trip. A connection that is lost before anything is answered, and that had served
// before, is replaced by another one; nil is none.
func (c *Conn) BeginLate(ctx context.Context, o TxOptions, another Another) error {
	if c.inner == nil {
		return errReleased
	}
	late, err := c.inner.beginLate(ctx, o)
	if err == nil && late {
		c.late = lateBegin{o: o, another: another, begins: 1}
	}
	return err
}

// beginLate is begin, late if that is so.
func (c *conn) beginLate(ctx context.Context, o TxOptions) (late bool, err error) {
	if err := c.enter(ctx, "BEGIN"); err != nil {
		return false, err
	}
	defer c.unlock()
	if c.tx.active {
		return false, &NotSentError{Err: errTxOpen}
	}
	late, err = c.beginLateLocked(ctx, o)
	if !late && err == nil {
		err = c.beginLocked(ctx, o, false)
	}
	return late, err
}

// beginLateLocked begins late, where that can be.
func (c *conn) beginLateLocked(ctx context.Context, o TxOptions) (late bool, err error) {
	l, ok := c.s.(session.LateBeginner)
	if !ok {
		return false, nil
	}
	switch late, err = l.BeginLate(o); {
	case err != nil:
		return false, c.failed(ctx, err)
	case late:
		c.tx = txState{active: true, late: true, served: c.uses > 1, noted: time.Now()}
	}
	return late, nil
}

// unbegun says that nothing is known to be done in the transaction, not even its BEGIN.
// The gate is held.
func (c *conn) unbegun() bool {
	if !c.tx.late {
		return false
	}
	c.tx.late = c.s.(session.LateBeginner).Unbegun()
	return c.tx.late
}

// opens is called before a statement. It begins the transaction unless the statement does.
func (c *conn) opens(ctx context.Context, query string) error {
	if !c.unbegun() {
		return nil
	}
	if time.Since(c.tx.noted) >= idleCheck {
		if err := c.farewell(); err != nil {
			return err
		}
	}
	if c.effects.goesAlong(query, c.pool.dialect, c.pool.manyStatements) {
		return nil
	}
	if err := c.s.(session.LateBeginner).BeginNow(ctx); err != nil {
		return c.failed(ctx, err)
	}
	c.tx.late = false
	return nil
}

// begun begins a transaction that is not begun yet, on another connection if its own is
// lost.
func (c *Conn) begun(ctx context.Context) error {
	for {
		switch {
		case c.inner == nil:
			return errReleased
		case c.late.begins == 0:
			return nil
		}
		err := c.inner.beginNow(ctx)
		if err == nil {
			return nil
		}
		again, err := c.BeginsElsewhere(ctx, err)
		if !again {
			return err
		}
	}
}

func (c *conn) beginNow(ctx context.Context) error {
	if c.lent.Load() { // and locked until it comes back
		return &NotSentError{Err: errLent}
	}
	if err := c.lock(ctx); err != nil {
		return err
	}
	unbegun := c.unbegun()
	c.unlock()
	if !unbegun {
		return nil
	}
	if err := c.enter(ctx, ""); err != nil {
		return err
	}
	c.unlock()
	return nil
}

// lostUnbegun says that err tells nothing of the transaction but that its connection, which
// had served before, was lost before it was known to have begun.
func (c *conn) lostUnbegun(ctx context.Context, err error) bool {
	if c.lent.Load() {
		return false
	}
	c.lockAnyway()
	defer c.unlock()
	var earlier *TxLostError // by a statement whose caller was told so
	return c.tx.served && c.unbegun() && !errors.As(err, &earlier) && c.wasLostBy(ctx, err)
}

// lostFor notes that the transaction is lost because of err, unless another cause is known.
func (c *conn) lostFor(err error) {
	c.lockAnyway()
	defer c.unlock()
	if c.tx.cause == nil {
		c.lose(err, true)
	}
}

// BeginsElsewhere says whether a statement that failed with err is to be sent again: the
// Conn has lost its connection before its transaction was known to have begun, and has begun
// it on another one. Else it returns the statement's error. Exec, Query, InsertRows and
// Load see to that by themselves, only who uses SQL calls it.
func (c *Conn) BeginsElsewhere(ctx context.Context, err error) (again bool, _ error) {
	if c.inner == nil || c.late.another == nil || c.late.begins >= BeginsAtMost || !c.inner.lostUnbegun(ctx, err) {
		return false, err
	}
	c.late.begins++
	old := c.inner
	old.held.Store(false)
	_ = c.sc.Close() // first, since it may be the pool's only one
	other, otherErr := c.late.another.Another(ctx)
	if otherErr != nil { // Release ends what is the transaction of the old one
		c.late.another = nil
		old.lostFor(err)
		return false, otherErr
	}
	c.sc, c.inner = other.sc, other.inner
	c.inner.spoiled.Store(old.spoiled.Load())
	if _, err := c.inner.beginLate(ctx, c.late.o); err != nil {
		c.inner.broken.Store(true)
		return false, err
	}
	if b := old.tx.branch; b != nil {
		c.inner.tx.branch = &branch{id: b.id}
	}
	return true, nil
}
