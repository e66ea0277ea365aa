package transactions

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// deadlock runs two transactions that wait for each other, and returns their
// errors. Each closure hides the error of the deadlock and goes on.
func deadlock(t *testing.T, fl conformance.Fleet, accounts *dbfleet.Model[conformance.Account], word string, ids [2]int64, options ...dbfleet.TxOptions) (errs [2]error, runs [2]int, hidden error) {
	var barrier sync.WaitGroup
	barrier.Add(2)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range 2 {
		wg.Go(func() {
			errs[i] = fl.Transaction(t.Context(), "", func(ctx context.Context, tx *dbfleet.Tx) error {
				runs[i]++
				if err := accounts.Create(ctx, &conformance.Account{Owner: fmt.Sprintf("%s by %d", word, i)}); err != nil {
					return err
				}
				one, other := ids[i], ids[1-i]
				if _, err := accounts.Where("id", "=", one).Increment(ctx, "balance", 1); err != nil {
					return err
				}
				if runs[i] == 1 {
					barrier.Done()
					barrier.Wait()
				}
				if _, err := accounts.Where("id", "=", other).Increment(ctx, "balance", 1); err != nil {
					mu.Lock()
					hidden = err
					mu.Unlock()
					// It goes on as if nothing had happened.
					_, rawErr := tx.ExecContext(ctx, conformance.Inserting("ghost"))
					require.ErrorIs(t, rawErr, dbfleet.ErrTxLost)
					require.ErrorIs(t, accounts.Create(ctx, &conformance.Account{Owner: "ghost"}), dbfleet.ErrTxLost)
					_, getErr := accounts.Get(ctx)
					require.ErrorIs(t, getErr, dbfleet.ErrTxLost)
					require.ErrorIs(t, tx.Transaction(ctx, func(context.Context, *dbfleet.Tx) error { return nil }), dbfleet.ErrTxLost)
				}
				return nil
			}, options...)
		})
	}
	wg.Wait()
	return errs, runs, hidden
}

// finding 3, hazards 121, 129: nothing that follows a deadlock is executed, let
// alone committed by itself.
func TestTransaction_DeadlockPoisons(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		fl := conformance.Fleet{Registry: conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(db)}), Database: db}
		accounts := fl.Bank(t)
		two := []conformance.Account{{Owner: "account 0"}, {Owner: "account 1"}}
		require.NoError(t, accounts.CreateMany(t.Context(), two))
		ids := [2]int64{two[0].ID, two[1].ID}
		errs, _, hidden := deadlock(t, fl, accounts, "first", ids)
		require.ErrorIs(t, hidden, dbfleet.ErrDeadlock)
		victim := 0
		if errs[0] == nil {
			victim = 1
		}
		require.NoError(t, errs[1-victim])
		require.ErrorIs(t, errs[victim], dbfleet.ErrTxLost)
		require.ErrorIs(t, errs[victim], dbfleet.ErrDeadlock, "the cause is told")
		require.True(t, dbfleet.IsRetryable(errs[victim]), "although the closure hid it")
		require.Equal(t, []string{"account 0", "account 1", fmt.Sprint("first by ", 1-victim)}, conformance.Owners(t, db))

		// hazard 139: run again, it succeeds.
		errs, runs, _ := deadlock(t, fl, accounts, "second", ids, dbfleet.TxOptions{Retries: 3})
		require.NoError(t, errs[0])
		require.NoError(t, errs[1])
		require.GreaterOrEqual(t, runs[0]+runs[1], 3)
		require.Equal(t, []string{"account 0", "account 1", fmt.Sprint("first by ", 1-victim), "second by 0", "second by 1"}, conformance.Owners(t, db))
		require.Equal(t, 2+4, conformance.Counted(t, db, "SELECT SUM(balance) FROM accounts"), "each increment once")
	})
}

