package transactions

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// drainers are what ends a connection while a transaction runs on it.
var drainers = map[string]func(ctx context.Context, t *testing.T, r *dbfleet.Registry) error{
	"Shutdown": func(ctx context.Context, _ *testing.T, r *dbfleet.Registry) error { return r.Shutdown(ctx) },
	"Remove":   func(ctx context.Context, _ *testing.T, r *dbfleet.Registry) error { return r.Remove(ctx, "main") },
	"Replace by another database": func(ctx context.Context, t *testing.T, r *dbfleet.Registry) error {
		return r.Replace(ctx, "main", dbfleet.ConnectionConfig{Driver: dbfleet.SQLite, Database: filepath.Join(t.TempDir(), "other.db")})
	},
}

// drained begins a transaction, has its connection ended, and calls fn once nothing new
// may start on it. What ends the connection waits for the transaction.
func drained(t *testing.T, fl conformance.Fleet, end func(ctx context.Context, t *testing.T, r *dbfleet.Registry) error, fn func(ctx context.Context, tx *dbfleet.Tx) error) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	ended := make(chan error, 1)
	err := fl.Transaction(ctx, "main", func(ctx context.Context, tx *dbfleet.Tx) error {
		old := fl.DB("main").Pool()
		go func() { ended <- end(context.WithoutCancel(ctx), t, fl.Registry) }()
		if !waitFor(ctx, func() bool { return fl.DB("main").Pool() != old }) {
			return errors.New("the connection is not being ended")
		}
		return fn(ctx, tx)
	})
	select {
	case endErr := <-ended:
		require.NoError(t, endErr)
	case <-ctx.Done():
		t.Error("what ends the connection does not come back")
	}
	return err
}

