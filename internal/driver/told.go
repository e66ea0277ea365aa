package driver

import (
	"context"

	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// InsertTold runs an INSERT and tells the key that the database made by
// LastInsertID, if that is the value of the key's column for certain. Otherwise told
// is false and nothing was inserted: the caller asks by RETURNING, or refuses. An
// *UntoldError says that the row is inserted and its key not known.
//
// Without a key in it always inserts, and tells no id of another insert.
func (c *Conn) InsertTold(ctx context.Context, in *ToldInsert, args []any) (res Result, told bool, err error) {
	if c.inner == nil {
		return Result{}, false, errReleased
	}
	s, ok := c.inner.s.(session.IDTeller)
	if !ok {
		if in.Key == "" {
			res, err = c.Exec(ctx, in.Text, args)
		}
		return res, in.Key == "", err
	}
	nv, err := c.inner.bind(args)
	if err != nil {
		return Result{}, false, err
	}
	defer give(nv)
	if err := c.inner.enter(ctx, in.Text); err != nil {
		return Result{}, false, err
	}
	defer c.inner.unlock()
	res, told, err = s.InsertTold(ctx, in, *nv)
	if err != nil {
		return Result{}, told, c.inner.failedIn(ctx, in.Text, err)
	}
	return res, told, c.inner.succeeded(in.Text)
}

// Returns says whether the database knows INSERT … RETURNING.
func (c *Conn) Returns() bool {
	if c.inner == nil || c.inner.pool.dialect.InsertReturning {
		return true
	}
	s, ok := c.inner.s.(session.IDTeller)
	return ok && s.Returns()
}

// Numbers is session.Numberer's, false for a session that is none.
func (c *Conn) Numbers() bool {
	if c.inner == nil {
		return false
	}
	s, ok := c.inner.s.(session.Numberer)
	return ok && s.Numbers()
}

// SortAborted says that a server which numbers rows has ended the statement while it sorted
// them: for LIMIT ROWS EXAMINED, among other reasons.
func SortAborted(err error) bool { return Classify(err).Code == "1028" }

// Changes is session.IDTeller's, 0 for a database that is none.
func (c *Conn) Changes() int64 {
	if c.inner == nil {
		return 0
	}
	if s, ok := c.inner.s.(session.IDTeller); ok {
		return s.Changes()
	}
	return 0
}
