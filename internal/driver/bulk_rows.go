package driver

import (
	"context"
	sqldriver "database/sql/driver"

	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// InsertRows is Query for an INSERT of several rows with RETURNING, whose
// arguments are those of the rows, one after the other. one is the text of the
// same statement for a single row. The session may send another statement that
// does the same, whose text does not depend on the number of rows; the rows
// come back in their order.
func (c *Conn) InsertRows(ctx context.Context, query string, args []any, one string) (Rows, error) {
	if c.inner == nil {
		return nil, errReleased
	}
	s, ok := c.inner.s.(session.RowInserter)
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

func (c *conn) insertRows(ctx context.Context, s session.RowInserter, one string, args []sqldriver.NamedValue, into *cellCursor) (Rows, error) {
	if err := c.enter(ctx, one); err != nil {
		return nil, err
	}
	defer c.unlock()
	src, err := s.InsertRows(ctx, one, args)
	switch {
	case err != nil:
		return nil, c.failed(ctx, err)
	case src == nil:
		return nil, nil
	}
	return c.opened(ctx, one, src, into), nil
}
