package driver

import (
	"context"
	sqldriver "database/sql/driver"
)

// rowInserter is a session that has a shorter way for an INSERT of many rows.
type rowInserter interface {
	// insertRows does what an INSERT of several rows does. one is the text of the
	// same INSERT of one row. It returns nil when the INSERT is to be sent as it
	// is; nothing was sent then that matters.
	insertRows(ctx context.Context, one string, args []sqldriver.NamedValue) (rowSource, error)
}

// InsertRows is Query for an INSERT of several rows with RETURNING, whose
// arguments are those of the rows, one after the other. one is the text of the
// same statement for a single row. The session may send another statement that
// does the same, whose text does not depend on the number of rows; the rows
// come back in their order.
func (c *Conn) InsertRows(ctx context.Context, query string, args []any, one string) (Rows, error) {
	if c.inner == nil {
		return nil, errReleased
	}
	s, ok := c.inner.s.(rowInserter)
	if !ok {
		return c.Query(ctx, query, args)
	}
	nv, err := c.inner.bind(args)
	if err != nil {
		return nil, err
	}
	defer give(nv)
	r, err := c.inner.insertRows(ctx, s, one, *nv, &c.rows)
	if r == nil && err == nil {
		return c.inner.query(ctx, query, *nv, &c.rows)
	}
	return r, err
}

func (c *conn) insertRows(ctx context.Context, s rowInserter, one string, args []sqldriver.NamedValue, into *cellCursor) (Rows, error) {
	if err := c.enter(ctx, one); err != nil {
		return nil, err
	}
	defer c.unlock()
	src, err := s.insertRows(ctx, one, args)
	switch {
	case err != nil:
		return nil, c.failed(ctx, err)
	case src == nil:
		return nil, nil
	}
	return c.opened(ctx, one, src, into), nil
}
