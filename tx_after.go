package dbfleet

import (
	"context"
	"slices"
)

// AfterCommit calls fn once it is known that what is done now is committed: a message
// to send, a cache to drop. In a transaction, the innermost that ctx carries, that is
// after its end, when its connection has been given back. Outside of one fn is called
// at once.
//
// fn is not called when the transaction is rolled back, or the savepoint in which
// AfterCommit was called or one around that, nor when the outcome of COMMIT is unknown:
// AfterRollback is told of all of these. Of a transaction with Retries only the attempt
// that was committed counts. What fn does needs an outbox instead if it may not be lost:
// the program can end between the commit and fn.
//
// The functions of a transaction are called in the order in which they were given, those
// of AfterRollback among them, on the goroutine of Transaction, which returns after the
// last one. fn gets the context that the transaction was begun with, which carries no
// transaction of this connection and may have ended meanwhile. If one panics or ends its
// goroutine, the others are called all the same, and then it goes on; what is committed
// stays.
//
// The error is ErrTxDone if the transaction or savepoint of ctx has ended: fn is not
// called then. It is safe for concurrent use.
func AfterCommit(ctx context.Context, fn func(ctx context.Context)) error {
	tx, err := lasting(ctx, "AfterCommit", fn != nil)
	switch {
	case err != nil:
		return err
	case tx == nil:
		fn(ctx)
		return nil
	}
	return tx.atEnd(whenCommitted(fn))
}

// AfterRollback calls fn when what is done now is known to be undone, or not known to be
// committed: to take back what was done elsewhere for it. fn gets the reason: the error
// that Transaction returns, where the savepoint in which AfterRollback was called, or one
// around it, was rolled back the error of that, or one that is ErrCommitUnknown if the
// answer to COMMIT was lost. Look that one up before something is taken back. After a
// panic or runtime.Goexit the error says so.
//
// It is called at the end of the transaction, also if only a savepoint is undone: then
// whatever becomes of the rest. An attempt that is run again by Retries has ended with
// all of its functions before the next one begins. For their order, context, goroutine
// and panics see AfterCommit.
//
// Outside of a transaction there is nothing to undo: fn is never called. The error is
// ErrTxDone if the transaction or savepoint of ctx has ended. It is safe for concurrent
// use.
func AfterRollback(ctx context.Context, fn func(ctx context.Context, err error)) error {
	tx, err := lasting(ctx, "AfterRollback", fn != nil)
	if err != nil || tx == nil {
		return err
	}
	return tx.atEnd(unlessCommitted(fn))
}

// AfterCommit is the function AfterCommit for this transaction or savepoint.
func (tx *Tx) AfterCommit(fn func(ctx context.Context)) error {
	if err := tx.lasting("AfterCommit", fn != nil); err != nil {
		return err
	}
	return tx.atEnd(whenCommitted(fn))
}

// AfterRollback is the function AfterRollback for this transaction or savepoint.
func (tx *Tx) AfterRollback(fn func(ctx context.Context, err error)) error {
	if err := tx.lasting("AfterRollback", fn != nil); err != nil {
		return err
	}
	return tx.atEnd(unlessCommitted(fn))
}

// lasting is the innermost transaction of a context, nil for none, or what is missing.
func lasting(ctx context.Context, method string, hasFn bool) (*Tx, error) {
	if ctx == nil {
		return nil, errorf("%s: the context is nil", method)
	}
	if !hasFn {
		return nil, errorf("%s: the function is nil", method)
	}
	if l, _ := ctx.Value(txKey{}).(*txList); l != nil {
		return l.tx, nil
	}
	return nil, nil
}

// lasting returns what is missing for a method of the handle.
func (tx *Tx) lasting(method string, hasFn bool) error {
	if err := tx.given(); err != nil {
		return err
	}
	if !hasFn {
		return errorf("connection %q: %s: the function is nil", tx.st.e.name, method)
	}
	return nil
}

func whenCommitted(fn func(context.Context)) func(context.Context, outcome, error) {
	return func(ctx context.Context, how outcome, _ error) {
		if how == committed {
			fn(ctx)
		}
	}
}

func unlessCommitted(fn func(context.Context, error)) func(context.Context, outcome, error) {
	return func(ctx context.Context, how outcome, err error) {
		if how != committed {
			fn(ctx, err)
		}
	}
}

// atEnd is afterEnd for who may come too late.
func (tx *Tx) atEnd(call func(ctx context.Context, how outcome, err error)) error {
	tx.st.mu.Lock()
	defer tx.st.mu.Unlock()
	if tx.ended || tx.st.done {
		return tx.st.doneError()
	}
	tx.afterEndLocked(call)
	return nil
}

// inOrder sorts what savepoints have handed on by when it was given.
func inOrder(after []*afterEnd) {
	slices.SortStableFunc(after, func(a, b *afterEnd) int { return a.number - b.number })
}

// callAfter calls each; the rest too if one ends in a panic or in runtime.Goexit.
func callAfter(ctx context.Context, after []*afterEnd, how outcome, err error) {
	for len(after) > 0 {
		a := after[0]
		after = after[1:]
		func() {
			returned := false
			defer func() {
				if !returned {
					callAfter(ctx, after, how, err)
				}
			}()
			if a.undone != nil {
				a.call(ctx, rolledBack, a.undone)
			} else {
				a.call(ctx, how, err)
			}
			returned = true
		}()
	}
}
