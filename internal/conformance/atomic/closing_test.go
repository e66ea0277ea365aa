package atomic

import (
	"context"
	"crypto/rand"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// onlooker is a registry of another process, as it were.
func (f *fleet) onlooker(t *testing.T) *dbfleet.Registry {
	t.Helper()
	connections := map[string]dbfleet.ConnectionConfig{}
	for _, name := range f.names {
		connections[name] = conformance.ConnectionTo(f.databases[name])
	}
	return conformance.Open(t, connections)
}

// commits runs n atomic commits, several at once.
func (f *fleet) commits(t *testing.T, n, atOnce int) {
	t.Helper()
	var group sync.WaitGroup
	errs := make(chan error, n)
	for w := range atOnce {
		group.Go(func() {
			for range (n - w + atOnce - 1) / atOnce {
				owner := rand.Text()
				errs <- f.Atomic(t.Context(), f.names, func(ctx context.Context) error { return f.write(ctx, owner, f.names...) })
			}
		})
	}
	group.Wait()
	close(errs)
	for err := range errs {
		require.NoError(t, err)
	}
}

// The record of a commit is closed after its caller has gone on. This process never shows
// it as in doubt, others for a moment, and nobody once the registry is closed.
func TestAtomic_ClosesItsRecordsByItself(t *testing.T) {
	t.Parallel()
	onMixes(t, func(t *testing.T, f *fleet) {
		others := f.onlooker(t)
		for range 3 {
			f.commits(t, 1, 1)
			f.clean(t)
		}
		f.commits(t, 150, 8)
		f.clean(t)
		require.Empty(t, f.Health(t.Context()).InDoubt)

		f.commits(t, 20, 1)
		require.Eventually(t, func() bool {
			list, err := others.InDoubt(t.Context())
			require.NoError(t, err)
			for _, d := range list {
				require.True(t, d.Commits, "%+v", d)
				require.Empty(t, d.Prepared)
			}
			return len(list) == 0
		}, 10*time.Second, time.Millisecond)

		f.commits(t, 5, 5)
		require.NoError(t, f.Close())
		list, err := others.InDoubt(t.Context())
		require.NoError(t, err)
		require.Empty(t, list)
		done, err := others.Recover(t.Context())
		require.NoError(t, err)
		require.Equal(t, dbfleet.Recovery{}, done)
	})
}

// Who recovers beside commits whose records are still open undoes nothing. It may commit a
// branch that its own process is about to.
func TestAtomic_RecoveriesBesideItsClosingChangeNothing(t *testing.T) {
	t.Parallel()
	onMixes(t, func(t *testing.T, f *fleet) {
		others := f.onlooker(t)
		over := make(chan struct{})
		var group sync.WaitGroup
		group.Go(func() {
			for {
				select {
				case <-over:
					return
				default:
				}
				for _, r := range []*dbfleet.Registry{others, f.Registry} {
					done, err := r.Recover(t.Context())
					if err != nil || len(done.Incidents)+len(done.Undecidable)+done.RolledBack > 0 {
						t.Errorf("%+v, %v", done, err)
						return
					}
				}
			}
		})
		f.commits(t, 60, 3)
		close(over)
		group.Wait()
		require.NoError(t, f.Close())
		list, err := others.InDoubt(t.Context())
		require.NoError(t, err)
		require.Empty(t, list)
	})
}

// A database that does not answer for a moment is asked again: no recovery is needed for
// what is committed everywhere.
func TestAtomic_ClosesItsRecordsWhenTheAnchorIsBack(t *testing.T) {
	t.Parallel()
	for _, mix := range [][]string{{"postgres", "mysql"}, {"mysql", "postgres"}} {
		t.Run(fmtMix(mix), func(t *testing.T) {
			t.Parallel()
			f := open(t, mix...)
			others := f.onlooker(t)
			proxy := dbtest.NewProxy(t, f.databases["a"].Server.Addr())
			through := conformance.Open(t, map[string]dbfleet.ConnectionConfig{
				"a": conformance.ConnectionTo(proxy.Through(f.databases["a"])), "b": conformance.ConnectionTo(f.databases["b"]),
			})
			accounts := func(name string) *dbfleet.Model[conformance.Account] {
				return conformance.Model[conformance.Account](t, through, dbfleet.ModelConfig{Table: "accounts", Connection: name})
			}
			a, b := accounts("a"), accounts("b")
			require.NoError(t, through.Atomic(t.Context(), []string{"a", "b"}, func(ctx context.Context) error {
				if err := a.Create(ctx, &conformance.Account{Owner: "late"}); err != nil {
					return err
				}
				return b.Create(ctx, &conformance.Account{Owner: "late"})
			}))
			proxy.Refuse()
			proxy.Cut()
			time.AfterFunc(200*time.Millisecond, proxy.Heal)
			require.Eventually(t, func() bool {
				list, err := others.InDoubt(t.Context())
				require.NoError(t, err)
				return len(list) == 0
			}, closingIsTried, 5*time.Millisecond)
		})
	}
}

// closingIsTried is longer than a record's closing is tried.
const closingIsTried = 10 * time.Second

// A transaction that has the only connection of a pool keeps the record of a commit from
// being closed. What asks for doubts in its function does not wait for that.
func TestInDoubt_DoesNotWaitForTheTransactionThatAsks(t *testing.T) {
	t.Parallel()
	databases := map[string]dbtest.Database{"a": dbtest.New(t, "postgres"), "b": dbtest.New(t, "mysql")}
	connections := map[string]dbfleet.ConnectionConfig{}
	for name, db := range databases {
		db.Exec(t, conformance.DDL(db.Dialect, conformance.AccountsTable))
		config := conformance.ConnectionTo(db)
		config.Pool.MaxOpen = 1
		connections[name] = config
	}
	r := conformance.Open(t, connections)
	for _, order := range [][]string{{"a", "b"}, {"b", "a"}} {
		for _, in := range order {
			require.NoError(t, r.Atomic(t.Context(), order, func(ctx context.Context) error {
				for _, name := range order {
					if _, err := r.DB(name).ExecContext(ctx, conformance.Inserting(rand.Text())); err != nil {
						return err
					}
				}
				return nil
			}))
			require.NoError(t, r.Transaction(t.Context(), in, func(ctx context.Context, _ *dbfleet.Tx) error {
				bounded, cancel := context.WithTimeout(ctx, 4*time.Second) // less than a closing is tried, and a pool is waited for
				defer cancel()
				_, err := r.InDoubt(bounded)
				require.ErrorIs(t, err, dbfleet.ErrBusy)
				_, err = r.Recover(bounded)
				require.ErrorIs(t, err, dbfleet.ErrBusy)
				require.NotErrorIs(t, err, context.DeadlineExceeded)
				require.NotErrorIs(t, err, dbfleet.ErrAcquireTimeout)
				require.NoError(t, bounded.Err())
				return nil
			}))
		}
	}
	list, err := r.InDoubt(t.Context())
	require.NoError(t, err)
	require.Empty(t, list)
}
