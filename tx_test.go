package dbfleet_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

type account struct {
	ID      int64
	Owner   string
	Balance int64
}

const accountsTable = `CREATE TABLE accounts (id {id}, owner {text} NOT NULL UNIQUE, balance {bigint} NOT NULL)`

// bank makes the table of accounts and its model.
func (fl fleet) bank(t *testing.T) *dbfleet.Model[account] {
	t.Helper()
	fl.create(t, accountsTable)
	return model[account](t, fl.Registry, dbfleet.ModelConfig{Table: "accounts"})
}

// owners are those that a stranger to the library sees in the table.
func owners(t testing.TB, db dbtest.Database) []string {
	t.Helper()
	rows, err := db.SQL(t).QueryContext(t.Context(), "SELECT owner FROM accounts ORDER BY owner")
	require.NoError(t, err)
	defer rows.Close()
	out := []string{}
	for rows.Next() {
		var s string
		require.NoError(t, rows.Scan(&s))
		out = append(out, s)
	}
	require.NoError(t, rows.Err())
	return out
}

// marks writes a statement's ? as the dialect has them.
func marks(dialect, query string) string {
	if dialect != "postgres" {
		return query
	}
	for i := 1; strings.Contains(query, "?"); i++ {
		query = strings.Replace(query, "?", fmt.Sprintf("$%d", i), 1)
	}
	return query
}

// inserting is a statement without arguments that opens an account.
func inserting(owner string) string {
	return "INSERT INTO accounts (owner, balance) VALUES ('" + owner + "', 1)"
}

var errUndo = errors.New("undo it")

// promise: every statement of a transaction on one primary connection.
func TestTransaction_CommitsWhatRanInside(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
		accounts := fl.bank(t)
		db := fl.DB("main")
		var routes []dbfleet.Route
		remove := db.OnAfterQuery(func(_ context.Context, e dbfleet.QueryEvent) { routes = append(routes, e.Route) })
		err := fl.Transaction(t.Context(), "main", func(ctx context.Context, tx *dbfleet.Tx) error {
			require.Equal(t, "main", tx.Connection())
			// A model, a table, the raw methods of the connection and of the handle,
			// each with the transaction in ctx or given by hand.
			require.NoError(t, accounts.Create(ctx, &account{Owner: "by model"}))
			require.NoError(t, accounts.Using(tx).Create(t.Context(), &account{Owner: "by Using"}))
			_, err := db.Table("accounts").Insert(ctx, map[string]any{"owner": "by table", "balance": 1})
			require.NoError(t, err)
			_, err = tx.Table("accounts").Insert(t.Context(), map[string]any{"owner": "by tx.Table", "balance": 1})
			require.NoError(t, err)
			_, err = db.ExecContext(ctx, inserting("by db"))
			require.NoError(t, err)
			_, err = tx.ExecContext(t.Context(), marks(fl.db.Dialect, "INSERT INTO accounts (owner, balance) VALUES (?, ?)"), "by tx", 1)
			require.NoError(t, err)
			stmt, err := tx.PrepareContext(ctx, marks(fl.db.Dialect, "INSERT INTO accounts (owner, balance) VALUES (?, ?)"))
			require.NoError(t, err)
			_, err = stmt.ExecContext(ctx, "by stmt", 1)
			require.NoError(t, err)
			require.NoError(t, stmt.Close())
			require.NoError(t, accounts.CreateMany(ctx, []account{{Owner: "many 1"}, {Owner: "many 2"}}))

			n, err := accounts.Count(ctx)
			require.NoError(t, err)
			require.EqualValues(t, 9, n, "what was written is seen inside")
			require.NoError(t, db.QueryRowContext(ctx, "SELECT COUNT(*) FROM accounts").Scan(&n))
			require.EqualValues(t, 9, n)
			// hazard 158: a read on the handle for reads sees it too.
			require.NoError(t, db.Read().QueryRowContext(ctx, "SELECT COUNT(*) FROM accounts").Scan(&n))
			require.EqualValues(t, 9, n)
			n, err = accounts.Count(dbfleet.OutsideTx(ctx))
			require.NoError(t, err)
			require.Zero(t, n, "outside nothing is seen")
			require.Empty(t, owners(t, fl.db))
			return nil
		})
		require.NoError(t, err)
		remove()
		require.Len(t, owners(t, fl.db), 9)
		outside := 0
		for _, r := range routes {
			require.Equal(t, dbfleet.RolePrimary, r.Role)
			if !r.Tx {
				outside++
			}
		}
		require.Equal(t, 1, outside, "only the statement with OutsideTx: %v", routes)
	})
}

