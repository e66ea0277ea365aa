package driver

import (
	"context"
	"errors"
	"time"

	"github.com/dbfleet/dbfleet/internal/driver/session"
	"github.com/dbfleet/dbfleet/internal/position"
)

// errNoPosition says that the database has no positions.
var errNoPosition = errors.New("the database has no positions")

// Position is at or behind the end of what the connection has committed last. It is none
// for a database that has no positions, and for a server that keeps no history of
// writes.
func (c *Conn) Position(ctx context.Context) (position.Position, error) {
	if c.inner == nil {
		return position.Position{}, errReleased
	}
	l, ok := c.inner.s.(session.Locator)
	if !ok {
		return position.Position{}, nil
	}
	if c.inner.unsettled() {
		return c.inner.answered(ctx)
	}
	if err := c.inner.enter(ctx, ""); err != nil {
		return position.Position{}, err
	}
	defer c.inner.unlock()
	p, err := l.Position(ctx)
	if err != nil {
		return position.Position{}, c.inner.failedToTell(ctx, err)
	}
	return p, nil
}

// LocateNext has the next statement on the connection, or COMMIT, ask for the Position as
// well, in the same flight: Position, called after it and before anything else, then costs
// no round trip. What the statement does, its answer and its errors are as without, and the
// position is that after it. It says whether the database can do that.
//
// An answer that nobody asks for is read before the next statement, or at Release.
func (c *Conn) LocateNext() bool {
	if c.inner == nil || c.inner.next == nil {
		return false
	}
	c.inner.lockAnyway()
	defer c.inner.unlock()
	return c.inner.next.LocateNext(true)
}

// answerGrace is how long an answer that is on its way is waited for when nobody has time
// for it any more: else the connection is lost for it.
const answerGrace = 50 * time.Millisecond

func (c *conn) unsettled() bool { return c.next != nil && c.next.Unsettled() }

// answered is Position when a statement has asked for it.
func (c *conn) answered(ctx context.Context) (position.Position, error) {
	c.lockAnyway() // nobody else has the connection
	defer c.unlock()
	if c.broken.Load() {
		return position.Position{}, &NotSentError{Err: &ConnLostError{}}
	}
	ctx, cancel := withGrace(ctx)
	defer cancel()
	p, err := c.next.Position(ctx)
	if err != nil {
		return position.Position{}, c.failedToTell(ctx, err)
	}
	return p, nil
}

// settle reads the answer to what a statement has asked, if nobody has done so. c is locked.
func (c *conn) settle(ctx context.Context) error {
	if !c.unsettled() || c.broken.Load() {
		return nil
	}
	ctx, cancel := withGrace(ctx)
	defer cancel()
	if err := c.next.Settle(ctx); err != nil {
		c.broken.Store(true)
		return &NotSentError{Err: reason(ctx, err)}
	}
	return nil
}

// locatesNoMore takes LocateNext back, and reads what is on its way. If that does not come
// soon, or something else went wrong, the connection is closed.
func (c *conn) locatesNoMore() {
	if c.next == nil {
		return
	}
	c.lockAnyway()
	defer c.unlock()
	c.next.LocateNext(false)
	if c.unsettled() && !c.broken.Load() {
		ctx, cancel := context.WithTimeout(context.Background(), answerGrace)
		defer cancel()
		_ = c.settle(ctx)
	}
}

// withGrace is ctx, or if that has ended one that ends soon.
func withGrace(ctx context.Context) (context.Context, context.CancelFunc) {
	if ctx.Err() == nil {
		return ctx, func() {}
	}
	return context.WithTimeout(context.WithoutCancel(ctx), answerGrace)
}

// WaitFor waits until the server has applied all up to target, so that the statements
// after it see that. It waits at most for wait; 0 looks once. It says false when the time
// is over, and before that when the server does not get there: it has another history, or
// became a primary of its own. What waits cannot be in a transaction with a snapshot of
// its own.
func (c *Conn) WaitFor(ctx context.Context, target position.Position, wait time.Duration) (reached bool, err error) {
	if c.inner == nil {
		return false, errReleased
	}
	if target.IsZero() {
		return true, nil
	}
	l, ok := c.inner.s.(session.Locator)
	if !ok {
		return false, &NotSentError{Err: errNoPosition}
	}
	if err := c.inner.enter(ctx, ""); err != nil {
		return false, err
	}
	defer c.inner.unlock()
	if reached, err = l.WaitFor(ctx, target, wait); err != nil {
		return false, c.inner.failedToTell(ctx, err)
	}
	return reached, nil
}

// Role is what the connection knows of its server without asking it. On PostgreSQL, from
// 14 on, it follows the server with each statement; on MySQL it is that of the moment
// when the connection was opened.
func (c *Conn) Role() ServerRole {
	if c.inner == nil {
		return RoleUnknown
	}
	if r, ok := c.inner.s.(session.RoleTeller); ok {
		return r.Role()
	}
	return RoleUnknown
}
