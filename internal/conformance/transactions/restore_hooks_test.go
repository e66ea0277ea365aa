package transactions

import (
	"context"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// A hook that ends the goroutine after a record was written ends the transaction, and the
// record is as it was before.
//
// truth 1119
func TestRollback_LeavesRecordsAsTheyWereBeforeAHookEndedTheWrite(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		orders := ordersOf[plainOrder](t, fl)
		ctx := t.Context()
		for _, name := range []string{"c", "d"} {
			require.NoError(t, orders.Create(ctx, &plainOrder{Name: name}))
		}
		var stop func()
		fl.OnAfterQuery(func(_ context.Context, e dbfleet.QueryEvent) {
			if do := stop; do != nil && e.Table == "orders" && e.Op != "select" {
				stop = nil
				do()
			}
		})
		for end, do := range map[string]func(){"panic": func() { panic("hook") }, "goexit": runtime.Goexit} {
			for name, write := range orderWrites(orders) {
				rows, err := orders.OrderBy("id", dbfleet.Asc).Get(ctx)
				require.NoError(t, err)
				require.Len(t, rows, 2, "nothing of another case is left")
				before := slices.Concat([]plainOrder{{Name: "a"}, {Name: "b"}}, rows)
				records := slices.Clone(before)
				returned, over := false, make(chan struct{})
				go func() {
					defer close(over)
					defer func() { _ = recover() }()
					_ = fl.Transaction(ctx, "", func(ctx context.Context, tx *dbfleet.Tx) error {
						stop = do
						return write(ctx, tx, records)
					})
					returned = true
				}()
				<-over
				require.False(t, returned, "%s, %s", name, end)
				require.Equal(t, before, records, "%s, %s", name, end)
			}
		}
		conformance.RequireIdle(t, fl.Registry)
	})
}

// Where the function goes on after such a panic, the record is what its row is.
func TestTransaction_KnowsTheRecordThatAHookPanickedAfter(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		accounts := fl.Bank(t)
		armed := false
		fl.OnAfterQuery(func(_ context.Context, e dbfleet.QueryEvent) {
			if armed && e.Op == "insert" {
				armed = false
				panic("hook")
			}
		})
		create := func(ctx context.Context, account *conformance.Account) {
			defer func() { _ = recover() }()
			armed = true
			_ = accounts.Create(ctx, account)
		}
		kept, undone := conformance.Account{Owner: "kept"}, conformance.Account{Owner: "undone"}
		err := fl.Transaction(t.Context(), "", func(ctx context.Context, tx *dbfleet.Tx) error {
			create(ctx, &kept)
			require.ErrorIs(t, tx.Transaction(ctx, func(ctx context.Context, _ *dbfleet.Tx) error {
				create(ctx, &undone)
				return errUndo
			}), errUndo)
			return nil
		})
		require.NoError(t, err)
		require.Zero(t, undone.ID)
		if kept.ID != 0 { // SQLite tells the id only after the hook
			found, err := accounts.Find(t.Context(), kept.ID)
			require.NoError(t, err)
			require.Equal(t, kept, found)
		}
		require.Equal(t, []string{"kept"}, conformance.Owners(t, fl.Database))
	})
}
