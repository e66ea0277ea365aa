package dbfleet

import (
	"context"

	"github.com/dbfleet/dbfleet/internal/driver"
)

// outcome is how a transaction has ended.
type outcome int8

const (
	committed outcome = iota
	rolledBack
	unknownOutcome // the answer to COMMIT was lost
)

// onUndo calls undo when what the transaction or savepoint did is undone, before its
// function's caller hears of it: with the savepoint that it stands in, or with the
// whole. The last that was given is called first. It is not called when the outcome is
// unknown.
func (tx *Tx) onUndo(undo func()) {
	tx.st.mu.Lock()
	defer tx.st.mu.Unlock()
	tx.undo = append(tx.undo, undo)
}

// afterEnd is called once the outcome of the whole transaction is known, when its
// connection has been given back.
type afterEnd struct {
	// call gets the context that the transaction was begun with, and the error that
	// undid it or that says that its outcome is unknown; nil if it is committed.
	call func(ctx context.Context, how outcome, err error)
	// undone says that a savepoint around it was rolled back, and why: how the whole
	// ends says nothing of it any more.
	undone error
}

// afterEnd calls call at the end of the whole transaction. If the savepoint that it
// stands in is rolled back, it is told that then, whatever becomes of the whole.
func (tx *Tx) afterEnd(call func(ctx context.Context, how outcome, err error)) {
	tx.st.mu.Lock()
	defer tx.st.mu.Unlock()
	tx.after = append(tx.after, &afterEnd{call: call})
}

// released hands what waits for the end of a savepoint to what is around it.
func (tx *Tx) released(outer *Tx) {
	tx.st.mu.Lock()
	defer tx.st.mu.Unlock()
	outer.undo = append(outer.undo, tx.undo...)
	outer.after = append(outer.after, tx.after...)
	tx.undo, tx.after = nil, nil
}

// undone undoes what the savepoint or transaction did outside of the database. outer is
// what is around it, nil for the transaction itself.
func (tx *Tx) undone(outer *Tx, cause error) {
	tx.st.mu.Lock()
	undo := tx.undo
	tx.undo = nil
	if outer != nil {
		for _, a := range tx.after {
			if a.undone == nil {
				a.undone = cause
			}
		}
		outer.after = append(outer.after, tx.after...)
		tx.after = nil
	}
	tx.st.mu.Unlock()
	for i := len(undo) - 1; i >= 0; i-- {
		undo[i]()
	}
}

// tell calls what waits for the end of the whole transaction.
func (tx *Tx) tell(ctx context.Context, how outcome, err error) {
	tx.st.mu.Lock()
	after := tx.after
	tx.after = nil
	tx.st.mu.Unlock()
	for _, a := range after {
		if a.undone != nil {
			a.call(ctx, rolledBack, a.undone)
			continue
		}
		a.call(ctx, how, err)
	}
}

// withEnd is the error of a transaction's function together with the one which says that
// a statement has ended the transaction, so that something of it persists, or may.
func withEnd(err, end error) error {
	if driver.EndedUnasked(err) {
		return err // it says so
	}
	return errorf("%w; %w", err, end)
}
