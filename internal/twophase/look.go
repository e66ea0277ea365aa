package twophase

import (
	"context"
	"errors"
)

// look asks whether a branch is prepared, and if it is not, whether it is committed. The
// order matters: what is not listed any more is over. A number of 0 stands for any
// branch of the transaction; it returns the one that it found.
func look(ctx context.Context, r Resource, b BranchID) (answer, int, error) {
	list, err := r.Prepared(ctx)
	if err != nil {
		return unknown, 0, err
	}
	for _, p := range list {
		if p.Branch.ID == b.ID && (b.Number == 0 || p.Branch.Number == b.Number) {
			return listed, p.Branch.Number, nil
		}
	}
	marks, err := r.Marked(ctx, b.ID)
	if err != nil {
		return unknown, 0, err
	}
	for _, number := range marks {
		if b.Number == 0 || number == b.Number {
			return marked, number, nil
		}
	}
	return gone, b.Number, nil
}

// fence asks a ledger so that its answer stands.
func fence(ctx context.Context, l Ledger, id ID) (answer, Record, error) {
	r, err := l.Fence(ctx, id)
	switch {
	case errors.Is(err, ErrHeld):
		return held, r, err
	case errors.Is(err, ErrForgotten):
		return forgotten, r, err
	case err != nil:
		return unknown, r, err
	case r.Decision == ToCommit:
		return commit, r, nil
	}
	return abort, r, nil
}
