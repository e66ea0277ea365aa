package transactions

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
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
