package atomic

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// guarded calls do, and returns how it ended: nil if it returned, or what it panicked
// with, or "exit" where it ended its goroutine.
func guarded(do func() error) (ended any, err error) {
	over := make(chan struct{})
	go func() {
		defer close(over)
		defer func() {
			if v := recover(); v != nil {
				ended = v
			}
		}()
		ended = "exit"
		err = do()
		ended = nil
	}()
	<-over
	return ended, err
}

type kept struct{}

// A hook that panics anywhere, or ends its goroutine, leaves all or none, and no
// connection in use; and so ends who has called Atomic.
func TestHooks_OneThatNeverReturnsLeavesAllOrNone(t *testing.T) {
	t.Parallel()
	for way, leave := range map[string]func(){"hook": func() { panic("hook") }, "exit": runtime.Goexit} {
		for _, mix := range [][]string{{"postgres", "mysql"}, {"mysql", "postgres"}, {"sqlite", "postgres", "mysql"}} {
			t.Run(way+"/"+fmtMix(mix), func(t *testing.T) {
				t.Parallel()
				neverReturns(t, mix, way, leave)
			})
		}
	}
}

func neverReturns(t *testing.T, mix []string, way string, leave func()) {
	t.Helper()
	s := newStage(t, mix, created)
	for i, op := range []string{"begin", "exec", "decide", "mark", "prepare", "commit", "commit prepared", "rollback prepared", "rollback"} {
		for _, after := range []bool{false, true} {
			p := writes
			if op == "rollback" || op == "rollback prepared" {
				p = refuses
			}
			owner := fmt.Sprintf("%s %d %v", way, i, after)
			s.owner(t, owner)
			hook := dbfleet.QueryHook{Before: func(ctx context.Context, e dbfleet.QueryEvent) context.Context {
				if !after && e.Op == op {
					leave()
				}
				return ctx
			}, After: func(_ context.Context, e dbfleet.QueryEvent) {
				if after && e.Op == op {
					leave()
				}
			}}
			remove := s.OnQuery(hook)
			began := time.Now()
			ended, err := guarded(func() error {
				return goAlong(t.Context(), s.Registry, s.names, s.mix, p, owner)
			})
			took := time.Since(began)
			remove()
			require.Less(t, took, 9*time.Second, "%s, after %v: %v", op, after, err)
			conformance.RequireIdleSoon(t, s.Registry)
			s.recovered(t)
			got := s.outcomeOf(t, p, owner)
			want := "none"
			if op == "commit" && after || op == "commit prepared" {
				want = "all"
			}
			require.Equal(t, want, got, "%s, after %v: %v", op, after, err)
			if op != "rollback prepared" || s.mix[0] == "postgres" { // there is not always one
				require.Equal(t, way, ended, "%s, after %v: %v", op, after, err)
			}
		}
	}
}

// Hooks see the caller's values at each statement of the commit.
func TestHooks_SeeTheContextOfTheCaller(t *testing.T) {
	t.Parallel()
	onMixes(t, func(t *testing.T, f *fleet) {
		var mu sync.Mutex
		seen := map[string]int{}
		f.OnBeforeQuery(func(ctx context.Context, e dbfleet.QueryEvent) context.Context {
			mu.Lock()
			defer mu.Unlock()
			if ctx.Value(kept{}) == "here" {
				seen[e.Op]++
			} else {
				seen["without"]++
			}
			return ctx
		})
		ctx := context.WithValue(t.Context(), kept{}, "here")
		require.NoError(t, f.Atomic(ctx, f.names, func(ctx context.Context) error { return f.write(ctx, "x", f.names...) }))
		n := len(f.names)
		require.Equal(t, map[string]int{"begin": n, "insert": n, "decide": 1, "mark": n - 1, "prepare": n - 1, "commit": 1, "commit prepared": n - 1}, seen)
	})
}

// With one connection for each pool, Atomics wait for each other and end.
func TestPools_OfOneConnectionSuffice(t *testing.T) {
	t.Parallel()
	for _, mix := range mixes {
		t.Run(fmtMix(mix), func(t *testing.T) {
			t.Parallel()
			s := newStage(t, mix, created)
			connections := map[string]dbfleet.ConnectionConfig{}
			for _, name := range s.names {
				c := conformance.ConnectionTo(s.databases[name])
				c.Pool.MaxOpen = 1
				connections[name] = c
			}
			r := conformance.Open(t, connections)
			var group sync.WaitGroup
			errs := make([]error, 8)
			for i := range errs {
				owner := fmt.Sprint("one ", i)
				s.owner(t, owner)
				names, order := s.names, s.mix
				if i%2 == 1 { // in another order
					names, order = reversed(names), reversed(order)
				}
				p := s.paths()[i%len(s.paths())]
				if p == reads {
					p = writes
				}
				group.Go(func() {
					ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
					defer cancel()
					errs[i] = goAlong(ctx, r, names, order, p, owner)
					if p == refuses && told(errs[i]) == "none" {
						errs[i] = nil
					}
				})
				if i == 4 {
					group.Go(func() { _, _ = r.Recover(t.Context()) })
				}
			}
			group.Wait()
			for _, err := range errs {
				require.NoError(t, err)
			}
			s.recovered(t)
		})
	}
}

func reversed(list []string) (out []string) {
	for i := len(list) - 1; i >= 0; i-- {
		out = append(out, list[i])
	}
	return out
}

// A deadlock across databases, which none of them can see, ends with the lock timeout of
// one, and Retries run it again.
func TestRetries_EndADeadlockAcrossDatabases(t *testing.T) {
	t.Parallel()
	s := newStage(t, []string{"postgres", "mysql"}, created)
	s.owner(t, "shared")
	waits := []string{"SET LOCAL lock_timeout = '300ms'", "SET SESSION innodb_lock_wait_timeout = 1"}
	var both sync.WaitGroup
	both.Add(2)
	var group sync.WaitGroup
	errs := make([]error, 2)
	for i := range errs {
		group.Go(func() {
			first := true
			errs[i] = s.Atomic(t.Context(), s.names, func(ctx context.Context) error {
				for n := range 2 {
					at := n ^ i
					for _, text := range []string{waits[at], "UPDATE touched SET n = n + 1 WHERE owner = 'shared'"} {
						if _, err := s.DB(s.names[at]).ExecContext(ctx, text); err != nil {
							return err
						}
					}
					if first {
						first = false
						both.Done()
						both.Wait()
					}
				}
				return nil
			}, dbfleet.TxOptions{Retries: 10})
		})
	}
	group.Wait()
	require.NoError(t, errs[0])
	require.NoError(t, errs[1])
	for _, name := range s.names {
		var n int
		require.NoError(t, s.DB(name).QueryRowContext(t.Context(), "SELECT n FROM touched").Scan(&n))
		require.Equal(t, 2, n, name)
	}
	s.recovered(t)
}

// The ROLLBACKs of an Atomic run at once: a hook's panic there reaches its caller, too.
func TestHooks_APanicAtRollbackReachesTheCaller(t *testing.T) {
	t.Parallel()
	f := open(t, "postgres", "mysql", "sqlite")
	remove := f.OnBeforeQuery(func(ctx context.Context, e dbfleet.QueryEvent) context.Context {
		if e.Op == "rollback" {
			panic("hook")
		}
		return ctx
	})
	require.PanicsWithValue(t, "hook", func() {
		_ = f.Atomic(t.Context(), f.names, func(ctx context.Context) error {
			require.NoError(t, f.write(ctx, "undone", f.names...))
			return errUndo
		})
	})
	remove()
	require.Equal(t, f.everywhere(), f.owners(t))
	f.clean(t)
}