// hazard 121: a lock that is not had in time breaks the transaction, on MySQL
// too, unless a savepoint is between.
func TestTransaction_LockTimeoutPoisons(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		config := conformance.ConnectionTo(db)
		config.Params = map[string]string{"lock_timeout": "100"}
		if db.Dialect == "mysql" {
			config.Params = map[string]string{"innodb_lock_wait_timeout": "1"}
		}
		fl := conformance.Fleet{Registry: conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config}), Database: db}
		accounts := fl.Bank(t)
		locked := conformance.Account{Owner: "locked"}
		require.NoError(t, accounts.Create(t.Context(), &locked))
		touch := func(ctx context.Context) error {
			_, err := accounts.Where("id", "=", locked.ID).Increment(ctx, "balance", 1)
			return err
		}
		err := fl.Transaction(t.Context(), "", func(ctx context.Context, _ *dbfleet.Tx) error {
			require.NoError(t, touch(ctx))
			outside := dbfleet.OutsideTx(ctx)
			err := fl.Transaction(outside, "", func(ctx context.Context, _ *dbfleet.Tx) error {
				require.NoError(t, accounts.Create(ctx, &conformance.Account{Owner: "earlier"}))
				require.ErrorIs(t, touch(ctx), dbfleet.ErrLockTimeout)
				require.ErrorIs(t, accounts.Create(ctx, &conformance.Account{Owner: "ghost"}), dbfleet.ErrTxLost)
				return nil
			})
			require.ErrorIs(t, err, dbfleet.ErrTxLost)
			require.ErrorIs(t, err, dbfleet.ErrLockTimeout)
			require.True(t, dbfleet.IsRetryable(err))
			require.Equal(t, []string{"locked"}, conformance.Owners(t, db))

			return fl.Transaction(outside, "", func(ctx context.Context, tx *dbfleet.Tx) error {
				require.NoError(t, accounts.Create(ctx, &conformance.Account{Owner: "kept"}))
				require.ErrorIs(t, tx.Transaction(ctx, func(ctx context.Context, _ *dbfleet.Tx) error {
					require.NoError(t, accounts.Create(ctx, &conformance.Account{Owner: "undone"}))
					return touch(ctx)
				}), dbfleet.ErrLockTimeout)
				return accounts.Create(ctx, &conformance.Account{Owner: "kept too"})
			})
		})
		require.NoError(t, err)
		require.Equal(t, []string{"kept", "kept too", "locked"}, conformance.Owners(t, db))
	})
}

// onceRuns calls end when a server works on a statement that has a text, or, as SQLite does
// so in this program, after a time in which that has begun. It looks until ctx ends.
func onceRuns(ctx context.Context, t *testing.T, db dbtest.Database, text string, end func()) {
	if db.Dialect == "sqlite" {
		time.AfterFunc(500*time.Millisecond, end)
		return
	}
	if waitFor(ctx, func() bool { return conformance.Running(t, db, text) > 0 }) {
		end()
	}
}

// Findings 3 and 4, hazards 129, 163: after an interrupted statement nothing is
// executed, and nothing committed.
func TestTransaction_InterruptedStatementPoisons(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		accounts := fl.Bank(t)
		writing := "INSERT INTO accounts (owner, balance) WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x, x FROM n"
		statements := []string{conformance.Slow(fl.Database.Dialect)}
		if fl.Database.Dialect == "sqlite" {
			statements = append(statements, writing)
		}
		for _, statement := range statements {
			for _, cause := range []error{context.DeadlineExceeded, context.Canceled} {
				err := fl.Transaction(t.Context(), "", func(ctx context.Context, tx *dbfleet.Tx) error {
					require.NoError(t, accounts.Create(ctx, &conformance.Account{Owner: "earlier"}))
					deadline := conformance.NewDeadline(ctx)
					short, end := context.Context(deadline), deadline.Pass
					if cause == context.Canceled {
						short, end = context.WithCancel(ctx)
					}
					mark := "/* " + cause.Error() + " */"
					go onceRuns(ctx, t, fl.Database, mark, end)
					_, err := tx.ExecContext(short, statement+" "+mark)
					end()
					require.ErrorIs(t, err, cause)
					require.ErrorIs(t, accounts.Create(ctx, &conformance.Account{Owner: "ghost"}), dbfleet.ErrTxLost)
					_, err = tx.ExecContext(ctx, conformance.Inserting("ghost"))
					require.ErrorIs(t, err, dbfleet.ErrTxLost)
					return nil
				}, dbfleet.TxOptions{Retries: 2})
				require.ErrorIs(t, err, dbfleet.ErrTxLost)
				require.ErrorIs(t, err, cause, "the cause is told")
				require.Empty(t, conformance.Owners(t, fl.Database))
			}
		}
		conformance.RequireIdle(t, fl.Registry)
		require.NoError(t, accounts.Create(t.Context(), &conformance.Account{Owner: "next"}))
	})
}