// waitFor waits until a condition holds, or ctx ends.
func waitFor(ctx context.Context, holds func() bool) bool {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// hazard 143: what runs is drained whole, whichever verb it calls.
func TestTx_IsDrainedWhole(t *testing.T) {
	t.Parallel()
	type verb struct {
		name string
		call func(ctx context.Context, fl conformance.Fleet, tx *dbfleet.Tx, m *dbfleet.Model[conformance.Account]) error
	}
	type account = conformance.Account
	verbs := []verb{
		{"Create", func(ctx context.Context, _ conformance.Fleet, _ *dbfleet.Tx, m *dbfleet.Model[account]) error {
			return m.Create(ctx, &account{Owner: "Create"})
		}},
		{"CreateMany", func(ctx context.Context, _ conformance.Fleet, _ *dbfleet.Tx, m *dbfleet.Model[account]) error {
			return m.CreateMany(ctx, []account{{Owner: "CreateMany"}, {Owner: "CreateMany 2"}})
		}},
		{"CreateMany of Using", func(_ context.Context, _ conformance.Fleet, tx *dbfleet.Tx, m *dbfleet.Model[account]) error {
			return m.Using(tx).CreateMany(context.Background(), []account{{Owner: "CreateMany of Using"}})
		}},
		{"Upsert", func(ctx context.Context, _ conformance.Fleet, _ *dbfleet.Tx, m *dbfleet.Model[account]) error {
			return m.Upsert(ctx, &account{Owner: "Upsert"}, dbfleet.Conflict{Key: []string{"owner"}})
		}},
		{"Upsert of Using", func(_ context.Context, _ conformance.Fleet, tx *dbfleet.Tx, m *dbfleet.Model[account]) error {
			return m.Using(tx).Upsert(context.Background(), &account{Owner: "Upsert of Using"}, dbfleet.Conflict{Key: []string{"owner"}})
		}},
		{"UpsertMany", func(ctx context.Context, _ conformance.Fleet, _ *dbfleet.Tx, m *dbfleet.Model[account]) error {
			return m.UpsertMany(ctx, []account{{Owner: "UpsertMany"}, {Owner: "UpsertMany 2"}}, dbfleet.Conflict{Key: []string{"owner"}})
		}},
		{"Table.Insert", func(ctx context.Context, fl conformance.Fleet, _ *dbfleet.Tx, _ *dbfleet.Model[account]) error {
			_, err := fl.DB("main").Table("accounts").Insert(ctx, dbfleet.Row{"owner": "Table.Insert", "balance": 1}, dbfleet.Row{"owner": "Table.Insert 2", "balance": 1})
			return err
		}},
		{"Table.Upsert", func(ctx context.Context, fl conformance.Fleet, _ *dbfleet.Tx, _ *dbfleet.Model[account]) error {
			return fl.DB("main").Table("accounts").Upsert(ctx, dbfleet.Row{"owner": "Table.Upsert", "balance": 1}, dbfleet.Conflict{Key: []string{"owner"}})
		}},
		{"Load", func(ctx context.Context, _ conformance.Fleet, _ *dbfleet.Tx, m *dbfleet.Model[account]) error {
			_, err := m.Load(ctx, slices.Values([]account{{Owner: "Load"}, {Owner: "Load 2"}}))
			return err
		}},
		{"Save", func(ctx context.Context, _ conformance.Fleet, _ *dbfleet.Tx, m *dbfleet.Model[account]) error {
			a, err := m.Where("owner", "=", "0").First(ctx)
			if err != nil {
				return err
			}
			a.Owner = "Save"
			return m.Save(ctx, &a)
		}},
		{"Increment", func(ctx context.Context, _ conformance.Fleet, _ *dbfleet.Tx, m *dbfleet.Model[account]) error {
			_, err := m.Where("owner", "=", "0").Increment(ctx, "balance", 1)
			return err
		}},
		{"Get", func(ctx context.Context, _ conformance.Fleet, _ *dbfleet.Tx, m *dbfleet.Model[account]) error {
			_, err := m.Get(ctx)
			return err
		}},
		{"DB.Transaction", func(ctx context.Context, fl conformance.Fleet, _ *dbfleet.Tx, m *dbfleet.Model[account]) error {
			return fl.DB("main").Transaction(ctx, func(ctx context.Context, _ *dbfleet.Tx) error {
				return m.CreateMany(ctx, []account{{Owner: "DB.Transaction"}})
			})
		}},
		{"Query.Transaction", func(ctx context.Context, _ conformance.Fleet, _ *dbfleet.Tx, m *dbfleet.Model[account]) error {
			return m.Query().Transaction(ctx, func(ctx context.Context, _ *dbfleet.Tx) error {
				return m.Create(ctx, &account{Owner: "Query.Transaction"})
			})
		}},
		{"Conn", func(ctx context.Context, fl conformance.Fleet, _ *dbfleet.Tx, _ *dbfleet.Model[account]) error {
			return fl.DB("main").Conn(ctx, func(ctx context.Context, c *dbfleet.Conn) error {
				_, err := c.ExecContext(ctx, conformance.Inserting("Conn"))
				return err
			})
		}},
		{"DB.PrepareContext", func(ctx context.Context, fl conformance.Fleet, _ *dbfleet.Tx, _ *dbfleet.Model[account]) error {
			stmt, err := fl.DB("main").PrepareContext(ctx, conformance.Inserting("DB.PrepareContext"))
			if err != nil {
				return err
			}
			defer stmt.Close()
			_, err = stmt.ExecContext(ctx)
			return err
		}},
		{"DB.Read", func(ctx context.Context, fl conformance.Fleet, _ *dbfleet.Tx, _ *dbfleet.Model[account]) error {
			return fl.DB("main").Read().QueryRowContext(ctx, "SELECT COUNT(*) FROM accounts").Scan(new(int))
		}},
		{"Ping", func(ctx context.Context, fl conformance.Fleet, _ *dbfleet.Tx, _ *dbfleet.Model[account]) error {
			return fl.DB("main").Ping(ctx)
		}},
		{"Connect", func(ctx context.Context, fl conformance.Fleet, _ *dbfleet.Tx, _ *dbfleet.Model[account]) error {
			_, err := fl.Connect(ctx, "main")
			return err
		}},
	}
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
		for name, end := range drainers {
			t.Run(name, func(t *testing.T) {
				db := dbtest.New(t, db.Dialect)
				r, err := dbfleet.Open(dbfleet.Config{Default: "main", Connections: map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(db)}})
				require.NoError(t, err)
				t.Cleanup(func() { require.NoError(t, r.Close()) })
				fl := conformance.Fleet{Registry: r, Database: db}
				accounts := fl.Bank(t)
				require.NoError(t, accounts.Create(t.Context(), &account{Owner: "0"}))
				var failed error
				err = drained(t, fl, end, func(ctx context.Context, tx *dbfleet.Tx) error {
					for _, v := range verbs {
						// A savepoint keeps a failure from costing the others theirs.
						if err := tx.Transaction(ctx, func(ctx context.Context, tx *dbfleet.Tx) error { return v.call(ctx, fl, tx, accounts) }); err != nil {
							failed = errors.Join(failed, fmt.Errorf("%s: %w", v.name, err))
						}
					}
					return nil
				})
				require.NoError(t, errors.Join(failed, err))
				require.Equal(t, []string{
					"Conn", "Create", "CreateMany", "CreateMany 2", "CreateMany of Using", "DB.PrepareContext", "DB.Transaction", "Load", "Load 2", "Query.Transaction",
					"Save", "Table.Insert", "Table.Insert 2", "Table.Upsert", "Upsert", "Upsert of Using", "UpsertMany", "UpsertMany 2",
				}, sorted(conformance.Owners(t, db)))
			})
		}
	})
}

// sorted sorts as Go does, whatever the database's collation is.
func sorted(owners []string) []string {
	slices.Sort(owners)
	return owners
}