// promise 19: rolled back on error, panic, Goexit and cancel.
func TestTransaction_RollsBack(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
		accounts := fl.bank(t)
		write := func(ctx context.Context) { require.NoError(t, accounts.Create(ctx, &account{Owner: "gone"})) }

		err := fl.Transaction(t.Context(), "", func(ctx context.Context, _ *dbfleet.Tx) error { write(ctx); return errUndo })
		require.Equal(t, errUndo, err, "the closure's error comes back as it is")
		require.Empty(t, owners(t, fl.db))

		require.PanicsWithValue(t, "panicking", func() {
			_ = fl.Transaction(t.Context(), "", func(ctx context.Context, _ *dbfleet.Tx) error { write(ctx); panic("panicking") })
		})
		require.Empty(t, owners(t, fl.db))

		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = fl.Transaction(t.Context(), "", func(ctx context.Context, _ *dbfleet.Tx) error { write(ctx); runtime.Goexit(); return nil })
		}()
		<-done
		require.Empty(t, owners(t, fl.db))

		// hazard 132: a closure that returns nil after the end of its context.
		ctx, cancel := context.WithCancel(t.Context())
		var events []dbfleet.QueryEvent
		remove := fl.OnAfterQuery(func(_ context.Context, e dbfleet.QueryEvent) { events = append(events, e) })
		err = fl.Transaction(ctx, "", func(ctx context.Context, _ *dbfleet.Tx) error { write(ctx); cancel(); return nil })
		remove()
		require.ErrorIs(t, err, context.Canceled)
		require.Empty(t, owners(t, fl.db))
		require.Equal(t, "rollback", events[len(events)-1].Op)

		// The rollback ended before Transaction returned: nothing waits for its lock.
		require.NoError(t, accounts.Create(t.Context(), &account{Owner: "gone"}))
		requireIdle(t, fl.Registry)
	})
}

// requireIdle fails if a connection of the registry is in use.
func requireIdle(t testing.TB, r *dbfleet.Registry) {
	t.Helper()
	for name, s := range r.Stats() {
		require.Zero(t, s.InUse, name)
	}
}

