package transactions

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

func never(t *testing.T) func(context.Context, *dbfleet.Tx) error {
	return func(context.Context, *dbfleet.Tx) error { t.Error("the closure ran"); return nil }
}

// hazard 136
func TestTransaction_AnIsolationThatIsNotThereSendsNothing(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		sent := conformance.Statements(t, fl.Registry)
		missing := map[string][]sql.IsolationLevel{
			"postgres": {sql.LevelWriteCommitted, sql.LevelLinearizable},
			"mysql":    {sql.LevelWriteCommitted, sql.LevelSnapshot, sql.LevelLinearizable},
			"sqlite": {
				sql.LevelReadUncommitted, sql.LevelReadCommitted, sql.LevelWriteCommitted, sql.LevelRepeatableRead,
				sql.LevelSnapshot, sql.LevelLinearizable,
			},
		}[fl.Database.Dialect]
		for _, level := range append(missing, -1, 99) {
			err := fl.Transaction(t.Context(), "", never(t), dbfleet.TxOptions{Isolation: level})
			require.ErrorIs(t, err, dbfleet.ErrInvalidValue)
			require.EqualError(t, err, fmt.Sprintf(`dbfleet: connection "main": TxOptions.Isolation: %s has no isolation level %s: value refused by the database`, fl.Database.Dialect, level))
		}
		require.Empty(t, sent())
		require.Zero(t, fl.Stats()["main"].OpenConnections)
	})
}

func TestTransaction_DeferrableIsForSerializableReadsOfPostgreSQL(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		accounts := fl.Bank(t)
		sent := conformance.Statements(t, fl.Registry)
		full := dbfleet.TxOptions{Deferrable: true, ReadOnly: true, Isolation: sql.LevelSerializable}
		noWrite, noLevel := full, full
		noWrite.ReadOnly, noLevel.Isolation = false, sql.LevelRepeatableRead
		if fl.Database.Dialect != "postgres" {
			err := fl.Transaction(t.Context(), "", never(t), full)
			require.EqualError(t, err, fmt.Sprintf(`dbfleet: connection "main": TxOptions.Deferrable: %s has no deferrable transactions`, fl.Database.Dialect))
			require.Empty(t, sent())
			return
		}
		for _, o := range []dbfleet.TxOptions{noWrite, noLevel, {Deferrable: true}} {
			require.EqualError(t, fl.Transaction(t.Context(), "", never(t), o), `dbfleet: connection "main": TxOptions.Deferrable needs ReadOnly and sql.LevelSerializable`)
		}
		require.Empty(t, sent())
		require.NoError(t, fl.Transaction(t.Context(), "", func(ctx context.Context, tx *dbfleet.Tx) error {
			for _, name := range []string{"transaction_deferrable", "transaction_read_only"} {
				var got string
				require.NoError(t, tx.QueryRowContext(ctx, "SHOW "+name).Scan(&got))
				require.Equal(t, "on", got, name)
			}
			require.NoError(t, fl.Transaction(ctx, "", func(ctx context.Context, _ *dbfleet.Tx) error {
				_, err := accounts.Count(ctx)
				return err
			}, full))
			return nil
		}, full))
		require.NoError(t, fl.Transaction(t.Context(), "", func(ctx context.Context, _ *dbfleet.Tx) error {
			require.EqualError(t, fl.Transaction(ctx, "", never(t), full), `dbfleet: connection "main": a transaction that is Deferrable cannot be inside one that is not`)
			return nil
		}, dbfleet.TxOptions{ReadOnly: true, Isolation: sql.LevelSerializable}))
	})
}

