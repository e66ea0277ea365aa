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
	if err := c.inner.enter(ctx, ""); err != nil {
		return position.Position{}, err
	}
	defer c.inner.unlock()
	p, err := l.Position(ctx)
	if err != nil {
		return position.Position{}, c.inner.failed(ctx, err)
	}
	return p, nil
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
		return false, c.inner.failed(ctx, err)
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
