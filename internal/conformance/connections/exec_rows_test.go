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

// What ExecContext runs may have rows, as a SELECT … FOR UPDATE that is for the lock
// alone. They are passed over, none or several, of one column or more, however often the
// statement runs; what goes wrong among them is an error.
//
// truth 1119
func TestExec_PassesRowsOver(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
		config := conformance.ConnectionTo(db)
		config.StatementTimeout = 20 * time.Second // a wait for what never comes ends
		r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config})
		h := r.DB("main")
		db.Exec(t, conformance.DDL(db.Dialect, conformance.AccountsTable), conformance.Inserting("a"), conformance.Inserting("b"))
		lock, fails := " FOR UPDATE", "SELECT owner, 1 / (2 - id) FROM accounts ORDER BY id"
		switch db.Dialect {
		case "sqlite":
			lock, fails = "", "SELECT owner, abs(CASE id WHEN 2 THEN -9223372036854775808 ELSE 1 END) FROM accounts ORDER BY id"
		case "mysql":
			fails = "SELECT owner, (SELECT id FROM accounts b WHERE b.id >= a.id) FROM accounts a ORDER BY id DESC"
		}
		id, where := "id = ?", "id < ?"
		if db.Dialect == "postgres" {
			id, where = "id = $1", "id < $1"
		}
		type statement struct {
			text string
			args []any
		}
		good := []statement{
			{"SELECT id, owner FROM accounts" + lock, nil},
			{"SELECT id, owner FROM accounts WHERE " + id + lock, []any{1}},
			{"SELECT owner FROM accounts WHERE " + where, []any{0}},
			{"SELECT id, owner, balance FROM accounts WHERE " + where, []any{0}},
			{"SELECT owner FROM accounts WHERE " + where, []any{9}},
		}
		ways := map[string]func(ctx context.Context, s statement) error{
			"connection": func(ctx context.Context, s statement) error {
				_, err := h.ExecContext(ctx, s.text, s.args...)
				return err
			},
			"transaction": func(ctx context.Context, s statement) error {
				return h.Transaction(ctx, func(ctx context.Context, tx *dbfleet.Tx) error {
					_, err := tx.ExecContext(ctx, s.text, s.args...)
					return err
				})
			},
			"prepared": func(ctx context.Context, s statement) error {
				stmt, err := h.PrepareContext(ctx, s.text)
				if err != nil {
					return err
				}
				defer stmt.Close()
				_, err = stmt.ExecContext(ctx, s.args...)
				return err
			},
			"pool": func(ctx context.Context, s statement) error {
				_, err := h.Pool().ExecContext(ctx, s.text, s.args...)
				return err
			},
		}
		for name, run := range ways {
			for range 3 {
				for _, s := range good {
					require.NoError(t, run(t.Context(), s), "%s: %s", name, s.text)
				}
				require.Error(t, run(t.Context(), statement{fails, nil}), name)
			}
		}
		list, err := dbfleet.Select[string](t.Context(), h, "SELECT owner FROM accounts ORDER BY owner")
		require.NoError(t, err)
		require.Equal(t, []string{"a", "b"}, list, "the connections are where they were")

		const inserts = "INSERT INTO accounts (owner, balance) VALUES ('c', 1), ('d', 1) RETURNING id, owner"
		for range 3 {
			require.NoError(t, ways["transaction"](t.Context(), statement{inserts, nil}))
			n, err := h.Table("accounts").WhereIn("owner", []string{"c", "d"}).Delete(t.Context())
			require.NoError(t, err)
			require.EqualValues(t, 2, n)
		}
	})
}
