package driver

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"

	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// InsertRows is Query for an INSERT of several rows with RETURNING, whose
// arguments are those of the rows, one after the other. one is the text of the
// same statement for a single row. The session may send another statement that
// does the same, whose text does not depend on the number of rows; the rows
// come back in their order. sent is the text that was sent, "" if none was; it is
// told with an error as well.
func (c *Conn) InsertRows(ctx context.Context, query string, args []any, one string) (rows Rows, sent string, err error) {
	if c.inner == nil {
		return nil, "", errReleased
	}
	nv, err := c.inner.bind(args)
	if err != nil {
		return nil, "", err
	}
	defer give(nv)
	for {
		rows, sent, err = c.inner.insertAny(ctx, query, one, *nv, &c.rows)
		if err == nil {
			return rows, sent, nil
		}
		var again bool
		if again, err = c.BeginsElsewhere(ctx, err); !again {
			return nil, sentUnless(err, sent), err
		}
	}
}

// insertAny is insertRows, or where the session does not do that query.
func (c *conn) insertAny(ctx context.Context, query, one string, args []sqldriver.NamedValue, into *cellCursor) (rows Rows, sent string, err error) {
	if s, ok := c.s.(session.RowInserter); ok {
		rows, sent, err = c.insertRows(ctx, s, one, args, into)
		if rows != nil || err != nil {
			return rows, sent, err
		}
	}
	rows, err = c.query(ctx, query, args, into)
	return rows, query, err
}

// sentUnless is text, or "" if err says that nothing was sent.
func sentUnless(err error, text string) string {
	var notSent *NotSentError
	if err != nil && errors.As(err, &notSent) {
		return ""
	}
	return text
}

func (c *conn) insertRows(ctx context.Context, s session.RowInserter, one string, args []sqldriver.NamedValue, into *cellCursor) (rows Rows, sent string, err error) {
	if err := c.enter(ctx, one); err != nil {
		return nil, "", err
	}
	defer c.unlock()
	src, sent, err := s.InsertRows(ctx, one, args)
	switch {
	case err != nil:
		return nil, sent, c.failedIn(ctx, one, err)
	case src == nil:
		return nil, "", nil
	}
	return c.opened(ctx, sent, src, into), sent, nil
}
