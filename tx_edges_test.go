package dbfleet_test

import (
	"context"
	"database/sql"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// A transaction that a shutdown has cut off takes no statement to prepare, as it
// takes none to run.
func TestTx_PreparesNothingOnceItIsCutOff(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
		r, err := dbfleet.Open(dbfleet.Config{Connections: map[string]dbfleet.ConnectionConfig{"main": connectionTo(db)}, Default: "main"})
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
	accounts := model[account](t, r, dbfleet.ModelConfig{Table: "accounts"})
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
