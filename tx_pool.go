package dbfleet

import (
	"context"
	"fmt"
)

// errOwnConnection is the error of who would wait for the connection that it holds.
var errOwnConnection = fmt.Errorf("the pool has one connection, and the transaction in the context has it: %w", ErrBusy)

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
		if st := l.tx.st; st.node == s && st.handle() != nil && (!hidden || inside || insideClosure()) {
			return errOwnConnection
		}
	}
	return nil
}

// insideClosure says whether the caller was called from inside of the function of a
// transaction, or of an Atomic.
func insideClosure() bool { return inside(1, "(*Tx).call", "(*Registry).atomicOnce") }
