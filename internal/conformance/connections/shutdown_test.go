package connections

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// promise: Close is idempotent, waits, leaks nothing.
func TestShutdown_WaitsAndRefusesNewWork(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
		fl := conformance.Fleet{Registry: conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(db)}), Database: db}
		accounts := fl.Bank(t)
		require.NoError(t, accounts.Create(t.Context(), &conformance.Account{Owner: "0"}))
		raw := fl.DB("main").Pool()
		results := make(chan error, 4)
		err := fl.Transaction(t.Context(), "", func(ctx context.Context, tx *dbfleet.Tx) error {
			for range cap(results) {
				go func() { results <- fl.Close() }()
			}
			require.Eventually(t, func() bool { return len(fl.Names()) == 0 }, 20*time.Second, time.Millisecond)
			require.ErrorIs(t, accounts.Create(t.Context(), &conformance.Account{Owner: "new work"}), dbfleet.ErrClosed)
			require.ErrorIs(t, fl.DB("main").Ping(t.Context()), dbfleet.ErrClosed)
			require.ErrorIs(t, fl.Add("more", conformance.ConnectionTo(db)), dbfleet.ErrClosed)
			require.ErrorIs(t, fl.Transaction(t.Context(), "main", func(context.Context, *dbfleet.Tx) error { return nil }), dbfleet.ErrClosed)
			require.Empty(t, results, "it waits")
			// What runs goes on: the transaction finds its own statements.
			require.NoError(t, tx.Transaction(ctx, func(ctx context.Context, _ *dbfleet.Tx) error {
				return accounts.Create(ctx, &conformance.Account{Owner: "1"})
			}))
			return nil
		})
		require.NoError(t, err)
		for range cap(results) {
			require.NoError(t, <-results)
		}
		require.NoError(t, fl.Close())
		require.Equal(t, []string{"0", "1"}, conformance.Owners(t, db))
		require.Error(t, raw.PingContext(t.Context()))
		require.Error(t, fl.DB("main").Pool().PingContext(t.Context()))
		require.Empty(t, fl.Stats())
		dbtest.NoConnections(t, db)
	})
}

// hazard 143: work that does not end is cut off at the end of the context. What
// it sends afterwards is refused, so nothing is committed after Shutdown.
func TestShutdown_CutsOffAtTheEndOfItsContext(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
		r, err := dbfleet.Open(dbfleet.Config{Connections: map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(db)}})
		require.NoError(t, err)
		fl := conformance.Fleet{Registry: r, Database: db}
		accounts := fl.Bank(t)
		require.NoError(t, accounts.Create(t.Context(), &conformance.Account{Owner: "0"}))
		err = fl.Transaction(t.Context(), "", func(ctx context.Context, tx *dbfleet.Tx) error {
			require.NoError(t, accounts.Create(ctx, &conformance.Account{Owner: "cut off"}))
			short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			start := time.Now()
			err := fl.Shutdown(short)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.Equal(t, err, fl.Close(), "the first result")
			require.Less(t, time.Since(start), 10*time.Second)
			require.ErrorIs(t, accounts.Create(ctx, &conformance.Account{Owner: "later"}), dbfleet.ErrClosed)
			_, err = tx.ExecContext(ctx, conformance.Inserting("later"))
			require.ErrorIs(t, err, dbfleet.ErrClosed)
			require.ErrorIs(t, tx.Transaction(ctx, func(context.Context, *dbfleet.Tx) error { return nil }), dbfleet.ErrClosed)
			return nil
		})
		require.ErrorIs(t, err, dbfleet.ErrClosed)
		require.Equal(t, []string{"0"}, conformance.Owners(t, db))
		dbtest.NoConnections(t, db)
	})
}

// A shutdown waits for a connection that is being removed, and its context
// bounds that as well.
func TestShutdown_WaitsForWhatIsBeingRemoved(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t, "sqlite")
	r, err := dbfleet.Open(dbfleet.Config{Connections: map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(db)}})
	require.NoError(t, err)
	removed := make(chan error, 1)
	rows, err := r.DB("main").QueryContext(t.Context(), "SELECT 1")
	require.NoError(t, err)
	go func() { removed <- r.Remove(context.Background(), "main") }()
	require.Eventually(t, func() bool { return len(r.Names()) == 0 }, 20*time.Second, time.Millisecond)
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, r.Shutdown(short), context.DeadlineExceeded)
	require.NoError(t, rows.Close())
	require.ErrorIs(t, <-removed, context.DeadlineExceeded, "it was cut off by the shutdown")
	dbtest.NoConnections(t, db)
}
