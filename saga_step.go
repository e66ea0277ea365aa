package dbfleet

import (
	"bytes"
	"context"
	"errors"
)

// errFenced says that a step was undone before it was done: another undoes the run.
var errFenced = errors.New("dbfleet: the step was undone")

// errUnseen says that the row of a step is there, but not for this transaction.
var errUnseen = errors.New("dbfleet: the row of the step was written since the transaction began")

type stepRow struct{ State, Data string }

// stepRows are the rows of steps, where the step has its own.
func (s *saga) stepRows(step *sagaStep) *Query[Row] {
	return step.db.Table(s.config.Table+"_steps").Primary().Where("saga", "=", s.config.Name)
}

func (s *saga) stepRow(step *sagaStep, id string) *Query[Row] {
	return s.stepRows(step).Where("id", "=", id).Where("step", "=", step.name)
}

// claim writes the row of a step, and returns the one that is there if it is. It waits
// for another that has written it and is not committed.
func (s *saga) claim(ctx context.Context, step *sagaStep, id, state string, data []byte) (there *stepRow, err error) {
	insert := func(ctx context.Context, _ *Tx) error {
		_, err := step.db.Table(s.config.Table+"_steps").
			Insert(ctx, Row{"saga": s.config.Name, "id": id, "step": step.name, "state": state, "data": string(data)})
		return err
	}
	if err = step.db.Transaction(ctx, insert); !errors.Is(err, ErrUnique) { // behind a savepoint, for PostgreSQL
		return nil, s.lacks(step.db, s.stepTables(), err)
	}
	q := s.stepRow(step, id)
	if step.db.Driver() != SQLite {
		q = q.ForUpdate() // sees what was committed since the transaction began
	}
	row, err := Into[stepRow](q).First(ctx)
	if errors.Is(err, ErrNotFound) {
		return nil, errUnseen // PostgreSQL, where transactions are REPEATABLE READ by default
	}
	return &row, err
}

// mark changes the row of a step.
func (s *saga) mark(ctx context.Context, step *sagaStep, id, state string, data []byte) error {
	_, err := s.stepRow(step, id).Update(ctx, Row{"state": state, "data": string(data)})
	return err
}

// once runs fn in a transaction of a step, again and again while it is not known what
// has become of it, or while fn fails before it says that it has begun with the step's
// own function. begun is about the last time.
func (s *saga) once(ctx context.Context, step *sagaStep, fn func(ctx context.Context, begin func()) error) (begun bool, err error) {
	for attempt := 0; ; attempt++ {
		begun = false
		err = step.db.Transaction(ctx, func(ctx context.Context, _ *Tx) error {
			begun = false
			return fn(ctx, func() { begun = true })
		}, TxOptions{Retries: step.retries})
		again := errors.Is(err, ErrCommitUnknown) ||
			!begun && (IsRetryable(err) || errors.Is(err, errUnseen) || errors.Is(err, ErrTxLost) || errors.Is(err, ErrConnection) || errors.Is(err, ErrOutcomeUnknown))
		if !again || attempt >= maxRetries || !pause(ctx, attempt) {
			return begun, err
		}
	}
}

// do does a step unless it is done, and returns the data after it. A lost answer to its
// commit is settled by another try: the row says whether it was done. refused says that
// the step has failed by itself, and is not done.
func (s *saga) do(ctx context.Context, step *sagaStep, id string, data []byte) (after []byte, refused bool, err error) {
	begun, err := s.once(ctx, step, func(ctx context.Context, begin func()) error {
		there, err := s.claim(ctx, step, id, sagaDone, data)
		switch {
		case err != nil:
			return err
		case there != nil && there.State == sagaDone:
			after = []byte(there.Data)
			return nil
		case there != nil:
			return errFenced
		}
		begin()
		if after, err = step.do(ctx, data); err != nil || bytes.Equal(after, data) {
			return err
		}
		return s.mark(ctx, step, id, sagaDone, after)
	})
	refused = begun && !errors.Is(err, ErrCommitUnknown) || errors.Is(err, errFenced)
	return after, refused, err
}

// undo undoes a step if it was done.
func (s *saga) undo(ctx context.Context, step *sagaStep, id string, data []byte) error {
	_, err := s.once(ctx, step, func(ctx context.Context, begin func()) error {
		there, err := s.claim(ctx, step, id, sagaUndone, data)
		if err != nil || there == nil || there.State == sagaUndone {
			return err
		}
		begin()
		after := []byte(there.Data)
		if step.undo != nil {
			if after, err = step.undo(ctx, after); err != nil {
				return err
			}
		}
		return s.mark(ctx, step, id, sagaUndone, after)
	})
	return err
}
