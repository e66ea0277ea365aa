package transactions

import (
	"context"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// ends calls f in a goroutine, and waits for its end, by whatever.
func ends(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() { _ = recover() }()
		f()
	}()
	<-done
}

// AfterRollback is for what is known to be undone, or not known to be committed: a hook
// that panics when it is told of the COMMIT changes nothing of that.
func TestAfterRollback_IsNotCalledForWhatIsCommittedThoughAHookPanics(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		accounts := fl.Bank(t)
		for owner, end := range map[string]func(){"panic": func() { panic("hook") }, "goexit": runtime.Goexit} {
			remove := fl.OnAfterQuery(func(_ context.Context, e dbfleet.QueryEvent) {
				if e.Op == "commit" {
					end()
				}
			})
			told := ""
			record := conformance.Account{Owner: owner}
			ends(func() {
				_ = fl.Transaction(t.Context(), "", func(ctx context.Context, tx *dbfleet.Tx) error {
					_ = tx.AfterCommit(func(context.Context) { told += "committed" })
					_ = tx.AfterRollback(func(context.Context, error) { told += "undone" })
					return accounts.Create(ctx, &record)
				})
			})
			remove()
			require.Contains(t, conformance.Owners(t, fl.Database), owner)
			require.Equal(t, "committed", told, owner)
			require.NotZero(t, record.ID, "the record is the row's")
		}
		conformance.RequireIdle(t, fl.Registry)
	})
}
