package sagas

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
)

func TestSaga_DoesItsStepsOnce(t *testing.T) {
	t.Parallel()
	onMixes(t, func(t *testing.T, w *world) {
		first, err := w.run(t.Context(), "x")
		require.NoError(t, err)
		require.Equal(t, "x", first.Owner)
		require.Len(t, first.IDs, 3)
		require.Equal(t, steps, w.owners(t, "x"))
		again, err := w.saga.Run(t.Context(), "x", trip{Owner: "another"})
		require.NoError(t, err, "it is done")
		require.Equal(t, first, again, "with the data that it had")
		require.Empty(t, w.owners(t, "another"))
		_, err = w.run(t.Context(), "x ")
		require.NoError(t, err)
		require.Equal(t, steps, w.owners(t, "x "), "another id")
		w.requireFinished(t)
	})
}

func TestSaga_IsUndoneByAStepThatFails(t *testing.T) {
	t.Parallel()
	onMixes(t, func(t *testing.T, w *world) {
		for _, step := range steps {
			w.on(failing(step), nil)
			data, err := w.run(t.Context(), step)
			var told *dbfleet.SagaError
			require.ErrorAs(t, err, &told)
			require.Equal(t, &dbfleet.SagaError{Saga: "trip", ID: step, Step: step, Undone: true, Err: told.Err}, told)
			require.ErrorIs(t, err, errRefused)
			require.EqualError(t, err, `dbfleet: saga "trip", run "`+step+`", step "`+step+`": undone: not with me`)
			require.Equal(t, trip{Owner: step}, data)
			require.Empty(t, w.owners(t, step))

			w.on(nil, nil)
			_, err = w.run(t.Context(), step)
			require.EqualError(t, err, `dbfleet: saga "trip", run "`+step+`": undone: not with me`, "an id has one outcome")
			require.Empty(t, w.owners(t, step))
		}
		w.requireFinished(t)
	})
}

func TestSaga_IsUndoneByAStepThatPanics(t *testing.T) {
	t.Parallel()
	w := fresh(t, "sqlite")
	w.on(func(_ context.Context, step string) error {
		if step == "b" {
			panic("at \x00\xff")
		}
		return nil
	}, nil)
	_, err := w.run(t.Context(), "x")
	require.ErrorContains(t, err, `run "x", step "b": undone: the function panicked: at`)
	require.Empty(t, w.owners(t, "x"))
	w.requireFinished(t)
}

// What an error says is kept, whatever bytes it has.
func TestSaga_KeepsTheTextOfAFailure(t *testing.T) {
	t.Parallel()
	onMixes(t, func(t *testing.T, w *world) {
		w.on(func(_ context.Context, step string) error {
			if step == "c" {
				return errors.New("zero \x00, broken \xff, long " + strings.Repeat("é", 5000))
			}
			return nil
		}, failing("a"))
		_, err := w.run(t.Context(), "x")
		var told *dbfleet.SagaError
		require.ErrorAs(t, err, &told)
		require.False(t, told.Undone)
		list, err := w.saga.Unfinished(t.Context(), 10)
		require.NoError(t, err)
		require.Len(t, list, 1)
		require.Contains(t, list[0].Failure, "zero \uFFFD, broken \uFFFD, long éé")
	})
}

func TestSaga_AnUndoThatFailsIsTriedAgain(t *testing.T) {
	t.Parallel()
	onMixes(t, func(t *testing.T, w *world) {
		for _, step := range []string{"a", "b"} {
			w.on(failing("c"), failing(step))
			_, err := w.run(t.Context(), step)
			var told *dbfleet.SagaError
			require.ErrorAs(t, err, &told)
			require.False(t, told.Undone)
			require.Equal(t, step, told.Step)
			require.ErrorContains(t, err, "not finished; Resume goes on")
			require.Equal(t, steps[:strings.Index("abc", step)+1], w.owners(t, step), "those before it are as they were")

			list, err := w.saga.Unfinished(t.Context(), 10)
			require.NoError(t, err)
			require.Len(t, list, 1)
			require.Equal(t, step, list[0].ID)
			require.True(t, list[0].Undoing)
			require.Equal(t, "not with me", list[0].Failure)
			require.WithinDuration(t, time.Now(), list[0].BegunAt, time.Hour)

			n, err := w.saga.Resume(t.Context(), 0)
			require.ErrorIs(t, err, errRefused)
			require.Zero(t, n)
			w.on(nil, nil)
			n, err = w.saga.Resume(t.Context(), 0)
			require.NoError(t, err)
			require.Equal(t, 1, n)
			require.Empty(t, w.owners(t, step), "a step that has failed once is not done again")
			_, err = w.run(t.Context(), step)
			require.ErrorAs(t, err, &told)
			require.True(t, told.Undone)
		}
		w.requireFinished(t)
	})
}

