package driver

import (
	"context"

	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// Spoil keeps the connection from serving anybody else afterwards.
func (c *Conn) Spoil() {
	if c.inner != nil {
		c.inner.spoiled.Store(true)
	}
}

// Lend gives out the driver's own connection until back is called. Meanwhile
// statements get ErrBusy. Nobody else gets the connection afterwards: what was done
// to it is not known, but for the end of its transaction.
func (c *Conn) Lend() (driverConn any, back func(), err error) {
	if err := c.begunSoon(); err != nil {
		return nil, nil, err
	}
	inner := c.inner
	if err := inner.enter(context.Background(), ""); err != nil {
		return nil, nil, err
	}
	if err := inner.markLent(); err != nil {
		inner.unlock()
		return nil, nil, err
	}
	inner.spoiled.Store(true)
	inner.lent.Store(true)
	inner.tx.branch.unseen()
	return inner.s.DriverConn(), func() {
		inner.lent.Store(false)
		inner.returned()
		inner.unlock()
	}, nil
}

// begunSoon is begun for a call without a context, in as much time as markLent has.
func (c *Conn) begunSoon() error {
	ctx, cancel := context.WithTimeout(context.Background(), rollbackTimeout)
	defer cancel()
	return c.begun(ctx)
}

// markLent marks the transaction, if there is one, before the connection is lent.
func (c *conn) markLent() error {
	w, ok := c.s.(session.Watcher)
	if !ok || !c.tx.active || c.tx.cause != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), rollbackTimeout)
	defer cancel()
	if err := w.Watch(ctx); err != nil {
		return c.failed(ctx, err)
	}
	c.tx.watched = true
	return nil
}

// returned looks at what has become of a connection that was lent. The gate is held.
func (c *conn) returned() {
	c.forget()
	c.tx.moved = c.tx.active
	if !c.s.Usable() {
		c.broken.Store(true)
	}
	switch {
	case !c.tx.active || c.tx.cause != nil:
		return
	case c.broken.Load():
		c.lose(&ConnLostError{}, true)
		return
	}
	aborted := c.s.TxStatus() == session.TxAborted
	switch status := c.statusNow(); {
	case c.broken.Load():
		c.lose(&ConnLostError{}, true)
	case status.Over():
		_ = c.endedBy(status, nil)
	case aborted, status == session.TxAborted:
		c.lose(ErrTxAborted, false)
	}
}
