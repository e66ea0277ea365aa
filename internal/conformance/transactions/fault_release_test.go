package transactions

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// A hook that panics after the answer to RELEASE leaves a savepoint that was released: if
// the function around it goes on, what it wrote is committed, and told so.
func TestFaults_PanicAfterReleaseUndoesNothing(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		accounts := fl.Bank(t)
		a, told := conformance.Account{Owner: "released"}, []string{}
		t.Cleanup(fl.OnAfterQuery(func(_ context.Context, e dbfleet.QueryEvent) {
			if e.Op == "release" {
				panic(errFault)
			}
		}))
		require.NoError(t, fl.Transaction(t.Context(), "", func(ctx context.Context, tx *dbfleet.Tx) error {
			require.Panics(t, func() {
				_ = tx.Transaction(ctx, func(ctx context.Context, tx *dbfleet.Tx) error {
					require.NoError(t, tx.AfterCommit(func(context.Context) { told = append(told, "commit") }))
					require.NoError(t, tx.AfterRollback(func(context.Context, error) { told = append(told, "rollback") }))
					return accounts.Create(ctx, &a)
				})
			})
			return nil
		}))
		require.Equal(t, []string{"released"}, conformance.Owners(t, fl.Database))
		require.NotZero(t, a.ID)
		require.Equal(t, []string{"commit"}, told)
		conformance.RequireIdle(t, fl.Registry)
	})
}
