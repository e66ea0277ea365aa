package transactions

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// Replace and Remove wait for what is running. With the context of a transaction that is
// their own caller: it is said at once, as where OutsideTx asks for the only connection.
func TestReplace_InsideATransactionDoesNotWaitForItsOwnCaller(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		require.NoError(t, fl.Transaction(ctx, "", func(ctx context.Context, _ *dbfleet.Tx) error {
			require.ErrorIs(t, fl.Replace(ctx, "main", conformance.ConnectionTo(fl.Database)), dbfleet.ErrBusy)
			require.ErrorIs(t, fl.Remove(ctx, "main"), dbfleet.ErrBusy)
			require.ErrorIs(t, fl.Shutdown(ctx), dbfleet.ErrBusy)
			return nil
		}))
	})
}
