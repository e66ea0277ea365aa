package transactions

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// hazard 139: retries are capped, and end with the context.
func TestTransaction_RetriesAreCapped(t *testing.T) {
	t.Parallel()
	fl := conformance.OnSQLite(t)
	ctx, cancel := context.WithCancel(t.Context())
	runs := 0
	start := time.Now()
	err := fl.Transaction(ctx, "", func(ctx context.Context, _ *dbfleet.Tx) error {
		if runs++; runs == 2 {
			cancel()
		}
		return fmt.Errorf("mine: %w", dbfleet.ErrSerialization)
	}, dbfleet.TxOptions{Retries: 10})
	require.ErrorIs(t, err, dbfleet.ErrSerialization)
	require.Equal(t, 2, runs)
	require.Less(t, time.Since(start), 5*time.Second)

	// Retries are capped, and none follows an error that is not retryable.
	runs = 0
	err = fl.Transaction(t.Context(), "", func(context.Context, *dbfleet.Tx) error {
		runs++
		return fmt.Errorf("mine: %w", dbfleet.ErrDeadlock)
	}, dbfleet.TxOptions{Retries: 3})
	require.ErrorIs(t, err, dbfleet.ErrDeadlock)
	require.Equal(t, 4, runs)
	for _, final := range []error{dbfleet.ErrUnique, dbfleet.ErrConnection, fmt.Errorf("%w: %w", dbfleet.ErrDeadlock, dbfleet.ErrOutcomeUnknown)} {
		runs = 0
		err = fl.Transaction(t.Context(), "", func(context.Context, *dbfleet.Tx) error { runs++; return final }, dbfleet.TxOptions{Retries: 3})
		require.Equal(t, final, err)
		require.Equal(t, 1, runs, final)
	}
}

// hazards 139, 147: real conflicts, retried until all have succeeded.
func TestTransaction_RetriesRealConflicts(t *testing.T) {
	t.Parallel()
	const goroutines, each = 4, 6
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
		config := conformance.ConnectionTo(db)
		config.SQLite.DeferredTransactions = db.Dialect == "sqlite" // so that they meet (517)
		fl := conformance.Fleet{Registry: conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config}), Database: db}
		accounts := fl.Bank(t)
		require.NoError(t, accounts.CreateMany(t.Context(), []conformance.Account{{Owner: "a"}, {Owner: "b"}}))
		var wg sync.WaitGroup
		var mu sync.Mutex
		runs, gaveUp := 0, 0
		// All have read before the first of them writes, two of them at least the
		// same row.
		var met sync.WaitGroup
		met.Add(goroutines)
		for range goroutines {
			wg.Go(func() {
				meet := sync.OnceFunc(func() { met.Done(); met.Wait() })
				for range each {
					first, second := "a", "b"
					if rand.IntN(2) == 0 {
						first, second = second, first
					}
					err := fl.Transaction(t.Context(), "", func(ctx context.Context, _ *dbfleet.Tx) error {
						mu.Lock()
						runs++
						mu.Unlock()
						for _, owner := range []string{first, second} {
							a, err := accounts.Where("owner", "=", owner).First(ctx)
							if err != nil {
								return err
							}
							meet()
							a.Balance++
							if err := accounts.Save(ctx, &a); err != nil {
								return err
							}
						}
						return nil
					}, dbfleet.TxOptions{Retries: 10, Isolation: isolated(db.Dialect)})
					if err != nil {
						require.True(t, dbfleet.IsRetryable(err), "%v", err)
						mu.Lock()
						gaveUp++
						mu.Unlock()
					}
				}
			})
		}
		wg.Wait()
		require.Greater(t, runs, goroutines*each, "they did not meet")
		require.Equal(t, 2*(goroutines*each-gaveUp), conformance.Counted(t, db, "SELECT SUM(balance) FROM accounts"))
		require.Less(t, gaveUp, goroutines*each/2)
	})
}

// hazard 147: a deferred transaction that has read cannot write any more when
// others have written; it is run again as a whole. Immediate ones, which are
// the default, do not meet that.
func TestTransaction_SQLiteSnapshotConflict(t *testing.T) {
	t.Parallel()
	for _, deferred := range []bool{true, false} {
		db := dbtest.New(t, "sqlite")
		config := conformance.ConnectionTo(db)
		config.SQLite.DeferredTransactions = deferred
		config.SQLite.BusyTimeout = 300 * time.Millisecond
		fl := conformance.Fleet{Registry: conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config}), Database: db}
		accounts := fl.Bank(t)
		var first error
		attempt := 0
		err := fl.Transaction(t.Context(), "", func(ctx context.Context, _ *dbfleet.Tx) error {
			_, err := accounts.Count(ctx)
			require.NoError(t, err)
			if attempt++; attempt == 1 {
				err := accounts.Create(dbfleet.OutsideTx(ctx), &conformance.Account{Owner: "other"})
				if deferred {
					require.NoError(t, err)
				} else {
					require.ErrorIs(t, err, dbfleet.ErrLockTimeout, "it waits for the writer")
					require.True(t, dbfleet.IsRetryable(err))
				}
				first = accounts.Create(ctx, &conformance.Account{Owner: "mine"})
				return first
			}
			return accounts.Create(ctx, &conformance.Account{Owner: "mine"})
		}, dbfleet.TxOptions{Retries: 1})
		require.NoError(t, err)
		if deferred {
			require.ErrorIs(t, first, dbfleet.ErrSerialization)
			require.Equal(t, []string{"mine", "other"}, conformance.Owners(t, db))
		} else {
			require.Equal(t, []string{"mine"}, conformance.Owners(t, db))
		}
	}
}

// isolated is the level under which read-modify-write is safe.
func isolated(dialect string) sql.IsolationLevel {
	if dialect == "sqlite" {
		return sql.LevelDefault
	}
	return sql.LevelSerializable
}

// All attempts are one work, which the end of a connection waits for.
func TestTransaction_RetriesGoOnWhileItsConnectionIsRemoved(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		accounts := fl.Bank(t)
		removed := make(chan error, 1)
		attempts := 0
		err := fl.Transaction(t.Context(), "main", func(ctx context.Context, _ *dbfleet.Tx) error {
			if attempts++; attempts == 1 {
				go func() { removed <- fl.Remove(context.WithoutCancel(t.Context()), "main") }()
				require.Eventually(t, func() bool { return len(fl.Names()) == 0 }, 20*time.Second, time.Millisecond)
				return dbfleet.ErrSerialization
			}
			return accounts.Create(ctx, &conformance.Account{Owner: "second"})
		}, dbfleet.TxOptions{Retries: 1})
		require.NoError(t, err)
		require.NoError(t, <-removed)
		require.Equal(t, []string{"second"}, conformance.Owners(t, fl.Database))
	})
}
