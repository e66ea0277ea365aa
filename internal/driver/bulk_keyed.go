package driver

import (
	"cmp"
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
)

// KeyedInsert is an INSERT of several rows whose keys the database makes. The
// texts have the same table and columns.
type KeyedInsert struct {
	// Text inserts all rows and returns nothing. SQLite sends it.
	Text string
	// One inserts a single row and returns its key. PostgreSQL makes its statement
	// of it.
	One string
	// Table and Key are SQL, for SQLite: names that are quoted where they need it.
	// The key is one integer column.
	Table, Key string
	Rows       int
}

// Keyed is what came of a KeyedInsert.
type Keyed struct {
	// Keys are those of the rows, in their order.
	Keys []int64
	// OK is false if the keys could not be had for certain. Nothing was inserted
	// then.
	OK bool
	// Never says that it will be so for other rows too.
	Never bool
	// Undone says, of an error, that nothing was inserted, whatever the error is.
	Undone bool
}

// A RowsError says that an INSERT would have inserted another number of rows
// than it was given. Nothing was inserted.
type RowsError struct{ Rows, Given int64 }

func (e *RowsError) Error() string {
	return fmt.Sprintf("%d rows were inserted for %d", e.Rows, e.Given)
}

// keyedInserter is a session that can insert several rows outside of a
// transaction, all of them or none, and tell their keys, in less than the
// statements of a transaction with INSERT … RETURNING.
type keyedInserter interface {
	insertKeyed(ctx context.Context, in *KeyedInsert, args []sqldriver.NamedValue) (Keyed, error)
}

// InsertKeyed inserts rows outside of a transaction, all of them or none, and
// tells their keys. args are those of the rows, one after the other. Keyed.OK is
// false where the session has no way of its own to do that, in a transaction,
// and where it cannot be certain of the keys; the caller then sends a
// transaction.
func (c *Conn) InsertKeyed(ctx context.Context, in *KeyedInsert, args []any) (Keyed, error) {
	if c.inner == nil {
		return Keyed{Undone: true}, errReleased
	}
	s, ok := c.inner.s.(keyedInserter)
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

func (c *conn) insertKeyed(ctx context.Context, s keyedInserter, in *KeyedInsert, args []sqldriver.NamedValue) (Keyed, error) {
	if err := c.enter(ctx, cmp.Or(in.Text, in.One)); err != nil {
		return Keyed{Undone: true}, err
	}
	defer c.unlock()
	if c.tx.active {
		return Keyed{}, nil
	}
	made, err := s.insertKeyed(ctx, in, args)
	var other *RowsError
	if err == nil || errors.As(err, &other) {
		return made, err
	}
	var open *notUndoneError
	if errors.As(err, &open) {
		c.broken.Store(true) // closing it rolls back
	}
	return made, c.failed(ctx, err)
}

// notUndoneError says that a session has begun a transaction that it could not
// roll back.
type notUndoneError struct{ err error }

func (e *notUndoneError) Error() string { return e.err.Error() }
func (e *notUndoneError) Unwrap() error { return e.err }
