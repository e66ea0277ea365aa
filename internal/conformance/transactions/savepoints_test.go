package transactions

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// hazard 127: nesting makes savepoints and sends no second BEGIN.
func TestTransaction_NestsAsSavepoints(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		accounts := fl.Bank(t)
		var sent []string
		fl.OnAfterQuery(func(_ context.Context, e dbfleet.QueryEvent) {
			if e.Op != "insert" {
				sent = append(sent, e.SQL)
			}
		})
		add := func(ctx context.Context, owner string) {
			require.NoError(t, accounts.Create(ctx, &conformance.Account{Owner: owner}))
		}
		err := fl.Transaction(t.Context(), "", func(ctx context.Context, tx *dbfleet.Tx) error {
			add(ctx, "1")
			require.NoError(t, fl.Transaction(ctx, "main", func(ctx context.Context, _ *dbfleet.Tx) error {
				add(ctx, "1.1")
				require.Equal(t, errUndo, fl.DB("main").Transaction(ctx, func(ctx context.Context, _ *dbfleet.Tx) error {
					add(ctx, "1.1.1")
					return errUndo
				}))
				return fl.Transaction(ctx, "main", func(ctx context.Context, tx *dbfleet.Tx) error {
					add(ctx, "1.1.2")
					return tx.Transaction(ctx, func(ctx context.Context, _ *dbfleet.Tx) error {
						add(ctx, "1.1.2.1")
						return nil
					})
				})
			}))
			require.PanicsWithValue(t, "inside", func() {
				_ = tx.Transaction(ctx, func(ctx context.Context, _ *dbfleet.Tx) error { add(ctx, "1.2"); panic("inside") })
			})
			// An error of the database inside a savepoint is undone with it, on
			// PostgreSQL too.
			err := tx.Transaction(ctx, func(ctx context.Context, _ *dbfleet.Tx) error {
				add(ctx, "1.3")
				return accounts.Create(ctx, &conformance.Account{Owner: "1"})
			})
			require.ErrorIs(t, err, dbfleet.ErrUnique)
			// So is the end of a savepoint's own context.
			inner, cancel := context.WithCancel(ctx)
			err = tx.Transaction(inner, func(ctx context.Context, _ *dbfleet.Tx) error { add(ctx, "1.4"); cancel(); return nil })
			require.ErrorIs(t, err, context.Canceled)
			add(ctx, "1.5")
			return nil
		})
		require.NoError(t, err)
		require.Equal(t, []string{"1", "1.1", "1.1.2", "1.1.2.1", "1.5"}, conformance.Owners(t, fl.Database))
		require.Equal(t, []string{
			"BEGIN", "SAVEPOINT dbfleet_1", "SAVEPOINT dbfleet_2",
			"ROLLBACK TO SAVEPOINT dbfleet_2", "RELEASE SAVEPOINT dbfleet_2",
			"SAVEPOINT dbfleet_3", "SAVEPOINT dbfleet_4", "RELEASE SAVEPOINT dbfleet_4", "RELEASE SAVEPOINT dbfleet_3", "RELEASE SAVEPOINT dbfleet_1",
			"SAVEPOINT dbfleet_5", "ROLLBACK TO SAVEPOINT dbfleet_5", "RELEASE SAVEPOINT dbfleet_5",
			"SAVEPOINT dbfleet_6", "ROLLBACK TO SAVEPOINT dbfleet_6", "RELEASE SAVEPOINT dbfleet_6",
			"SAVEPOINT dbfleet_7", "ROLLBACK TO SAVEPOINT dbfleet_7", "RELEASE SAVEPOINT dbfleet_7",
			"COMMIT",
		}, sent)
		// A failed savepoint whose error is returned ends the whole transaction.
		err = fl.Transaction(t.Context(), "", func(ctx context.Context, tx *dbfleet.Tx) error {
			add(ctx, "2")
			return tx.Transaction(ctx, func(context.Context, *dbfleet.Tx) error { return errUndo })
		})
		require.Equal(t, errUndo, err)
		require.Len(t, conformance.Owners(t, fl.Database), 5)
	})
}

// hazard 130: savepoints end in the reverse order of their beginnings. One
// that would not is refused before anything is sent.
func TestTx_SavepointsOfTwoBranchesDoNotOverlap(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		accounts := fl.Bank(t)
		err := fl.Transaction(t.Context(), "", func(ctx context.Context, tx *dbfleet.Tx) error {
			return tx.Transaction(ctx, func(inner context.Context, _ *dbfleet.Tx) error {
				never := func(context.Context, *dbfleet.Tx) error { t.Error("the closure ran"); return nil }
				require.ErrorIs(t, tx.Transaction(ctx, never), dbfleet.ErrBusy, "the outer handle")
				require.ErrorIs(t, fl.Transaction(ctx, "main", never), dbfleet.ErrBusy, "the outer context")
				// A statement through the outer handle belongs to the innermost savepoint.
				require.NoError(t, accounts.Using(tx).Create(ctx, &conformance.Account{Owner: "outer handle"}))
				return fl.Transaction(inner, "main", func(ctx context.Context, _ *dbfleet.Tx) error {
					return accounts.Create(ctx, &conformance.Account{Owner: "in order"})
				})
			})
		})
		require.NoError(t, err)
		require.Equal(t, []string{"in order", "outer handle"}, conformance.Owners(t, fl.Database))

		// A goroutine that goes on after the savepoint in which it began its own.
		begun, ended := make(chan struct{}), make(chan struct{})
		var late error
		var wg sync.WaitGroup
		err = fl.Transaction(t.Context(), "", func(ctx context.Context, tx *dbfleet.Tx) error {
			require.ErrorIs(t, tx.Transaction(ctx, func(ctx context.Context, tx *dbfleet.Tx) error {
				wg.Go(func() {
					late = tx.Transaction(ctx, func(ctx context.Context, _ *dbfleet.Tx) error {
						close(begun)
						<-ended
						return accounts.Create(ctx, &conformance.Account{Owner: "late"})
					})
				})
				<-begun
				return errUndo
			}), errUndo)
			close(ended)
			wg.Wait()
			return accounts.Create(ctx, &conformance.Account{Owner: "after"})
		})
		require.NoError(t, err)
		require.ErrorIs(t, late, dbfleet.ErrTxDone)
		require.Equal(t, []string{"after", "in order", "outer handle"}, conformance.Owners(t, fl.Database))
	})
}
