package dbfleet

import (
	"context"
	"fmt"
)

// errOwnConnection is the error of who would wait for the connection that it holds.
var errOwnConnection = fmt.Errorf("the pool has one connection, and the transaction in the context has it: %w", ErrBusy)

// errOwnBudget is that error where all tenants' databases share the one connection.
var errOwnBudget = fmt.Errorf("all tenants together may have one connection, and the transaction in the context has it: %w", ErrBusy)

// waitsForItself is an error where who asks for the only connection of the node's pool
// would wait for itself: where ctx carries a transaction that has it, or hides one whose
// function is what asks. Another goroutine that is to run outside may wait for its end.
func (s *sessions) waitsForItself(ctx context.Context) error {
	l, _ := ctx.Value(txKey{}).(*txList)
	for hidden, inside := false, false; l != nil; l = l.outer {
		if l.tx == nil {
			hidden, inside = true, inside || l.inside
			continue
		}
		st := l.tx.st
		if err := s.hasNoneBeside(st.node); err != nil && st.handle() != nil && (!hidden || inside || insideClosure()) {
			return err
		}
	}
	return nil
}

// hasNoneBeside is an error if the node has no second connection while one of held is taken.
// It is asked of pools and budgets of one alone.
func (s *sessions) hasNoneBeside(held *sessions) error {
	switch b := s.opts.Budget; {
	case b != nil && b.Size() == 1 && held.opts.Budget == b:
		return errOwnBudget
	case held == s:
		return errOwnConnection
	}
	return nil
}

// insideClosure says whether the caller was called from inside of the function of a
// transaction, or of an Atomic.
func insideClosure() bool { return inside(1, "(*Tx).call", "(*Registry).atomicOnce") }
