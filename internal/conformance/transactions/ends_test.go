package transactions

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// hazards 130, 132: handles and contexts that have ended send nothing.
func TestTx_AfterItsEndSendsNothing(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		accounts := fl.Bank(t)
		sent := 0
		fl.OnBeforeQuery(func(ctx context.Context, _ dbfleet.QueryEvent) context.Context { sent++; return ctx })
		refused := func(what string, ctx context.Context, tx *dbfleet.Tx) {
			t.Helper()
			before := sent
			_, err := tx.ExecContext(t.Context(), conformance.Inserting("late"))
			require.ErrorIs(t, err, dbfleet.ErrTxDone, what)
			require.ErrorIs(t, err, sql.ErrTxDone, what)
			_, err = tx.QueryContext(t.Context(), "SELECT 1")
			require.ErrorIs(t, err, dbfleet.ErrTxDone, what)
			require.ErrorIs(t, tx.QueryRowContext(t.Context(), "SELECT 1").Scan(new(int)), dbfleet.ErrTxDone, what)
			_, err = tx.PrepareContext(t.Context(), "SELECT 1")
			require.ErrorIs(t, err, dbfleet.ErrTxDone, what)
			never := func(context.Context, *dbfleet.Tx) error { t.Error("the closure ran"); return nil }
			require.ErrorIs(t, tx.Transaction(t.Context(), never), dbfleet.ErrTxDone, what)
			require.ErrorIs(t, accounts.Using(tx).Create(t.Context(), &conformance.Account{Owner: "late"}), dbfleet.ErrTxDone, what)
			_, err = tx.Table("accounts").Get(t.Context())
			require.ErrorIs(t, err, dbfleet.ErrTxDone, what)
			// The context outlived the closure.
			require.ErrorIs(t, accounts.Create(ctx, &conformance.Account{Owner: "late"}), dbfleet.ErrTxDone, what)
			_, err = fl.DB("main").ExecContext(ctx, conformance.Inserting("late"))
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
				require.NoError(t, accounts.Create(ctx, &conformance.Account{Owner: fmt.Sprint("outer ", outcome)}))
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
		require.Len(t, conformance.Owners(t, fl.Database), 2)
	})
}

// A transaction that a shutdown has cut off takes no statement to prepare, as it
// takes none to run.
func TestTx_PreparesNothingOnceItIsCutOff(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
		r, err := dbfleet.Open(dbfleet.Config{Connections: map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(db)}, Default: "main"})
		require.NoError(t, err)
		var ended *dbfleet.Tx
		require.NoError(t, r.Transaction(t.Context(), "", func(ctx context.Context, tx *dbfleet.Tx) error {
			ended = tx
			stmt, err := tx.PrepareContext(ctx, "SELECT 1")
			require.NoError(t, err)
			return stmt.QueryRowContext(ctx).Scan(new(int))
		}))
		_, err = ended.PrepareContext(t.Context(), "SELECT 1")
		require.ErrorIs(t, err, dbfleet.ErrTxDone)

		err = r.Transaction(t.Context(), "", func(ctx context.Context, tx *dbfleet.Tx) error {
			over, cancel := context.WithDeadline(t.Context(), time.Now())
			defer cancel()
			require.ErrorIs(t, r.Shutdown(over), context.DeadlineExceeded)
			for _, prepare := range []func() error{
				func() error { _, err := tx.PrepareContext(ctx, "SELECT 1"); return err },
				func() error { _, err := r.DB("main").PrepareContext(ctx, "SELECT 1"); return err }, // joins it
			} {
				err := prepare()
				require.ErrorIs(t, err, dbfleet.ErrClosed)
				require.ErrorContains(t, err, "cut off")
			}
			return nil
		})
		require.ErrorIs(t, err, dbfleet.ErrClosed)
		dbtest.NoConnections(t, db)
	})
}

// failure is the error of a query whose rows nobody wants.
func failure(rows *sql.Rows, err error) error {
	if err != nil {
		return err
	}
	_ = rows.Close()
	return rows.Err()
}

