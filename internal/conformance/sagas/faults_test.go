package sagas

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// Several processes run the same id: its steps are done once, or undone once, and all
// of them hear the same.
func TestSaga_SeveralProcessesRunTheSameID(t *testing.T) {
	t.Parallel()
	onMixes(t, func(t *testing.T, w *world) {
		processes := []*world{w, open(t, w.databases), open(t, w.databases)}
		const rounds = 6
		for round := range rounds {
			fails := round%2 == 1 // in one of the processes
			processes[0].on(nil, nil)
			if fails {
				processes[0].on(failing(steps[round/2]), nil)
			}
			id := fmt.Sprint(round)
			errs := make([]error, len(processes))
			var group sync.WaitGroup
			for i, p := range processes {
				group.Go(func() { _, errs[i] = p.run(t.Context(), id) })
			}
			group.Wait()
			for _, err := range errs {
				var told *dbfleet.SagaError
				switch {
				case errs[0] == nil:
					require.NoError(t, err)
				default:
					require.True(t, fails, err)
					require.ErrorAs(t, err, &told)
					require.True(t, told.Undone, err)
				}
			}
			want := []string{}
			if errs[0] == nil {
				want = steps
			}
			require.Equal(t, want, w.owners(t, id))
		}
		w.requireFinished(t)
	})
}

// throughProxy is a world one step of which is on a server behind a proxy.
func throughProxy(t *testing.T, step, dialect string) (*world, *dbtest.Proxy) {
	t.Helper()
	mix := []string{"sqlite", "sqlite", "sqlite"}
	mix[slices.Index(steps, step)] = dialect
	w := fresh(t, mix...)
	proxy := dbtest.NewProxy(t, w.databases[step].Server.Addr())
	connections := map[string]dbfleet.ConnectionConfig{}
	for name, db := range w.databases {
		connections[name] = conformance.ConnectionTo(db)
	}
	connections[step] = conformance.ConnectionTo(proxy.Through(w.databases[step]))
	return over(t, w.databases, connections), proxy
}

// onProxies runs f on a world whose step b is behind a proxy.
func onProxies(t *testing.T, f func(t *testing.T, w *world, proxy *dbtest.Proxy)) {
	t.Helper()
	for _, dialect := range []string{"postgres", "mysql"} {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			w, proxy := throughProxy(t, "b", dialect)
			f(t, w, proxy)
		})
	}
}

// A lost answer to a change of the run itself is settled by its row.
func TestSaga_SettlesALostAnswerToItsOwnState(t *testing.T) {
	t.Parallel()
	for _, dialect := range []string{"postgres", "mysql"} {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			w, proxy := throughProxy(t, "a", dialect)
			w.on(failing("b"), nil)
			for i, action := range []dbtest.Action{dbtest.CutReply, dbtest.CutRequest} {
				id := fmt.Sprint(i)
				lost := proxy.On(dbtest.Fault{Marker: "undoing", Action: action, Times: 1})
				_, err := w.run(t.Context(), id)
				var told *dbfleet.SagaError
				require.ErrorAs(t, err, &told)
				require.True(t, told.Undone, err)
				require.Empty(t, w.owners(t, id))
				<-lost.Fired()
			}
			w.requireFinished(t)
		})
	}
}

// A process whose step has failed finds that another has done it meanwhile, and all that
// is behind it: the run is done.
func TestSaga_IsNotUndoneOnceItIsDone(t *testing.T) {
	t.Parallel()
	onMixes(t, func(t *testing.T, w *world) {
		other := open(t, w.databases)
		w.on(failing("c"), nil)
		finished := false
		w.OnAfterQuery(func(_ context.Context, e dbfleet.QueryEvent) {
			if e.Op == "rollback" && !finished {
				finished = true
				n, err := other.saga.Resume(t.Context(), 0)
				if err != nil || n != 1 {
					t.Error(n, err)
				}
			}
		})
		_, err := w.run(t.Context(), "x")
		require.True(t, finished)
		require.NoError(t, err)
		require.Equal(t, steps, w.owners(t, "x"))
		w.requireFinished(t)
	})
}

// A lost answer to COMMIT is settled by the row of the step, whether it was committed
// or not, of a Do and of an Undo.
func TestSaga_SettlesALostAnswerToCommit(t *testing.T) {
	t.Parallel()
	onProxies(t, func(t *testing.T, w *world, proxy *dbtest.Proxy) {
		for i, action := range []dbtest.Action{dbtest.CutReply, dbtest.CutRequest} {
			id := fmt.Sprint("done ", i)
			lost := proxy.On(dbtest.Fault{Marker: "COMMIT", Action: action, Times: 1})
			_, err := w.run(t.Context(), id)
			require.NoError(t, err)
			require.Equal(t, steps, w.owners(t, id))
			<-lost.Fired()

			id = fmt.Sprint("undone ", i)
			var undo *dbtest.Trigger
			w.on(func(ctx context.Context, step string) error {
				if step == "c" {
					undo = proxy.On(dbtest.Fault{Marker: "COMMIT", Action: action, Times: 1})
				}
				return failing("c")(ctx, step)
			}, nil)
			_, err = w.run(t.Context(), id)
			w.on(nil, nil)
			var told *dbfleet.SagaError
			require.ErrorAs(t, err, &told)
			require.True(t, told.Undone, err)
			require.Empty(t, w.owners(t, id))
			<-undo.Fired()
		}
		w.requireFinished(t)
	})
}

