package transactions

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

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

var errUndo = errors.New("undo it")

// promise: every statement of a transaction on one primary connection.
func TestTransaction_CommitsWhatRanInside(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		accounts := fl.Bank(t)
		db := fl.DB("main")
		var routes []dbfleet.Route
		remove := db.OnAfterQuery(func(_ context.Context, e dbfleet.QueryEvent) { routes = append(routes, e.Route) })
		err := fl.Transaction(t.Context(), "main", func(ctx context.Context, tx *dbfleet.Tx) error {
			require.Equal(t, "main", tx.Connection())
			// A model, a table, the raw methods of the connection and of the handle,
			// each with the transaction in ctx or given by hand.
			require.NoError(t, accounts.Create(ctx, &conformance.Account{Owner: "by model"}))
			require.NoError(t, accounts.Using(tx).Create(t.Context(), &conformance.Account{Owner: "by Using"}))
			_, err := db.Table("accounts").Insert(ctx, map[string]any{"owner": "by table", "balance": 1})
			require.NoError(t, err)
			_, err = tx.Table("accounts").Insert(t.Context(), map[string]any{"owner": "by tx.Table", "balance": 1})
			require.NoError(t, err)
			_, err = db.ExecContext(ctx, conformance.Inserting("by db"))
			require.NoError(t, err)
			_, err = tx.ExecContext(t.Context(), marks(fl.Database.Dialect, "INSERT INTO accounts (owner, balance) VALUES (?, ?)"), "by tx", 1)
			require.NoError(t, err)
			stmt, err := tx.PrepareContext(ctx, marks(fl.Database.Dialect, "INSERT INTO accounts (owner, balance) VALUES (?, ?)"))
			require.NoError(t, err)
			_, err = stmt.ExecContext(ctx, "by stmt", 1)
			require.NoError(t, err)
			require.NoError(t, stmt.Close())
			require.NoError(t, accounts.CreateMany(ctx, []conformance.Account{{Owner: "many 1"}, {Owner: "many 2"}}))

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
			require.Empty(t, conformance.Owners(t, fl.Database))
			return nil
		})
		require.NoError(t, err)
		remove()
		require.Len(t, conformance.Owners(t, fl.Database), 9)
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
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		accounts := fl.Bank(t)
		write := func(ctx context.Context) {
			require.NoError(t, accounts.Create(ctx, &conformance.Account{Owner: "gone"}))
		}

		err := fl.Transaction(t.Context(), "", func(ctx context.Context, _ *dbfleet.Tx) error { write(ctx); return errUndo })
		require.Equal(t, errUndo, err, "the closure's error comes back as it is")
		require.Empty(t, conformance.Owners(t, fl.Database))

		require.PanicsWithValue(t, "panicking", func() {
			_ = fl.Transaction(t.Context(), "", func(ctx context.Context, _ *dbfleet.Tx) error { write(ctx); panic("panicking") })
		})
		require.Empty(t, conformance.Owners(t, fl.Database))

		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = fl.Transaction(t.Context(), "", func(ctx context.Context, _ *dbfleet.Tx) error { write(ctx); runtime.Goexit(); return nil })
		}()
		<-done
		require.Empty(t, conformance.Owners(t, fl.Database))

		// hazard 132: a closure that returns nil after the end of its context.
		ctx, cancel := context.WithCancel(t.Context())
		var events []dbfleet.QueryEvent
		remove := fl.OnAfterQuery(func(_ context.Context, e dbfleet.QueryEvent) { events = append(events, e) })
		err = fl.Transaction(ctx, "", func(ctx context.Context, _ *dbfleet.Tx) error { write(ctx); cancel(); return nil })
		remove()
		require.ErrorIs(t, err, context.Canceled)
		require.Empty(t, conformance.Owners(t, fl.Database))
		require.Equal(t, "rollback", events[len(events)-1].Op)

		// The rollback ended before Transaction returned: nothing waits for its lock.
		require.NoError(t, accounts.Create(t.Context(), &conformance.Account{Owner: "gone"}))
		conformance.RequireIdle(t, fl.Registry)
	})
}