// hazard 138: writes of every kind are refused by the database, and by nobody after.
func TestTransaction_ReadOnlyEndsWithItsTransaction(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		db := fl.Database
		config := conformance.ConnectionTo(db)
		config.Pool.MaxOpen = 1
		require.NoError(t, fl.Replace(t.Context(), "main", config))
		accounts := fl.Bank(t)
		writable := func() {
			t.Helper()
			a := conformance.Account{Owner: "a"}
			require.NoError(t, accounts.Create(t.Context(), &a))
			require.NoError(t, accounts.Delete(t.Context(), &a))
			require.NoError(t, fl.Transaction(t.Context(), "", func(ctx context.Context, _ *dbfleet.Tx) error {
				return accounts.Create(ctx, &conformance.Account{Owner: "b"})
			}))
			require.NoError(t, accounts.Create(t.Context(), &conformance.Account{Owner: "c"}))
			_, err := accounts.Query().AllRows().Delete(t.Context())
			require.NoError(t, err)
		}
		reading := dbfleet.TxOptions{ReadOnly: true}
		refused := func(ctx context.Context, tx *dbfleet.Tx) {
			t.Helper()
			err := tx.Transaction(ctx, func(ctx context.Context, tx *dbfleet.Tx) error {
				_, err := tx.ExecContext(ctx, conformance.Inserting("refused"))
				return err
			})
			require.ErrorIs(t, err, dbfleet.ErrReadOnly)
		}
		for name, end := range map[string]func(ctx context.Context, cancel func(), tx *dbfleet.Tx) error{
			"commit":   func(context.Context, func(), *dbfleet.Tx) error { return nil },
			"rollback": func(context.Context, func(), *dbfleet.Tx) error { return errUndo },
			"context":  func(_ context.Context, cancel func(), _ *dbfleet.Tx) error { cancel(); return nil },
			"goexit":   func(context.Context, func(), *dbfleet.Tx) error { panic(errUndo) },
			"cancelled statement": func(ctx context.Context, _ func(), tx *dbfleet.Tx) error {
				ctx, cancel := context.WithCancel(ctx)
				cancel()
				_, err := tx.ExecContext(ctx, "SELECT 1")
				return err
			},
			"rows open": func(ctx context.Context, _ func(), tx *dbfleet.Tx) error {
				rows, err := tx.QueryContext(ctx, "SELECT 1 UNION ALL SELECT 2")
				require.NoError(t, err)
				require.True(t, rows.Next())
				require.NoError(t, rows.Err())
				return errUndo
			},
			"a rollback of somebody else's": func(ctx context.Context, _ func(), tx *dbfleet.Tx) error {
				return fl.DB("main").Conn(ctx, func(ctx context.Context, c *dbfleet.Conn) error {
					_, err := c.ExecContext(ctx, "SELECT no_such_column")
					require.Error(t, err)
					return errUndo
				})
			},
		} {
			ctx, cancel := context.WithCancel(t.Context())
			func() {
				defer func() { _ = recover() }()
				_ = fl.Transaction(ctx, "", func(ctx context.Context, tx *dbfleet.Tx) error {
					refused(ctx, tx)
					return end(ctx, cancel, tx)
				}, reading)
			}()
			cancel()
			t.Log(name)
			writable()
		}
	})
}

func TestTransaction_ReadOnlyLeavesARefusingSQLiteAsItIs(t *testing.T) {
	t.Parallel()
	fl := conformance.OnSQLite(t)
	accounts := fl.Bank(t)
	config := conformance.ConnectionTo(fl.Database)
	config.Params = map[string]string{"query_only": "ON"}
	config.Pool.MaxOpen = 1
	require.NoError(t, fl.Replace(t.Context(), "main", config))
	for range 2 {
		require.NoError(t, fl.Transaction(t.Context(), "", func(ctx context.Context, _ *dbfleet.Tx) error {
			_, err := accounts.Count(ctx)
			return err
		}, dbfleet.TxOptions{ReadOnly: true}))
		require.ErrorIs(t, accounts.Create(t.Context(), &conformance.Account{Owner: "refused"}), dbfleet.ErrReadOnly)
	}
}

