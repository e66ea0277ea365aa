package driver

import (
	"context"
	"errors"
	"time"

	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// State is what Check found out about a node that answered.
type State struct {
	// Full says that every connection of the pool was in use.
	Full bool
	// ReadOnly says that sessions take no writes.
	ReadOnly bool
}

// checkWait is how long Check waits for a connection of a pool that has just become
// full.
const checkWait = 50 * time.Millisecond

// Check asks the server for an answer and, if writes is true, whether its sessions
// take writes. It does not wait for a connection: of a pool that has none free it
// opens one more, which is closed again, and so it does where an idle one was cut. Its error is that of the opening or of the
// server's answer; Full is told beside it too.
func (p *Pool) Check(ctx context.Context, writes bool) (State, error) {
	var s State
	if stats := p.db.Stats(); stats.MaxOpenConnections <= 0 || stats.InUse < stats.MaxOpenConnections {
		c, err := p.Acquire(ctx, checkWait)
		var timeout *AcquireTimeoutError
		switch {
		case err == nil:
			s.ReadOnly, err = c.inner.check(ctx, writes)
			lost := err != nil && c.inner.broken.Load() && ctx.Err() == nil
			c.Release()
			if !lost { // a connection that was cut while it was idle says nothing of the node
				return s, err
			}
		case !errors.As(err, &timeout) || timeout.Err != nil:
			return s, err
		default:
			s.Full = true
		}
	} else {
		s.Full = true
	}
	c, err := p.dialled(ctx, nil, true)
	if err != nil {
		return s, err
	}
	defer func() { _ = c.Close() }()
	s.ReadOnly, err = c.check(ctx, writes)
	return s, err
}

// check is Ping, and tells whether the session takes no writes, as far as the server
// knows the question.
func (c *conn) check(ctx context.Context, writes bool) (readOnly bool, err error) {
	if err := c.enter(ctx, ""); err != nil {
		return false, err
	}
	defer c.unlock()
	teller, ok := c.s.(session.ReadOnlyTeller)
	if !ok || !writes {
		err = c.s.Ping(ctx)
	} else if readOnly, err = teller.ReadOnly(ctx); err != nil {
		if v := c.s.Verdict(err); v.Answered && !v.Broken { // by a server that answers
			return false, nil
		}
	}
	if err != nil {
		return false, c.failed(ctx, err)
	}
	return readOnly, nil
}
