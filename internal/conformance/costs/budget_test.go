//go:build !race

package costs

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// The library's own cost, on a driver that answers from memory: allocations,
// since they do not depend on what else the machine does. (The race detector
// changes their number, so this is a test of its own: make budgets.)
func TestBudget_AllocationsBesideDatabaseSQL(t *testing.T) {
	for _, tw := range twins {
		t.Run(tw.name, func(t *testing.T) {
			m, db := benchTwins(t, tw.rows)
			ctx := context.Background()
			count := func(f func() error) float64 {
				return allocations(200, func() { require.NoError(t, f()) })
			}
			byHand := count(func() error { return tw.databaseSQL(ctx, db) })
			ours := count(func() error { return tw.dbfleet(ctx, m) })
			require.LessOrEqual(t, ours, byHand+tw.allocs, "database/sql by hand: %v", byHand)
		})
	}
}

// What a read allocates on each database, of which much is the driver's own: by
// hand it is about 40 for one row, and 930 for a hundred on PostgreSQL.
func TestBudget_AllocationsOnTheDatabases(t *testing.T) {
	for dialect, most := range map[string]float64{"postgres": 14, "mysql": 26, "sqlite": 39} {
		t.Run(dialect, func(t *testing.T) {
			db := dbtest.New(t, dialect)
			fl := conformance.Fleet{Registry: conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(db)}), Database: db}
			ctx := t.Context()
			fl.Create(t, `CREATE TABLE bench_records (id {id}, name {text} NOT NULL, email {text} NOT NULL, age {int} NOT NULL, balance {float} NOT NULL,
			active {bool} NOT NULL, note {text}, created_at {time} NOT NULL)`)
			m := conformance.Model[benchRecord](t, fl.Registry, dbfleet.ModelConfig{Table: "bench_records"})
			rows := make([]benchRecord, 100)
			for i := range rows {
				rows[i] = benchRecord{Name: "Ada Lovelace", Email: "ada@example.com", Age: 36, Balance: 12.5, Active: true, Note: new("a note"), CreatedAt: benchTime}
			}
			require.NoError(t, m.CreateMany(ctx, rows))
			id := rows[50].ID
			background := context.Background() // one that can be cancelled costs the drivers more
			one := allocations(200, func() { _, err := m.Find(background, id); require.NoError(t, err) })
			require.LessOrEqual(t, one, most)
			hundred := m.OrderBy("id", dbfleet.Asc).Limit(100)
			many := allocations(50, func() { _, err := hundred.Get(background); require.NoError(t, err) })
			if fl.Database.Dialect == "postgres" {
				require.LessOrEqual(t, many, 130.0)
			}
			t.Logf("one row %v, a hundred %v", one, many)
		})
	}
}

// What a transaction keeps to restore a record that it writes is one allocation, and
// a record whose write changes nothing in it costs none.
func TestBudget_AllocationsToRestoreARecord(t *testing.T) {
	m, _ := benchTwins(t, 1)
	ctx := context.Background()
	record := benchRecord{Name: "Ada Lovelace", Email: "ada@example.com", CreatedAt: benchTime}
	create := func(ctx context.Context) float64 {
		return allocations(500, func() {
			record.ID = 0
			require.NoError(t, m.Create(ctx, &record))
		})
	}
	save := func(ctx context.Context) float64 {
		return allocations(500, func() { require.NoError(t, m.Save(ctx, &record)) })
	}
	created, saved := create(ctx), save(ctx)
	require.NoError(t, m.Query().Transaction(ctx, func(ctx context.Context, _ *dbfleet.Tx) error {
		inTx := create(ctx)
		t.Logf("create %v, in a transaction %v; save %v", created, inTx, saved)
		require.LessOrEqual(t, inTx, created+1)
		require.LessOrEqual(t, save(ctx), saved)
		return nil
	}))
}

// A transaction of four statements, two of which save a record that it restores if it is
// rolled back: fewer allocations than database/sql by hand, which has no such thing.
func TestBudget_AllocationsOfATransaction(t *testing.T) {
	m, db := benchTwins(t, 1)
	ctx := context.Background()
	four := func(ctx context.Context) error {
		for i := range 2 {
			a, err := m.Find(ctx, 1000)
			if err != nil {
				return err
			}
			a.Age += i
			if err := m.Save(ctx, &a); err != nil {
				return err
			}
		}
		return nil
	}
	inTx := func() {
		require.NoError(t, m.Query().Transaction(ctx, func(ctx context.Context, _ *dbfleet.Tx) error { return four(ctx) }))
	}
	byHand := func() {
		tx, err := db.BeginTx(ctx, nil)
		require.NoError(t, err)
		for range 2 {
			a, err := scanBenchRecord(tx.QueryRowContext(ctx, `SELECT `+benchColumns+` FROM "accounts" WHERE "id" = ? LIMIT 1`, 1000).Scan)
			require.NoError(t, err)
			_, err = tx.ExecContext(ctx, `UPDATE "accounts" SET "name" = ?, "email" = ?, "age" = ?, "balance" = ?, "active" = ?, "note" = ?, "created_at" = ? WHERE "id" = ?`,
				a.Name, a.Email, a.Age, a.Balance, a.Active, a.Note, a.CreatedAt, a.ID)
			require.NoError(t, err)
		}
		require.NoError(t, tx.Commit())
	}
	alone := allocations(200, func() { require.NoError(t, four(ctx)) })
	ours, hand := allocations(200, inTx), allocations(200, byHand)
	t.Logf("four statements %v, in a transaction %v, by hand %v", alone, ours, hand)
	require.LessOrEqual(t, ours, hand-15)
	require.LessOrEqual(t, ours, alone+1, "a statement takes fewer in a transaction, whose connection it need not take")
	empty := allocations(200, func() {
		require.NoError(t, m.Query().Transaction(ctx, func(context.Context, *dbfleet.Tx) error { return nil }))
	})
	require.LessOrEqual(t, empty, 6.0)
}
