package transactions

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// truth 1108
// The record of an order that was rolled back is new again: the id that it had is
// somebody else's by the time that it is saved.
func TestRollback_LeavesNoIDByWhichSaveOverwritesAnotherRow(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		accounts := fl.Bank(t)
		ctx := t.Context()
		mine := conformance.Account{Owner: "mine", Balance: 1}
		err := fl.Transaction(ctx, "", func(ctx context.Context, _ *dbfleet.Tx) error {
			require.NoError(t, accounts.Create(ctx, &mine))
			require.NotZero(t, mine.ID)
			return errUndo
		})
		require.Equal(t, errUndo, err)
		require.Equal(t, conformance.Account{Owner: "mine", Balance: 1}, mine)

		yours := conformance.Account{Owner: "yours", Balance: 100}
		require.NoError(t, accounts.Create(ctx, &yours))
		require.NoError(t, accounts.Save(ctx, &mine))
		require.NotEqual(t, yours.ID, mine.ID)
		require.Equal(t, []string{"mine", "yours"}, conformance.Owners(t, fl.Database))
	})
}
