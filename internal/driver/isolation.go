package driver

import (
	"context"
	"database/sql"
	"errors"

	"github.com/dbfleet/dbfleet/internal/driver/session"
)

var errUntoldIsolation = errors.New("the driver does not tell the isolation level of a transaction")

// Isolation asks the server for the isolation level of the transaction.
func (c *Conn) Isolation(ctx context.Context) (sql.IsolationLevel, error) {
	if err := c.begun(ctx); err != nil {
		return 0, err
	}
	return c.inner.isolation(ctx)
}

func (c *conn) isolation(ctx context.Context) (sql.IsolationLevel, error) {
	if err := c.enter(ctx, ""); err != nil {
		return 0, err
	}
	defer c.unlock()
	s, ok := c.s.(session.IsolationTeller)
	if !ok {
		return 0, &NotSentError{Err: errUntoldIsolation}
	}
	level, err := s.Isolation(ctx)
	if err != nil {
		err = c.failed(ctx, err)
	}
	return level, err
}
