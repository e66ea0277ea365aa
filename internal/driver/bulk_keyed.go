package driver

import (
	"cmp"
	"context"
	sqldriver "database/sql/driver"
	"errors"

	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// InsertKeyed inserts rows outside of a transaction, all of them or none, and
// tells their keys. args are those of the rows, one after the other. Keyed.OK is
// false where the session has no way of its own to do that, in a transaction,
// and where it cannot be certain of the keys; the caller then sends a
// transaction.
//
// With an error nothing was inserted, unless it is an *UnansweredError: then the
// commit was sent and its outcome is unknown. A connection that was lost before is
// an *UndoneError.
func (c *Conn) InsertKeyed(ctx context.Context, in *KeyedInsert, args []any) (Keyed, error) {
	if c.inner == nil {
		return Keyed{Undone: true}, errReleased
	}
	s, ok := c.inner.s.(session.KeyedInserter)
	if !ok {
		return Keyed{}, nil
	}
	nv, err := c.inner.bind(args)
	if err != nil {
		return Keyed{Undone: true}, err
	}
	defer give(nv)
	return c.inner.insertKeyed(ctx, s, in, *nv)
}

func (c *conn) insertKeyed(ctx context.Context, s session.KeyedInserter, in *KeyedInsert, args []sqldriver.NamedValue) (Keyed, error) {
	if err := c.enter(ctx, cmp.Or(in.Text, in.One)); err != nil {
		return Keyed{Undone: true}, err
	}
	defer c.unlock()
	if c.tx.active {
		return Keyed{}, nil
	}
	made, err := s.InsertKeyed(ctx, in, args)
	var other *RowsError
	if err == nil || errors.As(err, &other) {
		return made, err
	}
	var open *session.NotUndoneError
	if errors.As(err, &open) {
		c.broken.Store(true) // closing it rolls back
	}
	err = c.failed(ctx, err)
	var unanswered *UnansweredError
	switch lost := errors.As(err, &unanswered); {
	case made.Undone && lost:
		err = &UndoneError{Err: unanswered.Err}
	case lost:
		unanswered.Write = true
	case !made.Undone: // the server's own word, which leaves the commit open
		err = &UnansweredError{Err: err, Write: true}
	}
	made.Sent = sentUnless(err, made.Sent)
	return made, err
}
