package driver

import (
	"context"

	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// NamesError is session.NamesError.
type NamesError = session.NamesError

// failedIn is failed for an error that a statement ended in. On a connection that a
// Conn holds it has the names that the schema gives, for which the server may be asked
// a second time. What runs through the pool by database/sql has the driver's own error.
func (c *conn) failedIn(ctx context.Context, query string, err error) error {
	err = c.failed(ctx, err)
	c.tellWrite(query, err)
	namer, ok := c.s.(session.Namer)
	if !ok || !c.held.Load() || c.broken.Load() || ctx.Err() != nil || c.open.Load() > 0 {
		return err
	}
	table, column, failure := namer.Names(ctx, err, query)
	switch {
	case failure != nil:
		_ = c.failed(ctx, failure) // the connection may be lost by now
	case table != "" || column != "":
		return &NamesError{Err: err, Table: table, Column: column}
	}
	return err
}

// withNames adds the names of the schema to a problem.
func withNames(p Problem, e *NamesError) Problem {
	if p.Table == "" {
		p.Table = e.Table
	}
	if p.Column == "" {
		p.Column = e.Column
	}
	return p
}
