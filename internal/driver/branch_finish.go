package driver

import (
	"context"

	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// CommitPrepared commits a prepared branch: that of this connection, or another one on a
// connection without a transaction. nil means that the server has done it. Its error is
// a *BranchError where the server said why not, and an *UnansweredError where no answer
// came. It may be asked again after any of them; elsewhere once this connection, if it is
// attached to the branch, was released.
func (c *Conn) CommitPrepared(ctx context.Context, id BranchID) error {
	return c.finishPrepared(ctx, id, true)
}

// RollbackPrepared is CommitPrepared for rolling back. A branch that the server has
// rolled back by itself is rolled back.
func (c *Conn) RollbackPrepared(ctx context.Context, id BranchID) error {
	return c.finishPrepared(ctx, id, false)
}

func (c *Conn) finishPrepared(ctx context.Context, id BranchID, commit bool) error {
	if c.inner == nil {
		return errReleased
	}
	return c.inner.finishPrepared(ctx, id, commit)
}

func (c *conn) finishPrepared(ctx context.Context, id BranchID, commit bool) error {
	b, err := c.brancher(id)
	if err != nil {
		return err
	}
	if err := c.lock(ctx); err != nil {
		return err
	}
	defer c.unlock()
	if err := ctx.Err(); err != nil {
		return &NotSentError{Err: err}
	}
	if err := c.settle(ctx); err != nil {
		return err
	}
	own := c.tx.attached() && c.tx.branch.id == id
	if own {
		if c.broken.Load() {
			return &NotSentError{Err: &ConnLostError{}}
		}
		c.uses++
	} else if err := c.admitAlone(); err != nil {
		return err
	}
	if err := b.FinishPrepared(ctx, id, commit, own); err != nil {
		return c.failed(ctx, err)
	}
	if own {
		c.tx = txState{}
	}
	return nil
}

// admitAlone is admit for what cannot be part of a transaction.
func (c *conn) admitAlone() error {
	if c.tx.active {
		return &NotSentError{Err: errTxOpen}
	}
	if c.lent.Load() {
		return &NotSentError{Err: errLent}
	}
	return c.admit("")
}

// ListPrepared lists the prepared branches of this module's form: on PostgreSQL those of
// the connection's database, on MySQL and MariaDB those of the whole server. A server
// that takes no writes is ErrBranchReadOnly: a standby would list nothing.
func (c *Conn) ListPrepared(ctx context.Context) (list []PreparedBranch, err error) {
	err = c.askBranches(ctx, func(b session.Brancher) (err error) {
		list, err = b.ListPrepared(ctx)
		return err
	})
	return list, err
}

// CheckBranches says what keeps the database from taking part with a branch: ErrNoBranches,
// or each setting that stands in the way, as *BranchSetupError. Behind PgBouncer it
// sees the server only.
func (c *Conn) CheckBranches(ctx context.Context) error {
	return c.askBranches(ctx, func(b session.Brancher) error { return b.CheckBranches(ctx) })
}

func (c *Conn) askBranches(ctx context.Context, ask func(session.Brancher) error) error {
	if c.inner == nil {
		return errReleased
	}
	inner := c.inner
	b, ok := inner.s.(session.Brancher)
	if !ok {
		return &NotSentError{Err: ErrNoBranches}
	}
	if err := inner.lock(ctx); err != nil {
		return err
	}
	defer inner.unlock()
	if err := ctx.Err(); err != nil {
		return &NotSentError{Err: err}
	}
	if err := inner.admitAlone(); err != nil {
		return err
	}
	if err := ask(b); err != nil {
		return inner.failed(ctx, err)
	}
	return nil
}
