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
	if c.inner == nil {
		return nil, nil, errReleased
	}
	inner := c.inner
	if err := inner.enter(context.Background(), ""); err != nil {
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

// returned looks at what has become of a connection that was lent. The gate is held.
func (c *conn) returned() {
	if !c.s.Usable() {
		c.broken.Store(true)
	}
	if !c.tx.active || c.tx.cause != nil {
		return
	}
	if r, ok := c.s.(session.Rechecker); ok && !c.broken.Load() {
		r.Recheck()
	}
	switch status := c.s.TxStatus(); {
	case c.broken.Load():
		c.lose(&ConnLostError{}, true)
	case status == session.TxNone:
		c.lose(ErrTxEnded, true)
	case status == session.TxAborted:
		c.lose(ErrTxAborted, false)
	}
}