// hazard 123: what SQLite rolls back by itself stays rolled back.
func TestTransaction_SQLiteOwnRollbackPoisons(t *testing.T) {
	t.Parallel()
	fl := conformance.OnSQLite(t)
	accounts := fl.Bank(t)
	require.NoError(t, accounts.Create(t.Context(), &conformance.Account{Owner: "taken"}))
	fl.Create(t, `CREATE TRIGGER forbid BEFORE INSERT ON accounts WHEN NEW.owner = 'forbidden' BEGIN SELECT RAISE(ROLLBACK, 'forbidden'); END`)
	for _, statement := range []string{
		"INSERT OR ROLLBACK INTO accounts (owner, balance) VALUES ('taken', 1)", conformance.Inserting("forbidden"),
	} {
		err := fl.Transaction(t.Context(), "", func(ctx context.Context, tx *dbfleet.Tx) error {
			require.NoError(t, accounts.Create(ctx, &conformance.Account{Owner: "earlier"}))
			_, err := tx.ExecContext(ctx, statement)
			require.Error(t, err)
			require.ErrorIs(t, accounts.Create(ctx, &conformance.Account{Owner: "ghost"}), dbfleet.ErrTxLost)
			require.ErrorIs(t, tx.Transaction(ctx, func(context.Context, *dbfleet.Tx) error { return nil }), dbfleet.ErrTxLost)
			return nil
		})
		require.ErrorIs(t, err, dbfleet.ErrTxLost, statement)
		require.Equal(t, []string{"taken"}, conformance.Owners(t, fl.Database), statement)
		// In a savepoint as well: the whole transaction is gone.
		err = fl.Transaction(t.Context(), "", func(ctx context.Context, tx *dbfleet.Tx) error {
			require.NoError(t, accounts.Create(ctx, &conformance.Account{Owner: "earlier"}))
			err := tx.Transaction(ctx, func(ctx context.Context, tx *dbfleet.Tx) error {
				_, err := tx.ExecContext(ctx, statement)
				return err
			})
			require.ErrorIs(t, err, dbfleet.ErrTxLost)
			return accounts.Create(ctx, &conformance.Account{Owner: "ghost"})
		})
		require.ErrorIs(t, err, dbfleet.ErrTxLost, statement)
		require.Equal(t, []string{"taken"}, conformance.Owners(t, fl.Database), statement)
	}
}

// A connection that is killed under a transaction.
func TestTransaction_KilledConnectionPoisons(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		fl := conformance.Fleet{Registry: conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(db)}), Database: db}
		accounts := fl.Bank(t)
		err := fl.Transaction(t.Context(), "", func(ctx context.Context, tx *dbfleet.Tx) error {
			require.NoError(t, accounts.Create(ctx, &conformance.Account{Owner: "earlier"}))
			db.KillConnections(t)
			err := accounts.Create(ctx, &conformance.Account{Owner: "ghost"})
			require.ErrorIs(t, err, dbfleet.ErrConnection)
			require.ErrorIs(t, accounts.Create(ctx, &conformance.Account{Owner: "ghost"}), dbfleet.ErrTxLost)
			require.ErrorIs(t, tx.Transaction(ctx, func(context.Context, *dbfleet.Tx) error { return nil }), dbfleet.ErrTxLost)
			return nil
		})
		require.ErrorIs(t, err, dbfleet.ErrTxLost)
		err = fl.Transaction(t.Context(), "", func(ctx context.Context, _ *dbfleet.Tx) error {
			require.NoError(t, accounts.Create(ctx, &conformance.Account{Owner: "earlier"}))
			db.KillConnections(t)
			return nil
		})
		require.Error(t, err, "COMMIT finds the connection dead")
		require.ErrorIs(t, err, dbfleet.ErrConnection)
		require.Empty(t, conformance.Owners(t, db))
		// hazard 177: the pool's other connections are dead too; the next read
		// and write go through, once.
		for range 3 {
			db.KillConnections(t)
			_, err := accounts.Get(t.Context())
			require.NoError(t, err)
			db.KillConnections(t)
			require.NoError(t, fl.DB("main").QueryRowContext(t.Context(), "SELECT COUNT(*) FROM accounts").Scan(new(int)))
			db.KillConnections(t)
			_, err = fl.DB("main").ExecContext(t.Context(), conformance.Inserting("by raw"))
			require.NoError(t, err)
			db.KillConnections(t)
			_, err = accounts.Where("owner", "=", "by raw").Increment(t.Context(), "balance", 1)
			require.NoError(t, err)
			require.Equal(t, 2, conformance.Counted(t, db, "SELECT balance FROM accounts"))
			db.KillConnections(t)
			require.NoError(t, fl.Transaction(t.Context(), "", func(ctx context.Context, _ *dbfleet.Tx) error {
				_, err := accounts.Query().AllRows().Delete(ctx)
				return err
			}), "a transaction begins on a live connection")
		}
	})
}

// hazard 125: a failed statement aborts the transaction on PostgreSQL only.
func TestTransaction_AfterAFailedStatement(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		accounts := fl.Bank(t)
		err := fl.Transaction(t.Context(), "", func(ctx context.Context, _ *dbfleet.Tx) error {
			require.NoError(t, accounts.Create(ctx, &conformance.Account{Owner: "first"}))
			require.ErrorIs(t, accounts.Create(ctx, &conformance.Account{Owner: "first"}), dbfleet.ErrUnique)
			_ = accounts.Create(ctx, &conformance.Account{Owner: "second"})
			return nil
		})
		if fl.Database.Dialect == "postgres" {
			require.ErrorIs(t, err, dbfleet.ErrTxLost)
			require.ErrorIs(t, err, dbfleet.ErrUnique, "the cause is told")
			require.False(t, dbfleet.IsRetryable(err))
			require.Empty(t, conformance.Owners(t, fl.Database))
			return
		}
		require.NoError(t, err)
		require.Equal(t, []string{"first", "second"}, conformance.Owners(t, fl.Database))
	})
}
