package sagas

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// Two processes, with several resumers each, undo the same run at once, some of which are
// refused in the middle: each step that was done is taken back once, and no other is.
func TestSaga_IsUndoneOnceByResumersAtOnce(t *testing.T) {
	t.Parallel()
	onMixes(t, func(t *testing.T, w *world) {
		processes := []*world{open(t, w.databases), open(t, w.databases)}
		const rounds, resumers = 6, 3
		for round := range rounds {
			id := fmt.Sprint("run ", round)
			fails := steps[1+round%2]
			w.on(failing(fails), failing("a"))
			_, err := w.run(t.Context(), id)
			var told *dbfleet.SagaError
			require.ErrorAs(t, err, &told)
			require.False(t, told.Undone, "the undo of a was refused")

			var calls atomic.Int64
			for _, p := range processes {
				p.on(func(context.Context, string) error { return errors.New("it is done again") }, func(ctx context.Context, step string) error {
					if _, err := p.DB(step).ExecContext(ctx, conformance.Inserting("undone "+id+"/"+step)); err != nil {
						return err
					}
					if calls.Add(1)%3 == 1 {
						return errRefused // with what it has written
					}
					return nil
				})
			}
			start := make(chan struct{})
			var group sync.WaitGroup
			for _, p := range processes {
				for range resumers {
					group.Go(func() {
						<-start
						for range 20 {
							if _, err := p.saga.Resume(t.Context(), 0); err == nil {
								return
							}
						}
					})
				}
			}
			close(start)
			group.Wait()
			w.requireFinished(t)
			require.Empty(t, w.owners(t, id))
			// What w itself has undone is not counted: those behind a.
			require.Equal(t, []string{"a"}, w.owners(t, "undone "+id))
			_, err = w.run(t.Context(), id)
			require.ErrorAs(t, err, &told)
			require.True(t, told.Undone)
		}
		for _, p := range processes {
			conformance.RequireIdleSoon(t, p.Registry)
		}
	})
}

// The same of runs all of whose steps are to be undone by who resumes them.
func TestSaga_EachStepIsUndoneOnceByResumersAtOnce(t *testing.T) {
	t.Parallel()
	onMixes(t, func(t *testing.T, w *world) {
		processes := []*world{open(t, w.databases), open(t, w.databases)}
		const rounds, resumers = 6, 3
		for round := range rounds {
			id := fmt.Sprint("run ", round)
			w.on(failing("c"), failing("b"))
			_, err := w.run(t.Context(), id)
			require.Error(t, err)
			for _, p := range processes {
				p.on(nil, func(ctx context.Context, step string) error {
					_, err := p.DB(step).ExecContext(ctx, conformance.Inserting("undone "+id+"/"+step))
					return err
				})
			}
			start := make(chan struct{})
			var group sync.WaitGroup
			for _, p := range processes {
				for range resumers {
					group.Go(func() {
						<-start
						_, err := p.saga.Resume(t.Context(), 0)
						if err != nil {
							t.Error(err)
						}
					})
				}
			}
			close(start)
			group.Wait()
			require.Empty(t, w.owners(t, id))
			undone := w.owners(t, "undone "+id)
			slices.Sort(undone)
			require.Equal(t, []string{"a", "b"}, undone)
		}
		w.requireFinished(t)
	})
}