// hazard 127: nesting makes savepoints and sends no second BEGIN.
func TestTransaction_NestsAsSavepoints(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
		accounts := fl.bank(t)
		var sent []string
		fl.OnBeforeQuery(func(_ context.Context, e dbfleet.QueryEvent) {
			if e.Op != "insert" {
				sent = append(sent, e.SQL)
			}
		})
		add := func(ctx context.Context, owner string) {
			require.NoError(t, accounts.Create(ctx, &account{Owner: owner}))
		}
		err := fl.Transaction(t.Context(), "", func(ctx context.Context, tx *dbfleet.Tx) error {
			add(ctx, "1")
			require.NoError(t, fl.Transaction(ctx, "main", func(ctx context.Context, _ *dbfleet.Tx) error {
				add(ctx, "1.1")
				require.Equal(t, errUndo, fl.DB("main").Transaction(ctx, func(ctx context.Context, _ *dbfleet.Tx) error {
					add(ctx, "1.1.1")
					return errUndo
				}))
				return fl.Transaction(ctx, "main", func(ctx context.Context, tx *dbfleet.Tx) error {
					add(ctx, "1.1.2")
					return tx.Transaction(ctx, func(ctx context.Context, _ *dbfleet.Tx) error {
						add(ctx, "1.1.2.1")
						return nil
					})
				})
			}))
			require.PanicsWithValue(t, "inside", func() {
				_ = tx.Transaction(ctx, func(ctx context.Context, _ *dbfleet.Tx) error { add(ctx, "1.2"); panic("inside") })
			})
			// An error of the database inside a savepoint is undone with it, on
			// PostgreSQL too.
			err := tx.Transaction(ctx, func(ctx context.Context, _ *dbfleet.Tx) error {
				add(ctx, "1.3")
				return accounts.Create(ctx, &account{Owner: "1"})
			})
			require.ErrorIs(t, err, dbfleet.ErrUnique)
			// So is the end of a savepoint's own context.
			inner, cancel := context.WithCancel(ctx)
			err = tx.Transaction(inner, func(ctx context.Context, _ *dbfleet.Tx) error { add(ctx, "1.4"); cancel(); return nil })
			require.ErrorIs(t, err, context.Canceled)
			add(ctx, "1.5")
			return nil
		})
		require.NoError(t, err)
		require.Equal(t, []string{"1", "1.1", "1.1.2", "1.1.2.1", "1.5"}, owners(t, fl.db))
		require.Equal(t, []string{
			"BEGIN", "SAVEPOINT dbfleet_1", "SAVEPOINT dbfleet_2",
			"ROLLBACK TO SAVEPOINT dbfleet_2", "RELEASE SAVEPOINT dbfleet_2",
			"SAVEPOINT dbfleet_3", "SAVEPOINT dbfleet_4", "RELEASE SAVEPOINT dbfleet_4", "RELEASE SAVEPOINT dbfleet_3", "RELEASE SAVEPOINT dbfleet_1",
			"SAVEPOINT dbfleet_5", "ROLLBACK TO SAVEPOINT dbfleet_5", "RELEASE SAVEPOINT dbfleet_5",
			"SAVEPOINT dbfleet_6", "ROLLBACK TO SAVEPOINT dbfleet_6", "RELEASE SAVEPOINT dbfleet_6",
			"SAVEPOINT dbfleet_7", "ROLLBACK TO SAVEPOINT dbfleet_7", "RELEASE SAVEPOINT dbfleet_7",
			"COMMIT",
		}, sent)
		// A failed savepoint whose error is returned ends the whole transaction.
		err = fl.Transaction(t.Context(), "", func(ctx context.Context, tx *dbfleet.Tx) error {
			add(ctx, "2")
			return tx.Transaction(ctx, func(context.Context, *dbfleet.Tx) error { return errUndo })
		})
		require.Equal(t, errUndo, err)
		require.Len(t, owners(t, fl.db), 5)
	})
}