// hazard 137
// A store's method that says what it needs can be called inside of a transaction that
// gives it.
func TestTransaction_OptionsInsideAnotherComposeIfItGivesThem(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		accounts := fl.Bank(t)
		d := fl.Database.Dialect
		levels := map[string][]sql.IsolationLevel{
			"postgres": {sql.LevelDefault, sql.LevelReadUncommitted, sql.LevelReadCommitted, sql.LevelRepeatableRead, sql.LevelSnapshot, sql.LevelSerializable},
			"mysql":    {sql.LevelDefault, sql.LevelReadUncommitted, sql.LevelReadCommitted, sql.LevelRepeatableRead, sql.LevelSerializable},
			"sqlite":   {sql.LevelDefault, sql.LevelSerializable},
		}[d]
		standard := map[string]sql.IsolationLevel{"postgres": sql.LevelReadCommitted, "mysql": sql.LevelRepeatableRead, "sqlite": sql.LevelSerializable}[d]
		strictness := map[sql.IsolationLevel]int{
			sql.LevelReadUncommitted: 1, sql.LevelReadCommitted: 2, sql.LevelRepeatableRead: 3, sql.LevelSnapshot: 3, sql.LevelSerializable: 4,
		}
		if d == "postgres" {
			strictness[sql.LevelReadUncommitted] = 2
		}
		for _, outer := range levels {
			is := outer
			if outer == sql.LevelDefault {
				is = standard
			}
			for _, inner := range levels {
				owner := fmt.Sprint(outer, inner)
				err := fl.Transaction(t.Context(), "", func(ctx context.Context, _ *dbfleet.Tx) error {
					ran := 0
					for range 2 {
						err := fl.Transaction(ctx, "", func(ctx context.Context, _ *dbfleet.Tx) error {
							ran++
							return accounts.Create(ctx, &conformance.Account{Owner: owner + fmt.Sprint(ran)})
						}, dbfleet.TxOptions{Isolation: inner, Retries: 3})
						if strictness[is] < strictness[inner] {
							require.EqualError(t, err, fmt.Sprintf(`dbfleet: connection "main": a transaction with the isolation level %s cannot be inside one with %s`, inner, is))
							require.Zero(t, ran)
						} else {
							require.NoError(t, err, owner)
						}
					}
					return accounts.Create(ctx, &conformance.Account{Owner: owner})
				}, dbfleet.TxOptions{Isolation: outer})
				require.NoError(t, err, owner)
			}
		}
	})
}

// The level of a transaction with the default is the one that the session has.
func TestTransaction_TheDefaultIsolationIsWhatTheServerSays(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		config := conformance.ConnectionTo(fl.Database)
		switch fl.Database.Dialect {
		case "postgres":
			config.Params = map[string]string{"default_transaction_isolation": "serializable"}
		case "mysql":
			config.Params = map[string]string{"tx_isolation": "SERIALIZABLE"}
		}
		require.NoError(t, fl.Replace(t.Context(), "main", config))
		require.NoError(t, fl.Transaction(t.Context(), "", func(ctx context.Context, _ *dbfleet.Tx) error {
			return fl.Transaction(ctx, "", func(context.Context, *dbfleet.Tx) error { return nil }, dbfleet.TxOptions{Isolation: sql.LevelSerializable})
		}))
	})
}

func TestTransaction_ReadingAndWritingDoNotNest(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		accounts := fl.Bank(t)
		reading, retried := dbfleet.TxOptions{ReadOnly: true}, dbfleet.TxOptions{Retries: 3}
		require.NoError(t, fl.Transaction(t.Context(), "", func(ctx context.Context, _ *dbfleet.Tx) error {
			err := fl.Transaction(ctx, "", never(t), reading)
			require.EqualError(t, err, `dbfleet: connection "main": a transaction that is ReadOnly cannot be inside one that writes: its writes would not be refused`)
			return accounts.Create(ctx, &conformance.Account{Owner: "outer"})
		}))
		require.NoError(t, fl.Transaction(t.Context(), "", func(ctx context.Context, _ *dbfleet.Tx) error {
			err := fl.Transaction(ctx, "", never(t), retried)
			require.EqualError(t, err, `dbfleet: connection "main": a transaction that writes cannot be inside one that is ReadOnly: read-only`)
			require.ErrorIs(t, err, dbfleet.ErrReadOnly)
			require.NoError(t, fl.Transaction(ctx, "", func(ctx context.Context, _ *dbfleet.Tx) error {
				_, err := accounts.Count(ctx)
				return err
			}, reading))
			err = fl.Transaction(ctx, "", func(ctx context.Context, _ *dbfleet.Tx) error { // without options it takes what there is
				_, err := accounts.Count(ctx)
				require.NoError(t, err)
				return accounts.Create(ctx, &conformance.Account{Owner: "refused"})
			})
			require.ErrorIs(t, err, dbfleet.ErrReadOnly)
			return nil
		}, reading))
		require.Equal(t, []string{"outer"}, conformance.Owners(t, fl.Database))
	})
}

