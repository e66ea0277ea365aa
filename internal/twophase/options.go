package twophase

import (
	"context"
	"fmt"
	"time"
)

// Options are the settings of Commit and Recover.
type Options struct {
	// Bound is how long Commit goes on once the COMMIT of the anchor is sent or a
	// rollback has begun, whatever becomes of its context.
	//
	// Defaults to 5 s.
	Bound time.Duration

	// Retention is how long Recover leaves finished records and their markers: longer
	// than a replica is ever behind that may be promoted, and than anyone asks for an ID.
	//
	// Defaults to 7 days; -1 keeps them for ever.
	Retention time.Duration

	// Step, if set, is called before and after each command, at once by several
	// goroutines. Tests stop the process in it.
	Step func(Step)

	// Committed, if set, is told the ID of a transaction that is committed at every
	// branch, and Commit does not close its record: whoever takes it may close many at
	// once with Ledger.Finish, or leave it to a recoverer.
	Committed func(ID)

	wait func(ctx context.Context, attempt int) // before a repetition; for tests
}

// With is ctx in which Commit and Recover have the Step and the Bound of these options.
// So tests that come through the whole of the library stop it at a step.
func With(ctx context.Context, o Options) context.Context {
	return context.WithValue(ctx, optionsKey{}, o)
}

type optionsKey struct{}

// chosen are the options that are given, with the Step and the Bound of the context's.
func chosen(ctx context.Context, given []Options) (o Options) {
	if len(given) > 0 {
		o = given[0]
	}
	if of, ok := ctx.Value(optionsKey{}).(Options); ok {
		o.Step, o.Bound = of.Step, of.Bound
	}
	return o.withDefaults()
}

func (o Options) withDefaults() Options {
	if o.Bound == 0 {
		o.Bound = 5 * time.Second
	}
	if o.Retention == 0 {
		o.Retention = 7 * 24 * time.Hour
	}
	if o.wait == nil {
		o.wait = BackOff
	}
	return o
}

// BackOff waits before repetition number attempt, which counts from 1: 10 ms, then twice as
// long each time, half a second at most, or until ctx ends.
func BackOff(ctx context.Context, attempt int) {
	timer := time.NewTimer(min(10*time.Millisecond<<min(attempt-1, 10), 500*time.Millisecond))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// patience is how long databases are waited for that are asked at once, if no deadline says.
const patience = 30 * time.Second

// Share is ctx for a round of questions to all databases at once: it ends at half of the
// time that ctx has left, so that one which does not answer leaves time for the others.
func Share(ctx context.Context) (context.Context, context.CancelFunc) {
	left := patience
	if deadline, ok := ctx.Deadline(); ok {
		left = time.Until(deadline) / 2
	}
	return context.WithTimeout(ctx, left)
}

// A Step is a moment in the life of a coordinator or a recoverer: just before a command
// is sent, or just after its answer has come.
type Step struct {
	After   bool
	Op      Op
	Number  int // the branch, 0 for the anchor and for ledgers; in a recovery 0 if it is any
	Attempt int // counts from 0
}

// String is like "before prepare 1", "after commit 0", "before commit prepared 2 again".
func (s Step) String() string {
	when, again := "before", ""
	if s.After {
		when = "after"
	}
	if s.Attempt > 0 {
		again = " again"
	}
	return fmt.Sprintf("%s %s %d%s", when, s.Op, s.Number, again)
}