// The end of the caller's context is no failure of a step.
func TestSaga_GoesOnAfterTheEndOfAContext(t *testing.T) {
	t.Parallel()
	onMixes(t, func(t *testing.T, w *world) {
		for _, at := range steps {
			ctx, cancel := context.WithCancel(t.Context())
			w.on(func(ctx context.Context, step string) error {
				if step == at {
					cancel()
				}
				return ctx.Err()
			}, nil)
			_, err := w.run(ctx, at)
			require.ErrorIs(t, err, context.Canceled)
			var told *dbfleet.SagaError
			require.ErrorAs(t, err, &told)
			require.False(t, told.Undone)
			w.on(nil, nil)
			n, err := w.saga.Resume(t.Context(), 0)
			require.NoError(t, err)
			require.Equal(t, 1, n)
			require.Equal(t, steps, w.owners(t, at))
		}
		w.requireFinished(t)
	})
}

func TestSaga_ForgetsWhatHasEnded(t *testing.T) {
	t.Parallel()
	onMixes(t, func(t *testing.T, w *world) {
		_, err := w.run(t.Context(), "done")
		require.NoError(t, err)
		w.on(failing("b"), nil)
		_, err = w.run(t.Context(), "undone")
		require.Error(t, err)
		w.on(failing("b"), failing("a"))
		_, err = w.run(t.Context(), "unfinished")
		require.Error(t, err)

		n, err := w.saga.Forget(t.Context(), time.Hour)
		require.NoError(t, err)
		require.Zero(t, n)
		_, err = w.DB("a").Table("dbfleet_sagas").AllRows().Update(t.Context(), dbfleet.Row{"moved_at": time.Now().Add(-2 * time.Hour)})
		require.NoError(t, err)
		n, err = w.saga.Forget(t.Context(), time.Hour)
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		for _, step := range steps {
			left, err := w.DB(step).Table("dbfleet_sagas_steps").Where("id", "<>", "unfinished").Count(t.Context())
			require.NoError(t, err)
			require.Zero(t, left)
		}
		w.on(nil, nil)
		n2, err := w.saga.Resume(t.Context(), 0)
		require.NoError(t, err)
		require.Equal(t, 1, n2)
		require.Empty(t, w.owners(t, "unfinished"))
	})
}