// The statements of a hook take part in the transaction of the statement.
func TestTx_HooksRunInside(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		accounts := fl.Bank(t)
		fl.Create(t, `CREATE TABLE audit (what {text} NOT NULL)`)
		fl.OnAfterQuery(func(ctx context.Context, e dbfleet.QueryEvent) {
			if e.Op == "insert" {
				_, err := audit(ctx, fl, e.Op)
				require.NoError(t, err)
			}
		})
		audited := func() (n int) {
			require.NoError(t, fl.Database.SQL(t).QueryRowContext(t.Context(), "SELECT COUNT(*) FROM audit").Scan(&n))
			return n
		}
		err := fl.Transaction(t.Context(), "", func(ctx context.Context, _ *dbfleet.Tx) error {
			require.NoError(t, accounts.Create(ctx, &conformance.Account{Owner: "a"}))
			return errUndo
		})
		require.ErrorIs(t, err, errUndo)
		require.Zero(t, audited())
		require.NoError(t, accounts.Create(t.Context(), &conformance.Account{Owner: "a"}))
		require.Equal(t, 1, audited())
	})
}

// audit writes a line of the audit.
func audit(ctx context.Context, fl conformance.Fleet, what string) (sql.Result, error) {
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
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		accounts := fl.Bank(t)
		for level := sql.LevelDefault; level <= sql.LevelLinearizable; level++ {
			ran := false
			err := fl.Transaction(t.Context(), "", func(ctx context.Context, tx *dbfleet.Tx) error {
				ran = true
				if q := show[fl.Database.Dialect]; fl.Database.Dialect == "postgres" && level != sql.LevelDefault && level != sql.LevelSnapshot {
					var got string
					require.NoError(t, tx.QueryRowContext(ctx, q).Scan(&got))
					require.Equal(t, strings.ToLower(level.String()), got)
				}
				return nil
			}, dbfleet.TxOptions{Isolation: level})
			known := false
			for _, l := range levels[fl.Database.Dialect] {
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
			return accounts.Create(ctx, &conformance.Account{Owner: "refused"})
		}, dbfleet.TxOptions{ReadOnly: true, Retries: 3})
		require.ErrorIs(t, err, dbfleet.ErrReadOnly)
		require.False(t, dbfleet.IsRetryable(err))
		require.Empty(t, conformance.Owners(t, fl.Database))
		require.NoError(t, accounts.Create(t.Context(), &conformance.Account{Owner: "next"}), "the connection writes again")

		never := func(context.Context, *dbfleet.Tx) error { t.Error("the closure ran"); return nil }
		require.Error(t, fl.Transaction(t.Context(), "", never, dbfleet.TxOptions{Retries: 11}))
		require.Error(t, fl.Transaction(t.Context(), "", never, dbfleet.TxOptions{Retries: -1}))
		require.Error(t, fl.Transaction(t.Context(), "", never, dbfleet.TxOptions{}, dbfleet.TxOptions{}))
		require.ErrorIs(t, fl.DB("main").Read().Transaction(t.Context(), never), dbfleet.ErrReadHandle)
		require.ErrorIs(t, fl.DB("main").Read().Table("accounts").Transaction(t.Context(), never), dbfleet.ErrReadHandle)
		var unknown *dbfleet.UnknownConnectionError
		require.ErrorAs(t, fl.Transaction(t.Context(), "nowhere", never), &unknown)
		require.Equal(t, []string{"main"}, unknown.Known)
		require.NoError(t, fl.Transaction(t.Context(), "", func(ctx context.Context, _ *dbfleet.Tx) error {
			require.Error(t, fl.Transaction(ctx, "", never, dbfleet.TxOptions{ReadOnly: true}), "the outer one writes")
			return nil
		}))
	})
}
