package replicas

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// writer is one way to write an account.
type writer struct {
	r        *dbfleet.Registry
	accounts *dbfleet.Model[conformance.Account]
	db       *dbfleet.DB
	insert   string // with the owner as its argument
	stmt     *sql.Stmt
	pool     *sql.Stmt
}

var owners atomic.Int64

// owner is the name of an account that is not there yet.
func owner() string { return fmt.Sprint("owner ", owners.Add(1)) }

func tenAccounts() (list []conformance.Account) {
	for range 10 {
		list = append(list, conformance.Account{Owner: owner()})
	}
	return list
}

// writings are the ways. Those of database/sql have no class of error of their own.
var writings = []struct {
	name  string
	write func(ctx context.Context, w *writer) error
}{
	{"Create", func(ctx context.Context, w *writer) error {
		return w.accounts.Create(ctx, &conformance.Account{Owner: owner()})
	}},
	{"CreateMany", func(ctx context.Context, w *writer) error {
		return w.accounts.CreateMany(ctx, tenAccounts())
	}},
	{"Load", func(ctx context.Context, w *writer) error {
		_, err := w.accounts.Load(ctx, slices.Values(tenAccounts()))
		return err
	}},
	{"Update", func(ctx context.Context, w *writer) error {
		_, err := w.accounts.Where("owner", "=", "seed").Update(ctx, dbfleet.Row{"balance": 1})
		return err
	}},
	{"Delete", func(ctx context.Context, w *writer) error {
		_, err := w.accounts.Where("owner", "=", "nobody").Delete(ctx)
		return err
	}},
	{"ExecContext", func(ctx context.Context, w *writer) error {
		_, err := w.db.ExecContext(ctx, w.insert, owner())
		return err
	}},
	{"QueryContext", func(ctx context.Context, w *writer) error {
		rows, err := w.db.QueryContext(ctx, w.insert, owner())
		if err == nil {
			err = rows.Close()
		}
		return err
	}},
	{"a session", func(ctx context.Context, w *writer) error {
		return w.accounts.Create(dbfleet.WithSession(ctx), &conformance.Account{Owner: owner()})
	}},
	{"a transaction", func(ctx context.Context, w *writer) error {
		return w.db.Transaction(ctx, func(ctx context.Context, _ *dbfleet.Tx) error {
			return w.accounts.Create(ctx, &conformance.Account{Owner: owner()})
		})
	}},
	{"a prepared statement", func(ctx context.Context, w *writer) error {
		_, err := w.stmt.ExecContext(ctx, owner())
		return err
	}},
	{"the pool", func(ctx context.Context, w *writer) error {
		_, err := w.db.Pool().ExecContext(ctx, w.insert, owner())
		return err
	}},
	{"a statement of the pool", func(ctx context.Context, w *writer) error {
		_, err := w.pool.ExecContext(ctx, owner())
		return err
	}},
}

func newWriter(t *testing.T, db dbtest.Database) *writer {
	t.Helper()
	r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(db)})
	w := &writer{r: r, db: r.DB("main"), insert: "INSERT INTO accounts (owner, balance) VALUES (?, 0)"}
	if db.Dialect == "postgres" {
		w.insert = "INSERT INTO accounts (owner, balance) VALUES ($1, 0)"
	}
	w.accounts = conformance.Model[conformance.Account](t, r, dbfleet.ModelConfig{Table: "accounts"})
	var err error
	w.stmt, err = w.db.PrepareContext(t.Context(), w.insert)
	require.NoError(t, err)
	t.Cleanup(func() { _ = w.stmt.Close() })
	w.pool, err = w.db.Pool().PrepareContext(t.Context(), w.insert)
	require.NoError(t, err)
	t.Cleanup(func() { _ = w.pool.Close() })
	return w
}

// The first write after the death of its server, on a connection that was idle, has not
// been sent: it is no unknown outcome. When only the connections were lost, it is done, once.
func TestWrite_OnAnIdleConnectionThatIsLostIsNotSent(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(testing.TB, ...string) *dbtest.Server{"postgres": dbtest.StartPostgres, "mysql": dbtest.StartMariaDB} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			db := s.Database(t)
			db.Exec(t, conformance.DDL(db.Dialect, conformance.AccountsTable), conformance.Inserting("seed"))
			proxy := dbtest.NewProxy(t, s.Addr())
			rest := func() { <-time.After(10 * time.Millisecond) } // those that were idle for so long are looked at
			writers := make([]*writer, len(writings))
			for i, way := range writings {
				w := newWriter(t, proxy.Through(db))
				for range 3 { // all statements have been prepared
					require.NoError(t, way.write(t.Context(), w), way.name)
				}
				writers[i] = w
				before := len(conformance.Owners(t, db))
				rest()
				proxy.Cut()
				require.NoError(t, way.write(t.Context(), w), way.name)
				once := len(conformance.Owners(t, db)) - before
				rest()
				require.NoError(t, way.write(t.Context(), w), way.name)
				require.Equal(t, 2*once, len(conformance.Owners(t, db))-before, way.name)
			}
			w := newWriter(t, db)
			held := w.db.Conn(t.Context(), func(ctx context.Context, c *dbfleet.Conn) error {
				_, err := c.ExecContext(ctx, w.insert, owner())
				require.NoError(t, err)
				s.Kill(t)
				for range 2 {
					_, err = c.ExecContext(ctx, w.insert, owner())
					require.ErrorIs(t, err, dbfleet.ErrConnection)
					require.NotErrorIs(t, err, dbfleet.ErrOutcomeUnknown)
				}
				return nil
			})
			require.NoError(t, held)
			for i, way := range writings {
				err := way.write(t.Context(), writers[i])
				require.Error(t, err)
				require.NotErrorIs(t, err, dbfleet.ErrOutcomeUnknown, way.name)
				require.Equal(t, dbfleet.ClassConnection, dbfleet.ClassOf(err), "%s: %v", way.name, err)
			}
		})
	}
}