// promise: every statement of a transaction runs on one primary connection. A
// read that lost it has nowhere else to be asked.
func TestTx_AsksALostReadOnce(t *testing.T) {
	t.Parallel()
	r, script := scripted(t)
	accounts := conformance.Model[conformance.Account](t, r, dbfleet.ModelConfig{Table: "accounts"})
	h := r.DB("main")
	reads := map[string]func(ctx context.Context, tx *dbfleet.Tx) error{
		"get":      func(ctx context.Context, _ *dbfleet.Tx) error { _, err := accounts.Get(ctx); return err },
		"find":     func(ctx context.Context, _ *dbfleet.Tx) error { _, err := accounts.Find(ctx, 1); return err },
		"count":    func(ctx context.Context, _ *dbfleet.Tx) error { _, err := accounts.Count(ctx); return err },
		"table":    func(ctx context.Context, _ *dbfleet.Tx) error { _, err := h.Table("accounts").Get(ctx); return err },
		"read":     func(ctx context.Context, _ *dbfleet.Tx) error { return failure(h.Read().QueryContext(ctx, "SELECT 1")) },
		"raw rows": func(ctx context.Context, tx *dbfleet.Tx) error { return failure(tx.QueryContext(ctx, "SELECT 1")) },
		"raw row": func(ctx context.Context, tx *dbfleet.Tx) error {
			return tx.QueryRowContext(ctx, "SELECT 1").Scan(new(int))
		},
		"iter": func(ctx context.Context, _ *dbfleet.Tx) error {
			for _, err := range accounts.Query().Iter(ctx) {
				return err
			}
			return nil
		},
	}
	var events []dbfleet.QueryEvent
	r.OnAfterQuery(func(_ context.Context, e dbfleet.QueryEvent) {
		if strings.HasPrefix(e.SQL, "SELECT") {
			events = append(events, e)
		}
	})
	for name, read := range reads {
		script.Reset()
		events = nil
		err := r.Transaction(t.Context(), "", func(ctx context.Context, tx *dbfleet.Tx) error {
			script.Reset()
			script.FailAt(1, io.ErrUnexpectedEOF)
			err := read(ctx, tx)
			require.ErrorIs(t, err, dbfleet.ErrConnection, name)
			require.ErrorIs(t, err, io.ErrUnexpectedEOF, name)
			require.Len(t, events, 1, "%s: the hooks are told of one try", name)
			require.Equal(t, dbfleet.RolePrimary, events[0].Route.Role, name)
			return err
		})
		require.ErrorIs(t, err, dbfleet.ErrConnection, name)
		sent := 0
		for _, call := range script.Log() {
			if strings.Contains(call, "SELECT") {
				sent++
			}
		}
		require.Equal(t, 1, sent, "%s: %q", name, script.Log())
	}
}

// hazard 127: what begins or ends a transaction behind the library's back is
// refused before anything is sent.
func TestRaw_TransactionControlIsRefused(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		accounts := fl.Bank(t)
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
				require.NoError(t, accounts.Create(ctx, &conformance.Account{Owner: "x"}))
				_, err := tx.ExecContext(ctx, query)
				require.ErrorAs(t, err, &statement, query)
				return errUndo
			})
			require.ErrorIs(t, err, errUndo)
		}
		require.Empty(t, conformance.Owners(t, fl.Database))
		// hazard 127: a text of several statements hides none.
		if fl.Database.Dialect != "mysql" {
			for _, query := range []string{
				"SELECT 1; COMMIT", "SELECT ';'; COMMIT", "SELECT \";\" ;\n -- x\n COMMIT", "SELECT 'it''s;' ; /* ; */ BEGIN; SELECT 1",
				"-- ;\nSELECT 1; ROLLBACK", "SELECT 1;;;COMMIT;",
			} {
				var statement *dbfleet.StatementError
				_, err := db.ExecContext(t.Context(), query)
				require.ErrorAs(t, err, &statement, query)
			}
		}
		if fl.Database.Dialect == "postgres" {
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
		}[fl.Database.Dialect] {
			_, err := db.ExecContext(t.Context(), query)
			require.NoError(t, err, query)
		}
		// Words that only look like them.
		fl.Create(t, `CREATE TABLE begin_here (v {int})`)
		_, err := db.ExecContext(t.Context(), "/* BEGIN */ INSERT INTO begin_here (v) VALUES (1) -- COMMIT")
		require.NoError(t, err)
	})
}
