package dbfleet

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/dbfleet/dbfleet/internal/driver"
)

// attempts runs the transaction, again as often as the options allow. All attempts are
// one work: the end of the registry waits for the last of them.
func (db *DB) attempts(ctx context.Context, fn func(context.Context, *Tx) error, o TxOptions) error {
	e, err := db.reg.useFor(ctx, db.name)
	if err != nil {
		return err
	}
	defer e.leave()
	for attempt := 0; ; attempt++ {
		err := e.attempt(ctx, fn, o)
		if err == nil || attempt >= o.Retries || !o.again(err) || !pause(ctx, attempt) {
			return err
		}
	}
}

// again says that a transaction which failed with err may be run again: nothing of it is
// committed, and another attempt may succeed.
func (o *TxOptions) again(err error) bool {
	return IsRetryable(err) || o.RetryStale && errors.Is(err, ErrStaleRecord) && allUndone(err)
}

// pause waits before another attempt: about 5 ms, doubling up to half a
// second, each between half and all of that. It reports false, at once, if ctx ends
// within the pause.
func pause(ctx context.Context, attempt int) bool {
	d := min(5*time.Millisecond<<attempt, 500*time.Millisecond)
	d = d/2 + rand.N(d/2)
	if end, ok := ctx.Deadline(); ctx.Err() != nil || ok && time.Until(end) <= d {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// afterRollback is the error of a transaction that failed with err and was rolled back:
// with what ROLLBACK said, if that is that there was nothing left to roll back, and err
// does not match ErrTxLost for it. The driver's own error, that of rows and of prepared
// statements, matches nothing.
func afterRollback(err, backErr error) error {
	if !driver.EndedUnasked(backErr) || driver.EndedUnasked(err) && errors.Is(err, ErrTxLost) {
		return err
	}
	return fmt.Errorf("%w; %w", err, backErr)
}

// afterBack is the error of a savepoint that failed with err, in one line: with what
// the way back to the savepoint said.
func afterBack(err, backErr error) error {
	var lost *driver.TxLostError
	switch {
	case backErr == nil, errors.Is(backErr, ErrTxDone):
		return err
	case errors.As(backErr, &lost) && lost.Err != nil && errors.Is(err, lost.Err):
		return &alsoLost{err, backErr}
	}
	return fmt.Errorf("%w; %w", err, backErr)
}

// alsoLost is an error that has ended the whole transaction, of which the way back to a
// savepoint could only repeat it.
type alsoLost struct{ err, lost error }

func (e *alsoLost) Error() string { return e.err.Error() + "; the transaction is lost" }

func (e *alsoLost) Unwrap() []error { return []error{e.err, e.lost} }
