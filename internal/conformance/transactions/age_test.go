package transactions

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

type ageKey struct{}

// here is the line after the one that calls it.
func here() string {
	_, file, line, _ := runtime.Caller(1)
	return fmt.Sprintf("%s:%d", file, line+1)
}

// hazard 143
func TestTransaction_ALongOneIsToldOnceWithWhereItBegan(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		config := conformance.ConnectionTo(fl.Database)
		config.LongTransaction = 20 * time.Millisecond
		require.NoError(t, fl.Replace(t.Context(), "main", config))
		accounts := fl.Bank(t)
		type call struct {
			of string
			dbfleet.OpenTransaction
		}
		calls := make(chan call, 10)
		hook := func(of string) func(context.Context, dbfleet.OpenTransaction) {
			return func(ctx context.Context, o dbfleet.OpenTransaction) {
				require.Equal(t, "value", ctx.Value(ageKey{}))
				calls <- call{of, o}
			}
		}
		defer fl.DB("main").OnLongTransaction(hook("own"))()
		defer fl.OnLongTransaction(hook("registry"))()
		fl.OnLongTransaction(hook("removed"))()

		ctx := context.WithValue(t.Context(), ageKey{}, "value")
		begun := here()
		require.NoError(t, fl.Transaction(ctx, "", func(ctx context.Context, tx *dbfleet.Tx) error {
			for _, of := range []string{"registry", "own"} {
				c := <-calls
				require.Equal(t, of, c.of)
				require.Equal(t, begun, c.Caller)
				require.Equal(t, "main", c.Connection)
				require.GreaterOrEqual(t, c.Age, config.LongTransaction)
			}
			require.NoError(t, tx.Transaction(ctx, func(context.Context, *dbfleet.Tx) error { return nil }))
			oldest := fl.Health(t.Context()).Connections["main"].OldestTransaction
			require.NotNil(t, oldest)
			require.Equal(t, begun, oldest.Caller)
			require.GreaterOrEqual(t, oldest.Age, config.LongTransaction)
			text, err := json.Marshal(oldest)
			require.NoError(t, err)
			require.Contains(t, string(text), `"caller":"`+begun)
			require.NoError(t, tx.AfterCommit(func(ctx context.Context) {
				require.Nil(t, fl.Health(ctx).Connections["main"].OldestTransaction, "it has ended")
			}))
			return accounts.Create(ctx, &conformance.Account{Owner: "goes on"})
		}))
		require.Equal(t, []string{"goes on"}, conformance.Owners(t, fl.Database))
		require.NoError(t, fl.Replace(t.Context(), "main", conformance.ConnectionTo(fl.Database)), "it waits for the hooks")
		require.Empty(t, calls)
		require.NoError(t, fl.Transaction(t.Context(), "", func(ctx context.Context, _ *dbfleet.Tx) error {
			require.Nil(t, fl.Health(ctx).Connections["main"].OldestTransaction, "nobody looks")
			return nil
		}))
	})
}

// A hook that is still running belongs to the registry, which waits for it.
func TestTransaction_CloseWaitsForTheHooksOfALongOne(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		config := conformance.ConnectionTo(fl.Database)
		config.LongTransaction = time.Millisecond
		require.NoError(t, fl.Replace(t.Context(), "main", config))
		running, free, done := make(chan struct{}), make(chan struct{}), false
		fl.OnLongTransaction(func(context.Context, dbfleet.OpenTransaction) {
			close(running)
			<-free
			done = true
		})
		require.NoError(t, fl.Transaction(t.Context(), "", func(context.Context, *dbfleet.Tx) error { <-running; return nil }))
		removed := make(chan error, 1)
		go func() { removed <- fl.Remove(t.Context(), "main") }()
		close(free)
		require.NoError(t, <-removed)
		require.True(t, done)
	})
}
