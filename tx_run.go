package dbfleet

import (
	"context"
	"errors"
	"time"

	"github.com/dbfleet/dbfleet/internal/driver"
)

// attempt runs a transaction once. Whatever panics in it, the connection is given back,
// and what waits for the end of the transaction is told.
func (e *entry) attempt(ctx context.Context, fn func(context.Context, *Tx) error, o TxOptions) (err error) {
	tx := newTx(e, o)
	st := tx.st

	how := rolledBack
	err = errPanicked // until something else is known
	defer func() {    // last: the connection is back
		if err == errPanicked { // as it was set above or below
			how, err = st.answered(err)
		}
		if how == rolledBack {
			tx.undone(nil, err)
		}
		tx.tell(ctx, how, err)
	}()
	defer st.giveBack()
	defer func() {
		if err != nil && how == rolledBack && st.needsRollback() {
			// Its failure changes nothing, unless it says that a statement has ended the
			// transaction: without a commit nothing persists.
			backErr := tx.rollback(ctx)
			if driver.EndedUnasked(backErr) {
				how = unknownOutcome
			}
			err = afterRollback(err, backErr)
		}
	}()
	if err = tx.begin(ctx, o); err != nil {
		return err
	}
	st.age = e.begun(ctx)
	st.watch(ctx)
	defer st.unwatch()

	err = errPanicked
	if err = tx.call(ctx, fn); err != nil {
		return err
	}
	err = errPanicked
	err = tx.commit(ctx)
	how = howCommitted(err)
	return err
}

// howCommitted is how a transaction has ended whose COMMIT had err.
func howCommitted(err error) outcome {
	switch {
	case err == nil:
		return committed
	case errors.Is(err, ErrCommitUnknown), driver.EndedUnasked(err):
		return unknownOutcome
	}
	return rolledBack
}

// answered is how a transaction has ended that ended in a panic, of a hook after its
// COMMIT perhaps.
func (st *txState) answered(panicked error) (outcome, error) {
	if st.commitErr == nil {
		return rolledBack, panicked
	}
	err := *st.commitErr
	how := howCommitted(err)
	if errors.Is(err, ErrCommitUnknown) {
		err = &CommitUnknownError{Connection: st.e.name, Err: err, marker: st.marker}
	}
	return how, err
}

// call calls fn in tx. Its error is that of the context if that has ended.
func (tx *Tx) call(ctx context.Context, fn func(context.Context, *Tx) error) error {
	err := fn(withTx(ctx, tx), tx)
	if err != nil || ctx.Err() == nil {
		return err
	}
	what := "transaction"
	if tx.name != "" {
		what = "savepoint"
	}
	return errorf("%s on connection %q rolled back: %w", what, tx.st.e.name, ctx.Err())
}

// needsRollback says that the transaction has begun, and that no COMMIT has ended it.
func (st *txState) needsRollback() bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.conn != nil && (!st.done || st.cause != nil)
}

// giveBack gives the connection back whatever has happened.
func (st *txState) giveBack() {
	st.gate.LockAnyway()
	defer st.gate.Unlock()
	st.end(nil)
}

// nestedWith is nested for a call with options.
func (tx *Tx) nestedWith(ctx context.Context, fn func(context.Context, *Tx) error, o TxOptions) error {
	if err := tx.usable(); err != nil {
		return err
	}
	if err := tx.st.gives(ctx, o); err != nil {
		return err
	}
	return tx.nested(ctx, &Tx{st: tx.st}, fn)
}

// hidden is nested for a verb that needs its statements to be undone together. The
// savepoint keeps the statements of others waiting.
func (tx *Tx) hidden(ctx context.Context, fn func(context.Context, *Tx) error) error {
	return tx.nested(ctx, &Tx{st: tx.st, over: make(chan struct{})}, fn)
}

// nested runs fn between a savepoint and its release.
func (tx *Tx) nested(ctx context.Context, inner *Tx, fn func(context.Context, *Tx) error) (err error) {
	if err := tx.st.nameIt(tx, inner); err != nil {
		return err
	}
	x := &savepoint{outer: tx, inner: inner}
	if err := tx.turn(ctx, "savepoint", "SAVEPOINT "+inner.name, &x.turn, x); err != nil {
		return err
	}
	err = errPanicked // until something else is known
	defer func() {
		defer inner.leave()
		if err == nil || inner.passed() { // or a hook has panicked after RELEASE
			inner.released(tx)
			return
		}
		defer func() { inner.undone(tx, err) }()
		if backErr := inner.back(ctx); err != errPanicked {
			err = afterBack(err, backErr)
		}
	}()
	if err = inner.call(ctx, fn); err != nil {
		return err
	}
	err = errPanicked
	err = inner.leaves(ctx, "release", "RELEASE SAVEPOINT "+inner.name)
	return err
}

// leaves sends a statement that ends the savepoint.
func (tx *Tx) leaves(ctx context.Context, op, text string) error {
	x := &leaving{tx: tx}
	return tx.turn(ctx, op, text, &x.turn, x)
}

// passed says that the savepoint was released, or rolled back.
func (tx *Tx) passed() bool {
	tx.st.mu.Lock()
	defer tx.st.mu.Unlock()
	return tx.wentBack
}

// leave ends the handle of a savepoint.
func (tx *Tx) leave() {
	tx.st.gate.LockAnyway()
	defer tx.st.gate.Unlock()
	tx.lent.end(tx.endedRows())
	tx.pop()
}

// savepointTimeout bounds the way back to a savepoint whose context has ended.
const savepointTimeout = time.Second

// back undoes what was done since the savepoint and forgets it.
func (tx *Tx) back(ctx context.Context) error {
	if ctx.Err() != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), savepointTimeout)
		defer cancel()
	}
	if err := tx.leaves(ctx, "rollback to", "ROLLBACK TO SAVEPOINT "+tx.name); err != nil {
		return err
	}
	return tx.leaves(ctx, "release", "RELEASE SAVEPOINT "+tx.name)
}

// watch rolls the transaction back as soon as ctx ends, or its registry cuts it off,
// whatever its function does meanwhile, until unwatch.
func (st *txState) watch(ctx context.Context) {
	st.e.watched(st)
	if ctx.Done() != nil {
		st.unwatchCtx = context.AfterFunc(ctx, func() { st.expire(ctx.Err()) })
	}
}

// unwatch ends what one call of watch has begun.
func (st *txState) unwatch() {
	st.e.unwatched(st)
	if st.unwatchCtx != nil {
		st.unwatchCtx()
	}
}

// expire ends the transaction before its function does, because of cause.
func (st *txState) expire(cause error) {
	if !st.condemn(cause) {
		return
	}
	st.gate.LockAnyway()
	defer st.gate.Unlock()
	st.endNow()
}

// condemn lets no statement in any more. It is false if the transaction has ended.
func (st *txState) condemn(cause error) bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.done || st.cause != nil {
		return false
	}
	st.cause = cause
	return true
}

// endNow ends a transaction that is condemned. The gate is held. A verb that streams
// rows has them still: the connection is its own until it sees the end.
func (st *txState) endNow() {
	st.endLent()
	if st.conn.OpenRows() == 0 {
		st.end(nil)
	}
}