// hazards 130, 132: handles and contexts that have ended send nothing.
func TestTx_AfterItsEndSendsNothing(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
		accounts := fl.bank(t)
		sent := 0
		fl.OnBeforeQuery(func(_ context.Context, e dbfleet.QueryEvent) { sent++ })
		refused := func(what string, ctx context.Context, tx *dbfleet.Tx) {
			t.Helper()
			before := sent
			_, err := tx.ExecContext(t.Context(), inserting("late"))
			require.ErrorIs(t, err, dbfleet.ErrTxDone, what)
			require.ErrorIs(t, err, sql.ErrTxDone, what)
			_, err = tx.QueryContext(t.Context(), "SELECT 1")
			require.ErrorIs(t, err, dbfleet.ErrTxDone, what)
			require.ErrorIs(t, tx.QueryRowContext(t.Context(), "SELECT 1").Scan(new(int)), dbfleet.ErrTxDone, what)
			_, err = tx.PrepareContext(t.Context(), "SELECT 1")
			require.ErrorIs(t, err, dbfleet.ErrTxDone, what)
			never := func(context.Context, *dbfleet.Tx) error { t.Error("the closure ran"); return nil }
			require.ErrorIs(t, tx.Transaction(t.Context(), never), dbfleet.ErrTxDone, what)
			require.ErrorIs(t, accounts.Using(tx).Create(t.Context(), &account{Owner: "late"}), dbfleet.ErrTxDone, what)
			_, err = tx.Table("accounts").Get(t.Context())
			require.ErrorIs(t, err, dbfleet.ErrTxDone, what)
			// The context outlived the closure.
			require.ErrorIs(t, accounts.Create(ctx, &account{Owner: "late"}), dbfleet.ErrTxDone, what)
			_, err = fl.DB("main").ExecContext(ctx, inserting("late"))
			require.ErrorIs(t, err, dbfleet.ErrTxDone, what)
			_, err = accounts.Get(ctx)
			require.ErrorIs(t, err, dbfleet.ErrTxDone, what)
			require.ErrorIs(t, fl.Transaction(ctx, "", never), dbfleet.ErrTxDone, what)
			require.Equal(t, before, sent, "%s: nothing was sent", what)
		}
		for _, outcome := range []error{nil, errUndo} {
			var tx *dbfleet.Tx
			var inside context.Context
			err := fl.Transaction(t.Context(), "", func(ctx context.Context, outer *dbfleet.Tx) error {
				tx, inside = outer, ctx
				var sp *dbfleet.Tx
				var spCtx context.Context
				require.Equal(t, outcome, outer.Transaction(ctx, func(ctx context.Context, inner *dbfleet.Tx) error {
					sp, spCtx = inner, ctx
					return outcome
				}))
				refused("savepoint", spCtx, sp)
				require.NoError(t, accounts.Create(ctx, &account{Owner: fmt.Sprint("outer ", outcome)}))
				return nil
			})
			require.NoError(t, err)
			refused("transaction", inside, tx)
			require.ErrorIs(t, fl.Transaction(t.Context(), "", func(ctx context.Context, outer *dbfleet.Tx) error {
				tx, inside = outer, ctx
				return errUndo
			}), errUndo)
			refused("rolled back", inside, tx)
		}
		require.Len(t, owners(t, fl.db), 2)
	})
}

// hazard 130: savepoints end in the reverse order of their beginnings. One
// that would not is refused before anything is sent.
func TestTx_SavepointsOfTwoBranchesDoNotOverlap(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
		accounts := fl.bank(t)
		err := fl.Transaction(t.Context(), "", func(ctx context.Context, tx *dbfleet.Tx) error {
			return tx.Transaction(ctx, func(inner context.Context, _ *dbfleet.Tx) error {
				never := func(context.Context, *dbfleet.Tx) error { t.Error("the closure ran"); return nil }
				require.ErrorIs(t, tx.Transaction(ctx, never), dbfleet.ErrBusy, "the outer handle")
				require.ErrorIs(t, fl.Transaction(ctx, "main", never), dbfleet.ErrBusy, "the outer context")
				// A statement through the outer handle belongs to the innermost savepoint.
				require.NoError(t, accounts.Using(tx).Create(ctx, &account{Owner: "outer handle"}))
				return fl.Transaction(inner, "main", func(ctx context.Context, _ *dbfleet.Tx) error {
					return accounts.Create(ctx, &account{Owner: "in order"})
				})
			})
		})
		require.NoError(t, err)
		require.Equal(t, []string{"in order", "outer handle"}, owners(t, fl.db))

		// A goroutine that goes on after the savepoint in which it began its own.
		begun, ended := make(chan struct{}), make(chan struct{})
		var late error
		var wg sync.WaitGroup
		err = fl.Transaction(t.Context(), "", func(ctx context.Context, tx *dbfleet.Tx) error {
			require.ErrorIs(t, tx.Transaction(ctx, func(ctx context.Context, tx *dbfleet.Tx) error {
				wg.Go(func() {
					late = tx.Transaction(ctx, func(ctx context.Context, _ *dbfleet.Tx) error {
						close(begun)
						<-ended
						return accounts.Create(ctx, &account{Owner: "late"})
					})
				})
				<-begun
				return errUndo
			}), errUndo)
			close(ended)
			wg.Wait()
			return accounts.Create(ctx, &account{Owner: "after"})
		})
		require.NoError(t, err)
		require.ErrorIs(t, late, dbfleet.ErrTxDone)
		require.Equal(t, []string{"after", "in order", "outer handle"}, owners(t, fl.db))
	})
}

