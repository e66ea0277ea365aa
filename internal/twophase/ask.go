package twophase

import "context"

// Ask settles what became of a transaction that was told as Unknown, or that hangs. It
// fences: where the answer is RolledBack, no commit can follow. It is Unknown, without an
// error, while the coordinator's COMMIT may still be under way, and with ErrForgotten if
// the ledger may have had a record that it keeps no longer.
func Ask(ctx context.Context, l Ledger, id ID) (Outcome, error) {
	a, r, err := fence(ctx, l, id)
	switch {
	case a == held:
		return Unknown, nil
	case err != nil:
		return Unknown, err
	case len(r.Incidents) > 0:
		return Mixed, nil
	case a == abort:
		return RolledBack, nil
	case r.Finished:
		return Committed, nil
	}
	return CommittedPending, nil
}
