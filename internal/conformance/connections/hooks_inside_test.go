package connections

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// hazard 269: a hook may run statements: they take part in the transaction and call no
// hooks, with a single connection too.
func TestHooks_RunStatementsThemselves(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE things (id {id}, name VARCHAR(20) UNIQUE)`, `CREATE TABLE audit (id {id}, line {text})`)
		config := conformance.ConnectionTo(fl.Database)
		config.Pool.MaxOpen, config.Pool.AcquireTimeout = 1, 20*time.Second
		r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config})
		m := conformance.Model[thing](t, r, dbfleet.ModelConfig{Table: "things"})
		audit := r.DB("main").Table("audit")
		write := func(ctx context.Context, when string, e dbfleet.QueryEvent) context.Context {
			if e.Err == nil {
				_, err := audit.Insert(ctx, map[string]any{"line": when + " " + e.Op})
				require.NoError(t, err, "%s %s", when, e.Op)
			}
			return ctx
		}
		remove := r.OnQuery(dbfleet.QueryHook{
			Before: func(ctx context.Context, e dbfleet.QueryEvent) context.Context { return write(ctx, "before", e) },
			After:  func(ctx context.Context, e dbfleet.QueryEvent) { write(ctx, "after", e) },
		})
		require.NoError(t, m.Create(ctx, &thing{Name: "a"}))
		_, err := m.Get(ctx)
		require.NoError(t, err)
		_, err = r.DB("main").ExecContext(ctx, "UPDATE things SET name = 'b'")
		require.NoError(t, err)
		boom := errors.New("boom")
		inTx := func(result error) error {
			return r.Transaction(ctx, "main", func(inner context.Context, tx *dbfleet.Tx) error {
				require.NoError(t, m.Using(tx).Create(ctx, &thing{Name: "c"}), "ctx carries no transaction")
				require.NoError(t, m.Save(inner, &thing{ID: 1, Name: "d"}))
				_, err := tx.ExecContext(ctx, "UPDATE things SET name = 'e' WHERE name = 'c'")
				require.NoError(t, err)
				return result
			})
		}
		require.NoError(t, inTx(nil))
		lines := func() []string {
			defer r.OnAfterQuery(func(context.Context, dbfleet.QueryEvent) {})()
			list, err := dbfleet.Pluck[string](ctx, fl.DB("main").Table("audit").OrderBy("id", dbfleet.Asc), "line")
			require.NoError(t, err)
			_, err = fl.DB("main").Table("audit").AllRows().Delete(ctx)
			require.NoError(t, err)
			return list
		}
		require.Equal(t, []string{
			"before insert", "after insert", "before select", "after select", "before exec", "after exec",
			"before begin", "after begin", "before insert", "after insert", "before update", "after update", "before exec", "after exec", "before commit", "after commit",
		}, lines())
		_, err = fl.DB("main").Table("things").Where("name", "=", "e").Delete(ctx)
		require.NoError(t, err)
		require.ErrorIs(t, inTx(boom), boom)
		require.Equal(t, []string{"before begin", "after rollback"}, lines(), "what hooks did inside is rolled back")
		remove()

		// A hook that panics leaves nothing behind.
		for _, op := range []string{"begin", "insert", "commit", "savepoint", "release"} {
			remove := r.OnBeforeQuery(func(ctx context.Context, e dbfleet.QueryEvent) context.Context {
				if e.Op == op {
					panic(op)
				}
				return ctx
			})
			require.PanicsWithValue(t, op, func() {
				_ = r.Transaction(ctx, "main", func(ctx context.Context, tx *dbfleet.Tx) error {
					return tx.Transaction(ctx, func(ctx context.Context, _ *dbfleet.Tx) error { return m.Create(ctx, &thing{Name: "p"}) })
				})
			})
			remove()
			there, err := m.Where("name", "=", "p").Exists(ctx)
			require.NoError(t, err)
			require.False(t, there, op)
		}
	})
}

// A hook may hand its context on: what still looks at it when the statement has
// ended sees the same as before.
func TestHooks_LeaveTheirContextAlone(t *testing.T) {
	t.Parallel()
	fl := conformance.OnSQLite(t)
	accounts := fl.Bank(t)
	type key struct{}
	stop := make(chan struct{})
	var looking sync.WaitGroup
	fl.OnBeforeQuery(func(ctx context.Context, e dbfleet.QueryEvent) context.Context {
		looking.Go(func() {
			for {
				select {
				case <-stop:
					return
				case <-ctx.Done():
				default:
					if ctx.Value(key{}) != "mine" {
						t.Errorf("%s: the context has lost what the caller's has", e.Op)
						return
					}
					runtime.Gosched()
				}
			}
		})
		return ctx
	})
	ctx := context.WithValue(t.Context(), key{}, "mine")
	for _, want := range []error{nil, errors.New("undone")} {
		err := fl.Transaction(ctx, "main", func(ctx context.Context, _ *dbfleet.Tx) error {
			require.NoError(t, accounts.Create(ctx, &conformance.Account{Owner: "a"}))
			require.NoError(t, fl.Transaction(ctx, "main", func(context.Context, *dbfleet.Tx) error { return nil }))
			_, err := accounts.Query().AllRows().Delete(ctx)
			require.NoError(t, err)
			return want
		})
		require.ErrorIs(t, err, want)
	}
	close(stop)
	looking.Wait()
}