// hazard 141: a transaction reaches its own connection only.
func TestTx_IsForItsConnectionOnly(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
		file := dbtest.New(t, "sqlite")
		fl := fleet{open(t, map[string]dbfleet.ConnectionConfig{"main": connectionTo(db), "second": connectionTo(file)}), db}
		accounts := fl.bank(t)
		other := open(t, map[string]dbfleet.ConnectionConfig{"main": connectionTo(fl.db)})
		_, err := fl.DB("second").ExecContext(t.Context(), ddl("sqlite", accountsTable))
		require.NoError(t, err)
		second := model[account](t, fl.Registry, dbfleet.ModelConfig{Table: "accounts", Connection: "second"})
		theirs := model[account](t, other, dbfleet.ModelConfig{Table: "accounts"})

		err = fl.Transaction(t.Context(), "main", func(ctx context.Context, tx *dbfleet.Tx) error {
			require.NoError(t, accounts.Create(ctx, &account{Owner: "mine"}))
			var wrong *dbfleet.TxConnectionError
			require.ErrorAs(t, second.Using(tx).Create(ctx, &account{Owner: "wrong"}), &wrong)
			require.Equal(t, dbfleet.TxConnectionError{Tx: "main", Want: "second"}, *wrong)
			_, err := accounts.DB("second").Using(tx).Count(ctx)
			require.ErrorAs(t, err, &wrong)
			// Another registry's connection of the same name is another connection.
			require.ErrorAs(t, theirs.Using(tx).Create(ctx, &account{Owner: "wrong"}), &wrong)
			n, err := theirs.Count(ctx)
			require.NoError(t, err)
			require.Zero(t, n, "it does not join by name")

			// What routes elsewhere runs on its own, or in a transaction of its own.
			require.NoError(t, second.Create(ctx, &account{Owner: "on its own"}))
			require.NoError(t, fl.Transaction(ctx, "second", func(ctx context.Context, tx2 *dbfleet.Tx) error {
				require.NoError(t, second.Create(ctx, &account{Owner: "in its own"}))
				require.NoError(t, accounts.Create(ctx, &account{Owner: "mine too"}), "both transactions are in ctx")
				r, err := accounts.Query().Route(ctx)
				require.NoError(t, err)
				require.True(t, r.Tx)
				return nil
			}))
			// Outside of both.
			err = fl.Transaction(dbfleet.OutsideTx(ctx), "second", func(ctx context.Context, _ *dbfleet.Tx) error {
				r, err := accounts.Query().Route(ctx)
				require.NoError(t, err)
				require.False(t, r.Tx, "OutsideTx hides the transactions that were there")
				r, err = second.Query().Route(ctx)
				require.NoError(t, err)
				require.True(t, r.Tx)
				return nil
			})
			require.NoError(t, err)
			return errUndo
		})
		require.ErrorIs(t, err, errUndo)
		require.Empty(t, owners(t, fl.db))
		require.Equal(t, []string{"in its own", "on its own"}, owners(t, file))
	})
}

// The statements of a hook take part in the transaction of the statement.
func TestTx_HooksRunInside(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
		accounts := fl.bank(t)
		fl.create(t, `CREATE TABLE audit (what {text} NOT NULL)`)
		fl.OnAfterQuery(func(ctx context.Context, e dbfleet.QueryEvent) {
			if e.Op == "insert" {
				_, err := fl.audit(ctx, e.Op)
				require.NoError(t, err)
			}
		})
		audited := func() (n int) {
			require.NoError(t, fl.db.SQL(t).QueryRowContext(t.Context(), "SELECT COUNT(*) FROM audit").Scan(&n))
			return n
		}
		err := fl.Transaction(t.Context(), "", func(ctx context.Context, _ *dbfleet.Tx) error {
			require.NoError(t, accounts.Create(ctx, &account{Owner: "a"}))
			return errUndo
		})
		require.ErrorIs(t, err, errUndo)
		require.Zero(t, audited())
		require.NoError(t, accounts.Create(t.Context(), &account{Owner: "a"}))
		require.Equal(t, 1, audited())
	})
}

