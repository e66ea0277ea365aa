package driver_test

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"testing"
	"time"

	"github.com/dbfleet/dbfleet/internal/driver"
)

// instant answers at once and without an allocation, so that what is left is
// the way to it.
type instant struct{}

func (instant) Connect(context.Context) (sqldriver.Conn, error) { return instant{}, nil }
func (instant) Driver() sqldriver.Driver                        { return nil }
func (instant) Prepare(string) (sqldriver.Stmt, error)          { return instant{}, nil }
func (instant) Close() error                                    { return nil }
func (instant) Begin() (sqldriver.Tx, error)                    { return nil, nil }
func (instant) NumInput() int                                   { return -1 }
func (instant) LastInsertId() (int64, error)                    { return 7, nil }
func (instant) RowsAffected() (int64, error)                    { return 1, nil }

func (instant) Exec([]sqldriver.Value) (sqldriver.Result, error) { return instant{}, nil }
func (instant) Query([]sqldriver.Value) (sqldriver.Rows, error)  { return nil, nil }

func (instant) ExecContext(context.Context, []sqldriver.NamedValue) (sqldriver.Result, error) {
	return instant{}, nil
}

// instantDirect is an instant that takes statements without preparing them, as
// its twin needs it.
type instantDirect struct{ instant }

func (instantDirect) Connect(context.Context) (sqldriver.Conn, error) { return instantDirect{}, nil }

func (instantDirect) ExecContext(context.Context, string, []sqldriver.NamedValue) (sqldriver.Result, error) {
	return instant{}, nil
}

func BenchmarkExec(b *testing.B) {
	const query = `INSERT INTO "accounts" ("name", "email", "age", "balance", "active", "note", "created_at") VALUES (?, ?, ?, ?, ?, ?, ?)`
	args := []any{"Ada", "ada@example.com", int64(36), 12.5, true, nil, time.Unix(1_700_000_000, 0)}
	ctx := context.Background()
	p := driver.OpenConnector(driver.Options{MaxOpen: 10, MaxIdle: 10, MaxIdleTime: time.Minute, StatementCache: 10}, instant{})
	b.Cleanup(func() { _ = p.Close() })
	db := sql.OpenDB(instantDirect{})
	b.Cleanup(func() { _ = db.Close() })
	b.Run("acquired", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			c, err := p.Acquire(ctx, time.Second)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := c.Exec(ctx, query, args); err != nil {
				b.Fatal(err)
			}
			c.Release()
		}
	})
	b.Run("database_sql", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := db.ExecContext(ctx, query, args...); err != nil {
				b.Fatal(err)
			}
		}
	})
}