// Only the whole can be run again.
func TestTransaction_RetriesBelongToTheOutermost(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		for outer, want := range map[int]int{0: 1, 2: 3} {
			runs := 0
			err := fl.Transaction(t.Context(), "", func(ctx context.Context, _ *dbfleet.Tx) error {
				return fl.Transaction(ctx, "", func(context.Context, *dbfleet.Tx) error {
					runs++
					return fmt.Errorf("mine: %w", dbfleet.ErrSerialization)
				}, dbfleet.TxOptions{Retries: 5})
			}, dbfleet.TxOptions{Retries: outer})
			require.EqualError(t, err, "mine: dbfleet: serialization failure")
			require.Equal(t, want, runs)
			require.ErrorContains(t, fl.Transaction(t.Context(), "", func(ctx context.Context, _ *dbfleet.Tx) error {
				return fl.Transaction(ctx, "", never(t), dbfleet.TxOptions{Retries: 11})
			}), "Retries")
		}
	})
}

func requireOneLine(t *testing.T, err error) {
	t.Helper()
	require.Error(t, err)
	require.False(t, strings.Contains(err.Error(), "\n"), err.Error())
}

// A deadlock behind a savepoint has ended the whole: the outermost runs again, and the
// error of one that does not is one line.
func TestTransaction_ADeadlockBehindASavepointIsOneLine(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		for _, retries := range []int{0, 3} {
			fl := conformance.Fleet{Registry: conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(db)}), Database: db}
			fl.Create(t, "DROP TABLE IF EXISTS accounts")
			accounts := fl.Bank(t)
			require.NoError(t, accounts.CreateMany(t.Context(), []conformance.Account{{Owner: "0"}, {Owner: "1"}}))
			var both sync.WaitGroup
			both.Add(2)
			var wg sync.WaitGroup
			var errs, inside [2]error
			for i := range 2 {
				meet := sync.OnceFunc(func() { both.Done(); both.Wait() })
				increment := func(ctx context.Context, owner int) error {
					_, err := accounts.Where("owner", "=", fmt.Sprint(owner)).Increment(ctx, "balance", 1)
					return err
				}
				wg.Go(func() {
					errs[i] = fl.Transaction(t.Context(), "", func(ctx context.Context, tx *dbfleet.Tx) error {
						if err := increment(ctx, i); err != nil {
							return err
						}
						meet()
						err := tx.Transaction(ctx, func(ctx context.Context, _ *dbfleet.Tx) error { return increment(ctx, 1-i) })
						if err != nil {
							inside[i] = err
						}
						return err
					}, dbfleet.TxOptions{Retries: retries})
				})
			}
			wg.Wait()
			victim := 0
			if inside[0] == nil {
				victim = 1
			}
			requireOneLine(t, inside[victim])
			require.ErrorIs(t, inside[victim], dbfleet.ErrDeadlock)
			require.True(t, dbfleet.IsRetryable(inside[victim]))
			if retries == 0 {
				require.Equal(t, inside[victim], errs[victim])
				require.NoError(t, errs[1-victim])
				require.Equal(t, 2, conformance.Counted(t, db, "SELECT SUM(balance) FROM accounts"))
				continue
			}
			require.Equal(t, [2]error{}, errs)
			require.Equal(t, 4, conformance.Counted(t, db, "SELECT SUM(balance) FROM accounts"))
		}
	})
}