// audit writes a line of the audit.
func (fl fleet) audit(ctx context.Context, what string) (sql.Result, error) {
	return fl.DB("main").ExecContext(ctx, "INSERT INTO audit (what) VALUES ('"+what+"')")
}

// hazards 136, 138: a level that a database does not have is an error, and so
// is a write in a transaction for reading, everywhere by the same class.
func TestTransaction_Options(t *testing.T) {
	t.Parallel()
	levels := map[string][]sql.IsolationLevel{
		"sqlite":   {sql.LevelDefault, sql.LevelSerializable},
		"postgres": {sql.LevelDefault, sql.LevelReadUncommitted, sql.LevelReadCommitted, sql.LevelRepeatableRead, sql.LevelSnapshot, sql.LevelSerializable},
		"mysql":    {sql.LevelDefault, sql.LevelReadUncommitted, sql.LevelReadCommitted, sql.LevelRepeatableRead, sql.LevelSerializable},
	}
	show := map[string]string{"postgres": "SHOW transaction_isolation", "mysql": "SELECT @@tx_isolation"}
	onEach(t, func(t *testing.T, fl fleet) {
		accounts := fl.bank(t)
		for level := sql.LevelDefault; level <= sql.LevelLinearizable; level++ {
			ran := false
			err := fl.Transaction(t.Context(), "", func(ctx context.Context, tx *dbfleet.Tx) error {
				ran = true
				if q := show[fl.db.Dialect]; fl.db.Dialect == "postgres" && level != sql.LevelDefault && level != sql.LevelSnapshot {
					var got string
					require.NoError(t, tx.QueryRowContext(ctx, q).Scan(&got))
					require.Equal(t, strings.ToLower(level.String()), got)
				}
				return nil
			}, dbfleet.TxOptions{Isolation: level})
			known := false
			for _, l := range levels[fl.db.Dialect] {
				known = known || l == level
			}
			require.Equal(t, known, ran, level)
			if known {
				require.NoError(t, err, level)
				continue
			}
			require.ErrorIs(t, err, dbfleet.ErrInvalidValue, level)
			require.ErrorContains(t, err, level.String())
		}

		err := fl.Transaction(t.Context(), "", func(ctx context.Context, _ *dbfleet.Tx) error {
			n, err := accounts.Count(ctx)
			require.NoError(t, err)
			require.Zero(t, n)
			return accounts.Create(ctx, &account{Owner: "refused"})
		}, dbfleet.TxOptions{ReadOnly: true, Retries: 3})
		require.ErrorIs(t, err, dbfleet.ErrReadOnly)
		require.False(t, dbfleet.IsRetryable(err))
		require.Empty(t, owners(t, fl.db))
		require.NoError(t, accounts.Create(t.Context(), &account{Owner: "next"}), "the connection writes again")

		never := func(context.Context, *dbfleet.Tx) error { t.Error("the closure ran"); return nil }
		require.Error(t, fl.Transaction(t.Context(), "", never, dbfleet.TxOptions{Retries: 11}))
		require.Error(t, fl.Transaction(t.Context(), "", never, dbfleet.TxOptions{Retries: -1}))
		require.Error(t, fl.Transaction(t.Context(), "", never, dbfleet.TxOptions{}, dbfleet.TxOptions{}))
		require.ErrorIs(t, fl.DB("main").Read().Transaction(t.Context(), never), dbfleet.ErrReadHandle)
		var unknown *dbfleet.UnknownConnectionError
		require.ErrorAs(t, fl.Transaction(t.Context(), "nowhere", never), &unknown)
		require.Equal(t, []string{"main"}, unknown.Known)
		require.NoError(t, fl.Transaction(t.Context(), "", func(ctx context.Context, _ *dbfleet.Tx) error {
			require.Error(t, fl.Transaction(ctx, "", never, dbfleet.TxOptions{ReadOnly: true}), "a savepoint takes no options")
			return nil
		}))
	})
}