// A database that cannot be reached before a step begins undoes nothing: the step has
// not said no.
func TestSaga_WaitsForADatabaseThatCannotBeReached(t *testing.T) {
	t.Parallel()
	onProxies(t, func(t *testing.T, w *world, proxy *dbtest.Proxy) {
		proxy.Refuse()
		_, err := w.run(t.Context(), "x")
		var told *dbfleet.SagaError
		require.ErrorAs(t, err, &told)
		require.False(t, told.Undone)
		require.Equal(t, "b", told.Step)
		require.Equal(t, []string{"a"}, w.owners(t, "x"))
		n, err := w.saga.Resume(t.Context(), 0)
		require.Error(t, err)
		require.Zero(t, n)
		proxy.Heal()
		n, err = w.saga.Resume(t.Context(), 0)
		require.NoError(t, err)
		require.Equal(t, 1, n)
		require.Equal(t, steps, w.owners(t, "x"))
		w.requireFinished(t)
	})
}

// Each statement of a step loses its connection once.
func TestSaga_HoldsWhileConnectionsAreCut(t *testing.T) {
	t.Parallel()
	onProxies(t, func(t *testing.T, w *world, proxy *dbtest.Proxy) {
		for n := 1; ; n++ {
			require.Less(t, n, 60)
			id := fmt.Sprint(n)
			var sent atomic.Int64
			stop := w.OnAfterQuery(func(_ context.Context, e dbfleet.QueryEvent) {
				if e.Route.Connection == "b" && sent.Add(1) == int64(n) {
					proxy.Cut()
				}
			})
			_, err := w.run(t.Context(), id)
			stop()
			if err != nil {
				_, resumeErr := w.saga.Resume(t.Context(), 0)
				require.NoError(t, resumeErr)
			}
			got := w.owners(t, id)
			require.True(t, len(got) == 0 || len(got) == 3, "%v after %v", got, err)
			if err == nil {
				require.Len(t, got, 3)
			}
			w.requireFinished(t)
			if sent.Load() < int64(n) {
				return
			}
		}
	})
}

// Two processes find a run that is alive after all, in the middle of a step: they wait
// for it, and all see it done.
func TestSaga_IsResumedBesideALiveRun(t *testing.T) {
	t.Parallel()
	onProxies(t, func(t *testing.T, w *world, _ *dbtest.Proxy) {
		db := w.databases["b"]
		if db.Dialect == "postgres" { // the stricter one, where a row that came late is not seen
			_, err := db.Server.Admin().ExecContext(t.Context(), `ALTER ROLE "`+db.Username+`" SET default_transaction_isolation = 'repeatable read'`)
			require.NoError(t, err)
		}
		const others = 2
		resumed := make(chan error, others)
		w.on(func(ctx context.Context, step string) error {
			if step != "b" {
				return nil
			}
			for range others {
				other := open(t, w.databases)
				go func() {
					_, err := other.saga.Resume(t.Context(), 0)
					resumed <- err
				}()
			}
			for deadline := time.Now().Add(time.Minute); len(conformance.Waiting(t, db)) < others; {
				if time.Now().After(deadline) {
					return context.DeadlineExceeded
				}
				select {
				case <-time.After(conformance.WaitingTick):
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			return nil
		}, nil)
		_, err := w.run(t.Context(), "x")
		require.NoError(t, err)
		for range others {
			require.NoError(t, <-resumed)
		}
		require.Equal(t, steps, w.owners(t, "x"))
		w.requireFinished(t)
	})
}

// A process that hangs in a step is overtaken by one that undoes the run; what it does
// afterwards has no effect.
func TestSaga_AStepHasNoEffectAfterItsUndo(t *testing.T) {
	t.Parallel()
	onMixes(t, func(t *testing.T, w *world) {
		other := open(t, w.databases)
		other.on(failing("b"), nil)
		// The first is between its steps a and b when the other undoes all.
		stopped := false
		w.OnAfterQuery(func(_ context.Context, e dbfleet.QueryEvent) {
			if !stopped && e.Op == "commit" {
				stopped = true
				n, err := other.saga.Resume(t.Context(), 0)
				if err != nil || n != 1 {
					t.Error(n, err)
				}
			}
		})
		_, err := w.run(t.Context(), "x")
		require.True(t, stopped)
		var told *dbfleet.SagaError
		require.ErrorAs(t, err, &told)
		require.True(t, told.Undone)
		require.Empty(t, w.owners(t, "x"))
		w.requireFinished(t)
	})
}