// truth 1102
// hazard 202: what a statement has committed by itself is not run again.
func TestTransaction_NothingIsRunAgainAfterAnImplicitCommit(t *testing.T) {
	t.Parallel()
	fl := conformance.Fleet{Database: dbtest.New(t, "mysql")}
	fl.Registry = conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(fl.Database)})
	fl.Bank(t)
	_, err := fl.Database.SQL(t).ExecContext(t.Context(), "CREATE PROCEDURE put() BEGIN "+conformance.Inserting("once")+"; COMMIT; END")
	require.NoError(t, err)
	runs := 0
	err = fl.Transaction(t.Context(), "", func(ctx context.Context, tx *dbfleet.Tx) error {
		runs++
		_, err := tx.ExecContext(ctx, "CALL put()")
		require.ErrorIs(t, err, dbfleet.ErrTxLost)
		return fmt.Errorf("%w: %w", dbfleet.ErrDeadlock, err)
	}, dbfleet.TxOptions{Retries: 5})
	require.ErrorIs(t, err, dbfleet.ErrDeadlock)
	require.False(t, dbfleet.IsRetryable(err))
	require.Equal(t, 1, runs)
	require.Equal(t, []string{"once"}, conformance.Owners(t, fl.Database))
}

// hazard 139: a conflict that shows at COMMIT only.
func TestTransaction_AConflictAtCommitIsRunAgain(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t, "postgres")
	fl := conformance.Fleet{Registry: conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(db)}), Database: db}
	accounts := fl.Bank(t)
	require.NoError(t, accounts.CreateMany(t.Context(), []conformance.Account{{Owner: "a"}, {Owner: "b"}}))
	serializable := dbfleet.TxOptions{Isolation: sql.LevelSerializable}
	// Write skew: each adds what it read of both to one of them.
	skew := func(ctx context.Context, owner string) error {
		n, err := dbfleet.Sum[int64](ctx, accounts, "balance")
		if err != nil {
			return err
		}
		_, err = accounts.Where("owner", "=", owner).Update(ctx, map[string]any{"balance": n + 1})
		return err
	}
	runs := 0
	retried := serializable
	retried.Retries = 2
	var failed error
	require.NoError(t, fl.Transaction(t.Context(), "", func(ctx context.Context, tx *dbfleet.Tx) error {
		require.NoError(t, tx.AfterRollback(func(_ context.Context, err error) { failed = err }))
		if err := skew(ctx, "a"); err != nil {
			return err
		}
		if runs++; runs == 1 {
			return fl.Transaction(dbfleet.OutsideTx(ctx), "", func(ctx context.Context, _ *dbfleet.Tx) error { return skew(ctx, "b") }, serializable)
		}
		return nil
	}, retried))
	require.Equal(t, 2, runs)
	var known *dbfleet.QueryError
	require.ErrorAs(t, failed, &known)
	require.Equal(t, "commit", known.Op)
	require.ErrorIs(t, failed, dbfleet.ErrSerialization)
	require.Equal(t, 3, conformance.Counted(t, db, "SELECT SUM(balance) FROM accounts"))
}

// hazard 148: on SQLite in a rollback journal a reader is in COMMIT's way.
func TestTransaction_ABusyCommitOfSQLiteIsRunAgain(t *testing.T) {
	t.Parallel()
	fl := conformance.OnSQLite(t)
	accounts := fl.Bank(t)
	config := conformance.ConnectionTo(fl.Database)
	config.SQLite = dbfleet.SQLiteConfig{JournalMode: "DELETE", BusyTimeout: -1}
	require.NoError(t, fl.Replace(t.Context(), "main", config))
	rows, err := fl.DB("main").QueryContext(t.Context(), "SELECT 1 FROM accounts UNION ALL SELECT 2 FROM sqlite_master UNION ALL SELECT 3 FROM sqlite_master")
	require.NoError(t, err)
	defer rows.Close()
	require.True(t, rows.Next())
	require.NoError(t, rows.Err())
	var failed error
	runs := 0
	require.NoError(t, fl.Transaction(t.Context(), "", func(ctx context.Context, tx *dbfleet.Tx) error {
		require.NoError(t, tx.AfterRollback(func(_ context.Context, err error) {
			failed = err
			require.NoError(t, rows.Close())
		}))
		runs++
		return accounts.Create(ctx, &conformance.Account{Owner: "a"})
	}, dbfleet.TxOptions{Retries: 2}))
	require.Equal(t, 2, runs)
	require.ErrorIs(t, failed, dbfleet.ErrLockTimeout)
	require.Equal(t, []string{"a"}, conformance.Owners(t, fl.Database))
}