// hazard 127: what begins or ends a transaction behind the library's back is
// refused before anything is sent.
func TestRaw_TransactionControlIsRefused(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
		accounts := fl.bank(t)
		db := fl.DB("main")
		for _, query := range []string{
			"BEGIN", "begin immediate", " \n\tBegin;", "-- hello\nCOMMIT", "/* a */ /* b */ COMMIT", "END", "ROLLBACK", "ROLLBACK TO x",
			"START TRANSACTION", "START /* x */ TRANSACTION READ ONLY", "SAVEPOINT x", "RELEASE x", "RELEASE SAVEPOINT x", "ABORT",
			"XA START 'x'", "PREPARE  TRANSACTION 'x'", "prepare\ntransaction 'x'", "COMMIT AND CHAIN", ";;COMMIT", "# x\nCOMMIT", "/*!50000 COMMIT */",
		} {
			var statement *dbfleet.StatementError
			_, err := db.ExecContext(t.Context(), query)
			require.ErrorAs(t, err, &statement, query)
			_, err = db.QueryContext(t.Context(), query)
			require.ErrorAs(t, err, &statement, query)
			require.ErrorAs(t, db.QueryRowContext(t.Context(), query).Scan(new(int)), &statement, query)
			_, err = db.PrepareContext(t.Context(), query)
			require.ErrorAs(t, err, &statement, query)
			err = fl.Transaction(t.Context(), "", func(ctx context.Context, tx *dbfleet.Tx) error {
				require.NoError(t, accounts.Create(ctx, &account{Owner: "x"}))
				_, err := tx.ExecContext(ctx, query)
				require.ErrorAs(t, err, &statement, query)
				return errUndo
			})
			require.ErrorIs(t, err, errUndo)
		}
		require.Empty(t, owners(t, fl.db))
		// hazard 127: a text of several statements hides none.
		if fl.db.Dialect != "mysql" {
			for _, query := range []string{
				"SELECT 1; COMMIT", "SELECT ';'; COMMIT", "SELECT \";\" ;\n -- x\n COMMIT", "SELECT 'it''s;' ; /* ; */ BEGIN; SELECT 1",
				"-- ;\nSELECT 1; ROLLBACK", "SELECT 1;;;COMMIT;",
			} {
				var statement *dbfleet.StatementError
				_, err := db.ExecContext(t.Context(), query)
				require.ErrorAs(t, err, &statement, query)
			}
		}
		if fl.db.Dialect == "postgres" {
			for _, query := range []string{"SELECT $$;$$; COMMIT", "SELECT $a_1$ $$;$a_1$; COMMIT", `SELECT E'\';'; COMMIT`, `SELECT '\'; COMMIT`, "/* /* */ */ COMMIT"} {
				var statement *dbfleet.StatementError
				_, err := db.ExecContext(t.Context(), query)
				require.ErrorAs(t, err, &statement, query)
			}
		}
		for _, query := range map[string][]string{
			"sqlite":   {"SELECT '; COMMIT'", "SELECT 1; -- ; COMMIT", "CREATE TABLE a1 (v INT); CREATE TABLE a2 (v INT)", "CREATE TRIGGER tr AFTER INSERT ON accounts BEGIN SELECT 1; SELECT 2; END"},
			"postgres": {"SELECT '; COMMIT'", "SELECT $x$ ; COMMIT $x$", "DO $$ BEGIN PERFORM 1; END $$", "SELECT 1; SELECT 2 /* ; COMMIT */", `SELECT E'\'; COMMIT'`},
			"mysql":    {"SELECT '; COMMIT'"},
		}[fl.db.Dialect] {
			_, err := db.ExecContext(t.Context(), query)
			require.NoError(t, err, query)
		}
		// Words that only look like them.
		fl.create(t, `CREATE TABLE begin_here (v {int})`)
		_, err := db.ExecContext(t.Context(), "/* BEGIN */ INSERT INTO begin_here (v) VALUES (1) -- COMMIT")
		require.NoError(t, err)
	})
}

