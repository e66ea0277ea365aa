package atomic

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// Somebody empties the ledger while a process runs, as who clears all tables of a
// database does. What that process commits from then on is still its deployment's: a
// recovery elsewhere finishes it, or says that a person must decide. Nothing is hidden.
//
// truth 1120
func TestRecover_FindsCommitsOfALedgerThatWasEmptied(t *testing.T) {
	t.Parallel()
	for _, mix := range [][]string{{"postgres", "mysql"}, {"mysql", "postgres"}, {"sqlite", "postgres"}, {"sqlite", "mysql"}} {
		t.Run(fmt.Sprint(mix), func(t *testing.T) {
			t.Parallel()
			names := []string{"a", "b"}
			a, b := dbtest.New(t, mix[0]), dbtest.New(t, mix[1])
			for _, db := range []dbtest.Database{a, b} {
				db.Exec(t, conformance.DDL(db.Dialect, conformance.AccountsTable))
			}
			proxy := dbtest.NewProxy(t, b.Server.Addr())
			r, err := dbfleet.Open(dbfleet.Config{Connections: map[string]dbfleet.ConnectionConfig{
				"a": conformance.ConnectionTo(a), "b": conformance.ConnectionTo(proxy.Through(b)),
			}})
			require.NoError(t, err)
			both := func(r *dbfleet.Registry, owner string) error {
				return r.Atomic(t.Context(), names, func(ctx context.Context) error {
					for _, name := range names {
						if _, err := r.DB(name).ExecContext(ctx, conformance.Inserting(owner)); err != nil {
							return err
						}
					}
					return nil
				})
			}
			require.NoError(t, both(r, "before"))
			list, err := r.InDoubt(t.Context())
			require.NoError(t, err)
			require.Empty(t, list)

			a.Exec(t, "DELETE FROM dbfleet_ledger")
			b.Exec(t, "DELETE FROM dbfleet_ledger")
			finish := map[string]string{"postgres": "COMMIT PREPARED", "mysql": "XA COMMIT"}[b.Dialect]
			proxy.On(dbtest.Fault{Marker: finish, Action: dbtest.CutRequest})
			require.ErrorIs(t, both(r, "after"), dbfleet.ErrCommitPending)
			require.NoError(t, r.Close())
			require.Eventually(t, func() bool { return b.Connections(t) == 0 }, patience, conformance.WaitingTick, "the branch's session has ended")

			other := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"a": conformance.ConnectionTo(a), "b": conformance.ConnectionTo(b)})
			list, err = other.InDoubt(t.Context())
			require.NoError(t, err)
			require.Len(t, list, 1)
			require.Equal(t, []string{"b"}, list[0].Prepared)
			done, err := other.Recover(t.Context())
			require.NoError(t, err)
			require.Equal(t, dbfleet.Recovery{Committed: 1}, done)
			require.Equal(t, []string{"after", "before"}, conformance.Owners(t, a))
			require.Equal(t, []string{"after", "before"}, conformance.Owners(t, b))
			require.NoError(t, both(other, "last"))
			list, err = other.InDoubt(t.Context())
			require.NoError(t, err)
			require.Empty(t, list)
		})
	}
}

// A ledger that is dropped while a process runs is made anew by the next commits but one.
func TestAtomic_MakesALedgerThatWasDroppedAnew(t *testing.T) {
	t.Parallel()
	for _, mix := range [][]string{{"postgres", "mysql"}, {"mysql", "postgres"}} {
		t.Run(fmt.Sprint(mix), func(t *testing.T) {
			t.Parallel()
			a, b := dbtest.New(t, mix[0]), dbtest.New(t, mix[1])
			r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"a": conformance.ConnectionTo(a), "b": conformance.ConnectionTo(b)})
			for _, db := range []dbtest.Database{a, b} {
				db.Exec(t, conformance.DDL(db.Dialect, conformance.AccountsTable))
			}
			both := func(owner string) error {
				return r.Atomic(t.Context(), []string{"a", "b"}, func(ctx context.Context) error {
					for _, name := range []string{"a", "b"} {
						if _, err := r.DB(name).ExecContext(ctx, conformance.Inserting(owner)); err != nil {
							return err
						}
					}
					return nil
				})
			}
			require.NoError(t, both("one"))
			_, err := r.InDoubt(t.Context())
			require.NoError(t, err)
			a.Exec(t, "DROP TABLE dbfleet_ledger")
			b.Exec(t, "DROP TABLE dbfleet_ledger")
			_, err = r.Recover(t.Context())
			require.ErrorIs(t, err, dbfleet.ErrUndefined)
			require.NoError(t, both("two"))
			require.Equal(t, []string{"one", "two"}, conformance.Owners(t, a))
			require.Equal(t, []string{"one", "two"}, conformance.Owners(t, b))
		})
	}
}
