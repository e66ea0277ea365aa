package dbfleet

import (
	"context"
	"slices"
)

// outcome is how a transaction has ended.
type outcome int8

const (
	committed outcome = iota
	rolledBack
	unknownOutcome // the answer to COMMIT was lost
)

// An undoer is undone with a transaction or savepoint.
type undoer interface{ Undo() }

// undoes undoes u when what the transaction or savepoint did is undone, before its
// function's caller hears of it: with the savepoint that it stands in, or with the whole.
// The last that was given is undone first. Nothing is undone when the outcome is unknown.
// If all is undone by now, because a goroutine went on after the end, u is undone at once
// and the error says so.
func (tx *Tx) undoes(u undoer) error {
	tx.st.mu.Lock()
	in := tx.holder()
	if in.fate == nil {
		in.undo = append(in.undo, u)
		tx.st.mu.Unlock()
		return nil
	}
	tx.st.mu.Unlock()
	u.Undo()
	return tx.st.doneError()
}

// holder is what the savepoint is part of, since those around it that have ended well.
// st.mu is held.
func (tx *Tx) holder() *Tx {
	for tx.into != nil {
		tx = tx.into
	}
	return tx
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
	number int // among all of the transaction
}

// afterEnd calls call at the end of the whole transaction. If the savepoint that it
// stands in is rolled back, it is told that then, whatever becomes of the whole.
func (tx *Tx) afterEnd(call func(ctx context.Context, how outcome, err error)) {
	tx.st.mu.Lock()
	defer tx.st.mu.Unlock()
	tx.afterEndLocked(call)
}

func (tx *Tx) afterEndLocked(call func(ctx context.Context, how outcome, err error)) {
	tx.st.waiting++
	tx.after = append(tx.after, &afterEnd{call: call, number: tx.st.waiting})
}

// released hands what waits for the end of a savepoint to what is around it.
func (tx *Tx) released(outer *Tx) {
	tx.st.mu.Lock()
	if fate := outer.holder().fate; fate != nil { // by another goroutine
		tx.st.mu.Unlock()
		tx.undone(outer, fate)
		return
	}
	defer tx.st.mu.Unlock()
	tx.into, outer = outer, outer.holder()
	if len(outer.undo) == 0 {
		outer.undo = tx.undo
	} else {
		outer.undo = append(outer.undo, tx.undo...)
	}
	outer.after = append(outer.after, tx.after...)
	tx.undo, tx.after = nil, nil
}

// undone undoes what the savepoint or transaction did outside of the database. outer is
// what is around it, nil for the transaction itself.
func (tx *Tx) undone(outer *Tx, cause error) {
	tx.st.mu.Lock()
	undo := tx.undo
	tx.undo, tx.fate = nil, cause
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
	for _, u := range slices.Backward(undo) {
		u.Undo()
	}
}

// tell calls what waits for the end of the whole transaction, in the order in which it
// was given.
func (tx *Tx) tell(ctx context.Context, how outcome, err error) {
	tx.st.settleSessions(how, err != nil)
	tx.st.mu.Lock()
	after := tx.after
	tx.undo, tx.after = nil, nil
	tx.st.mu.Unlock()
	inOrder(after)
	callAfter(ctx, after, how, err)
}