// hazard 140: statements of two goroutines in one transaction run one at a time.
func TestTx_ServesTwoGoroutines(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
		accounts := fl.bank(t)
		const goroutines, each = 6, 15
		err := fl.Transaction(t.Context(), "", func(ctx context.Context, tx *dbfleet.Tx) error {
			var wg sync.WaitGroup
			for g := range goroutines {
				wg.Go(func() {
					for i := range each {
						owner := fmt.Sprintf("%d-%d", g, i)
						if i%2 == 0 {
							require.NoError(t, accounts.Create(ctx, &account{Owner: owner}))
						} else {
							_, err := tx.ExecContext(ctx, inserting(owner))
							require.NoError(t, err)
						}
						found, err := accounts.Where("owner", "=", owner).Get(ctx)
						require.NoError(t, err)
						require.Len(t, found, 1)
					}
				})
			}
			wg.Wait()
			return nil
		})
		require.NoError(t, err)
		require.Len(t, owners(t, fl.db), goroutines*each)
	})
}

// hazard 142: rows left open in a transaction.
func TestTx_OpenRows(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
		accounts := fl.bank(t)
		db := fl.DB("main")
		require.NoError(t, accounts.CreateMany(t.Context(), []account{{Owner: "a"}, {Owner: "b"}, {Owner: "c"}}))
		var left []*sql.Rows
		var stmt *sql.Stmt
		err := fl.Transaction(t.Context(), "", func(ctx context.Context, tx *dbfleet.Tx) error {
			rows, err := tx.QueryContext(ctx, "SELECT owner FROM accounts")
			require.NoError(t, err)
			require.True(t, rows.Next())
			err = accounts.Create(ctx, &account{Owner: "meanwhile"})
			if fl.db.Dialect == "sqlite" {
				require.NoError(t, err, "SQLite does both at once")
			} else {
				require.ErrorIs(t, err, dbfleet.ErrBusy)
				_, err = tx.ExecContext(ctx, inserting("meanwhile"))
				require.ErrorIs(t, err, dbfleet.ErrBusy)
				_, err = db.QueryContext(ctx, "SELECT 1")
				require.ErrorIs(t, err, dbfleet.ErrBusy)
				require.NoError(t, rows.Close())
				require.NoError(t, accounts.Create(ctx, &account{Owner: "meanwhile"}), "it goes on once they are closed")
			}
			// An iteration that is broken off gives the connection back.
			for _, err := range accounts.Query().Iter(ctx) {
				require.NoError(t, err)
				break
			}
			left = append(left, rows)
			// Rows that nobody closes, of the handle, of the connection and of a statement.
			rows, err = db.QueryContext(ctx, "SELECT owner FROM accounts")
			require.NoError(t, err)
			left = append(left, rows)
			return nil
		})
		require.NoError(t, err)
		require.Len(t, owners(t, fl.db), 4)

		err = fl.Transaction(t.Context(), "", func(ctx context.Context, tx *dbfleet.Tx) error {
			tx.QueryRowContext(ctx, "SELECT owner FROM accounts") // never scanned
			return nil
		})
		require.NoError(t, err)

		err = fl.Transaction(t.Context(), "", func(ctx context.Context, tx *dbfleet.Tx) error {
			require.NoError(t, accounts.Create(ctx, &account{Owner: "with a statement"}))
			stmt, err = tx.PrepareContext(ctx, "SELECT owner FROM accounts")
			require.NoError(t, err)
			rows, err := stmt.QueryContext(ctx)
			require.NoError(t, err)
			require.True(t, rows.Next())
			left = append(left, rows)
			return nil
		})
		require.NoError(t, err)
		require.Len(t, owners(t, fl.db), 5)
		for _, rows := range left {
			require.False(t, rows.Next(), "the transaction's end has closed them")
			_ = rows.Err()
		}
		_, err = stmt.QueryContext(t.Context())
		require.Error(t, err, "the statement has ended with its transaction")
		requireIdle(t, fl.Registry)
	})
}

// hazard 139: retries are capped, and end with the context.
func TestTransaction_RetriesAreCapped(t *testing.T) {
	t.Parallel()
	fl := sqliteFleet(t)
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

// sqliteFleet is a fleet of one SQLite file.
func sqliteFleet(t *testing.T) fleet {
	db := dbtest.New(t, "sqlite")
	return fleet{open(t, map[string]dbfleet.ConnectionConfig{"main": connectionTo(db)}), db}
}