func TestSaga_SaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	w := fresh(t, "sqlite")
	ok := dbfleet.SagaStep[trip]{Name: "one", Connection: "a", Do: func(context.Context, *trip) error { return nil }}
	change := func(f func(s *dbfleet.SagaStep[trip])) dbfleet.SagaStep[trip] {
		s := ok
		f(&s)
		return s
	}
	for want, steps := range map[string][]dbfleet.SagaStep[trip]{
		`dbfleet: NewSaga: saga "s" has no steps`:                                                     nil,
		`dbfleet: NewSaga: saga "s", step 1 (""): its Name is empty`:                                  {change(func(s *dbfleet.SagaStep[trip]) { s.Name = "" })},
		`dbfleet: NewSaga: saga "s", step 2 ("one"): its Name is taken`:                               {ok, ok},
		`dbfleet: NewSaga: saga "s", step 1 ("one"): Do is nil`:                                       {change(func(s *dbfleet.SagaStep[trip]) { s.Do = nil })},
		`dbfleet: NewSaga: saga "s", step 1 ("one"): Retries is 11, not 0 to 10`:                      {change(func(s *dbfleet.SagaStep[trip]) { s.Retries = 11 })},
		`dbfleet: NewSaga: saga "s", step 1 ("one"): unknown connection "x"; known are "a", "b", "c"`: {change(func(s *dbfleet.SagaStep[trip]) { s.Connection = "x" })},
	} {
		_, err := dbfleet.NewSaga(w.Registry, dbfleet.SagaConfig{Name: "s", Connection: "a"}, steps...)
		require.EqualError(t, err, want)
	}
	_, err := dbfleet.NewSaga(w.Registry, dbfleet.SagaConfig{Connection: "a"}, ok)
	require.EqualError(t, err, `dbfleet: NewSaga: the saga's Name is empty`)
	_, err = w.run(t.Context(), "")
	require.EqualError(t, err, `dbfleet: saga "trip": the run's id is empty`)
	_, err = w.run(t.Context(), strings.Repeat("x", 256))
	require.EqualError(t, err, `dbfleet: saga "trip": the run's id has more than 255 characters`)
	_, err = w.run(t.Context(), "\xff")
	require.ErrorContains(t, err, `the run's id is no text`)
	_, err = w.saga.Resume(t.Context(), -1)
	require.EqualError(t, err, `dbfleet: saga "trip": the time without a move is negative`)
	require.NoError(t, w.Transaction(t.Context(), "b", func(ctx context.Context, _ *dbfleet.Tx) error {
		_, err := w.run(ctx, "x")
		require.EqualError(t, err, `dbfleet: saga "trip": the context carries a transaction on connection "b"; a saga has its own`)
		_, err = w.saga.Resume(ctx, 0)
		require.ErrorContains(t, err, `a saga has its own`)
		return nil
	}))
	require.NoError(t, w.Close())
	_, err = w.run(t.Context(), "x")
	require.ErrorIs(t, err, dbfleet.ErrClosed)
}

func TestSaga_NamesTheTableThatIsMissing(t *testing.T) {
	t.Parallel()
	onMixes(t, func(t *testing.T, w *world) {
		last := steps[len(steps)-1]
		drop := func(step, table string) {
			_, err := w.DB(step).ExecContext(t.Context(), "DROP TABLE "+table)
			require.NoError(t, err)
		}
		missing := func(err error, connection, table string) {
			t.Helper()
			if w.DB(connection).Driver() != dbfleet.SQLite {
				require.ErrorIs(t, err, dbfleet.ErrUndefined)
			}
			require.ErrorContains(t, err, `connection "`+connection+`" has no table "`+table+`" for the saga`)
			require.ErrorContains(t, err, "Saga.CreateTables makes it")
		}
		drop(last, "dbfleet_sagas_steps")
		_, err := w.run(t.Context(), "without the steps' table")
		missing(err, w.firstWithout(t, "dbfleet_sagas_steps"), "dbfleet_sagas_steps")
		require.ErrorContains(t, err, "not finished; Resume goes on")
		_, err = w.saga.Resume(t.Context(), 0)
		missing(err, w.firstWithout(t, "dbfleet_sagas_steps"), "dbfleet_sagas_steps")
		require.NoError(t, w.saga.CreateTables(t.Context()))
		n, err := w.saga.Resume(t.Context(), 0)
		require.NoError(t, err)
		require.Equal(t, 1, n)

		drop("a", "dbfleet_sagas")
		_, err = w.run(t.Context(), "without the table of runs")
		missing(err, "a", "dbfleet_sagas")
		require.ErrorContains(t, err, ": not begun: ")
		_, err = w.saga.Resume(t.Context(), 0)
		missing(err, "a", "dbfleet_sagas")
		_, err = w.saga.Unfinished(t.Context(), 1)
		missing(err, "a", "dbfleet_sagas")
		_, err = w.saga.Forget(t.Context(), 1)
		missing(err, "a", "dbfleet_sagas")
	})
}

// firstWithout is the first step whose database lacks a table.
func (w *world) firstWithout(t *testing.T, table string) string {
	t.Helper()
	for _, step := range steps {
		if _, err := w.DB(step).ExecContext(t.Context(), "SELECT 1 FROM "+table); err != nil {
			return step
		}
	}
	return ""
}
