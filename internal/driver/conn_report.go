package driver

import (
	"context"

	"github.com/dbfleet/dbfleet/internal/driver/session"
	"github.com/dbfleet/dbfleet/internal/position"
)

// Report asks the server of the connection what it is and how far, in one round trip.
func (c *Conn) Report(ctx context.Context) (Report, error) {
	if c.inner == nil {
		return Report{}, errReleased
	}
	r, err := c.inner.probe(ctx)
	if err == nil {
		c.inner.server = r.Server
	}
	return r, err
}

// Server is which server the connection leads to, as it was told by the first Report on
// it; "" before that.
func (c *Conn) Server() string {
	if c.inner == nil {
		return ""
	}
	return c.inner.server
}

// Includes reports whether the history of the server includes all that target does, whoever
// has written there since. Unknown is a server that cannot tell.
func (c *Conn) Includes(ctx context.Context, target position.Position) (position.Answer, error) {
	if c.inner == nil {
		return position.Unknown, errReleased
	}
	h, ok := c.inner.s.(session.Historian)
	if !ok {
		return position.Unknown, nil
	}
	if err := c.inner.enter(ctx, ""); err != nil {
		return position.Unknown, err
	}
	defer c.inner.unlock()
	answer, err := h.Includes(ctx, target)
	if err != nil {
		return position.Unknown, c.inner.failedToTell(ctx, err)
	}
	return answer, nil
}

// readKey is of what WhenRead gives a context.
type readKey struct{}

// WhenRead returns a context with which queries of database/sql call ended when their rows
// are closed or read: what they write is committed by then, where it is by itself. It must
// not use the connection.
func WhenRead(ctx context.Context, ended func()) context.Context {
	return context.WithValue(ctx, readKey{}, ended)
}

// checkKey is of what Checked gives a context.
type checkKey struct{}

// Checked returns a context with which a query of the pool's, and the preparing of a
// statement, begin with check, on the connection that database/sql has taken for it. Its
// error ends the query before it is sent. It must not release or keep the connection.
func Checked(ctx context.Context, check func(ctx context.Context, c *Conn) error) context.Context {
	return context.WithValue(ctx, checkKey{}, check)
}

// checked calls what Checked has given the context of an acquisition.
func (c *conn) checked(ctx context.Context) error {
	if a, ok := ctx.(*acquireCtx); ok {
		if check, ok := a.Value(checkKey{}).(func(context.Context, *Conn) error); ok {
			return check(afterAcquire(ctx), &Conn{inner: c})
		}
	}
	return nil
}

// runKey is of what WhenRun gives a context.
type runKey struct{}

// WhenRun returns a context with which a statement of a Group is prepared so that runs is
// called before each time that it is run, with the context of that. It must not use the
// connection, and may be called at once by several goroutines.
func WhenRun(ctx context.Context, runs func(ctx context.Context)) context.Context {
	return context.WithValue(ctx, runKey{}, runs)
}

func whenRead(rows Rows, ended func()) {
	switch r := rows.(type) {
	case *cellCursor:
		r.ended = ended
	case *cursor:
		r.ended = ended
	}
}
