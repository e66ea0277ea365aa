package costs

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
)

// memory is a driver that answers from memory with as many rows as it was made
// with: what is left is the cost of database/sql and of the library.
type benchMemory struct {
	columns []string
	row     []driver.Value
	rows    int
}

func (m *benchMemory) Connect(context.Context) (driver.Conn, error) { return &memoryConn{m}, nil }

func (m *benchMemory) Driver() driver.Driver { return nil }

type memoryConn struct{ m *benchMemory }

func (c *memoryConn) Prepare(string) (driver.Stmt, error) { return memoryStmt{c}, nil }

func (c *memoryConn) Close() error { return nil }

func (c *memoryConn) Begin() (driver.Tx, error) { return memoryTx{}, nil }

func (c *memoryConn) QueryContext(context.Context, string, []driver.NamedValue) (driver.Rows, error) {
	return &memoryRows{m: c.m}, nil
}

func (c *memoryConn) ExecContext(context.Context, string, []driver.NamedValue) (driver.Result, error) {
	return memoryResult{}, nil
}

type memoryStmt struct{ c *memoryConn }

func (s memoryStmt) Close() error { return nil }

func (s memoryStmt) NumInput() int { return -1 }

func (s memoryStmt) Exec([]driver.Value) (driver.Result, error) { return memoryResult{}, nil }

func (s memoryStmt) Query([]driver.Value) (driver.Rows, error) { return &memoryRows{m: s.c.m}, nil }

func (s memoryStmt) QueryContext(context.Context, []driver.NamedValue) (driver.Rows, error) {
	return &memoryRows{m: s.c.m}, nil
}

func (s memoryStmt) ExecContext(context.Context, []driver.NamedValue) (driver.Result, error) {
	return memoryResult{}, nil
}

type memoryTx struct{}

func (memoryTx) Commit() error { return nil }

func (memoryTx) Rollback() error { return nil }

type memoryResult struct{}

func (memoryResult) LastInsertId() (int64, error) { return 7, nil }

func (memoryResult) RowsAffected() (int64, error) { return 1, nil }

type memoryRows struct {
	m *benchMemory
	n int
}

func (r *memoryRows) Columns() []string { return r.m.columns }

func (r *memoryRows) Close() error { return nil }

func (r *memoryRows) Next(dest []driver.Value) error {
	if r.n == r.m.rows {
		return io.EOF
	}
	r.n++
	copy(dest, r.m.row)
	return nil
}

// benchRecord is the row of 8 columns that the benchmarks read and write.
type benchRecord struct {
	ID        int64
	Name      string
	Email     string
	Age       int
	Balance   float64
	Active    bool
	Note      *string
	CreatedAt time.Time
}

const benchColumns = `"id", "name", "email", "age", "balance", "active", "note", "created_at"`

// benchDriver answers with so many rows.
func benchDriver(rows int) *benchMemory {
	return &benchMemory{
		columns: []string{"id", "name", "email", "age", "balance", "active", "note", "created_at"},
		row:     []driver.Value{int64(1000), "Ada Lovelace", "ada@example.com", int64(36), 12.5, true, "a note", time.Unix(1_700_000_000, 0).UTC()},
		rows:    rows,
	}
}

func benchTwins(b testing.TB, rows int) (*dbfleet.Model[benchRecord], *sql.DB) {
	b.Helper()
	m := benchDriver(rows)
	r, err := dbfleet.Open(dbfleet.Config{Connections: map[string]dbfleet.ConnectionConfig{
		"main": {Driver: dbfleet.MySQL, Connector: m},
	}})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, r.Close()) })
	model, err := dbfleet.NewModel[benchRecord](r, dbfleet.ModelConfig{Table: "accounts"})
	require.NoError(b, err)
	db := sql.OpenDB(m)
	b.Cleanup(func() { require.NoError(b, db.Close()) })
	return model, db
}

func scanBenchRecord(scan func(...any) error) (benchRecord, error) {
	var a benchRecord
	err := scan(&a.ID, &a.Name, &a.Email, &a.Age, &a.Balance, &a.Active, &a.Note, &a.CreatedAt)
	return a, err
}

// twin is one operation, written by hand on database/sql and with dbfleet.
type twin struct {
	name        string
	rows        int
	databaseSQL func(ctx context.Context, db *sql.DB) error
	dbfleet     func(ctx context.Context, m *dbfleet.Model[benchRecord]) error
	allocs      float64 // at most this many allocations more than database/sql, or fewer by so many
}

var twins = []twin{
	{
		name: "ReadOneByKey", rows: 1, allocs: 1,
		databaseSQL: func(ctx context.Context, db *sql.DB) error {
			_, err := scanBenchRecord(db.QueryRowContext(ctx, `SELECT `+benchColumns+` FROM "accounts" WHERE "id" = ? LIMIT 1`, 1000).Scan)
			return err
		},
		dbfleet: func(ctx context.Context, m *dbfleet.Model[benchRecord]) error {
			_, err := m.Find(ctx, 1000)
			return err
		},
	},
	{
		name: "Read100", rows: 100, allocs: -200,
		databaseSQL: func(ctx context.Context, db *sql.DB) error {
			rows, err := db.QueryContext(ctx, `SELECT `+benchColumns+` FROM "accounts" LIMIT 100`)
			if err != nil {
				return err
			}
			defer rows.Close()
			var out []benchRecord
			for rows.Next() {
				a, err := scanBenchRecord(rows.Scan)
				if err != nil {
					return err
				}
				out = append(out, a)
			}
			if len(out) != 100 {
				return fmt.Errorf("%d rows", len(out))
			}
			return rows.Err()
		},
		dbfleet: func(ctx context.Context, m *dbfleet.Model[benchRecord]) error {
			_, err := m.Limit(100).Get(ctx)
			return err
		},
	},
	{
		name: "InsertOne", allocs: 3,
		databaseSQL: func(ctx context.Context, db *sql.DB) error {
			a := benchRecord{Name: "Ada", Email: "ada@example.com", Age: 36, Balance: 12.5, Active: true, CreatedAt: benchTime}
			res, err := db.ExecContext(ctx, `INSERT INTO "accounts" ("name", "email", "age", "balance", "active", "note", "created_at") VALUES (?, ?, ?, ?, ?, ?, ?)`,
				a.Name, a.Email, a.Age, a.Balance, a.Active, a.Note, a.CreatedAt)
			if err != nil {
				return err
			}
			a.ID, err = res.LastInsertId()
			return err
		},
		dbfleet: func(ctx context.Context, m *dbfleet.Model[benchRecord]) error {
			a := benchRecord{Name: "Ada", Email: "ada@example.com", Age: 36, Balance: 12.5, Active: true, CreatedAt: benchTime}
			return m.Create(ctx, &a)
		},
	},
	{
		name: "UpdateOne", allocs: 1,
		databaseSQL: func(ctx context.Context, db *sql.DB) error {
			a := benchRecord{ID: 1000, Name: "Ada", Email: "ada@example.com", Age: 36, Balance: 12.5, Active: true, CreatedAt: benchTime}
			res, err := db.ExecContext(ctx, `UPDATE "accounts" SET "name" = ?, "email" = ?, "age" = ?, "balance" = ?, "active" = ?, "note" = ?, "created_at" = ? WHERE "id" = ?`,
				a.Name, a.Email, a.Age, a.Balance, a.Active, a.Note, a.CreatedAt, a.ID)
			if err != nil {
				return err
			}
			_, err = res.RowsAffected()
			return err
		},
		dbfleet: func(ctx context.Context, m *dbfleet.Model[benchRecord]) error {
			a := benchRecord{ID: 1000, Name: "Ada", Email: "ada@example.com", Age: 36, Balance: 12.5, Active: true, CreatedAt: benchTime}
			return m.Save(ctx, &a)
		},
	},
	{
		name: "BuildOnly", allocs: 12, // two of them for the float, which MySQL compares exactly as text
		databaseSQL: func(context.Context, *sql.DB) error {
			text, args := buildByHand(benchList)
			if len(text) == 0 || len(args) != 14 {
				return fmt.Errorf("%s %d", text, len(args))
			}
			return nil
		},
		dbfleet: func(ctx context.Context, m *dbfleet.Model[benchRecord]) error {
			_, args, err := m.Where("name", "=", "Ada").Where("age", ">", 18).Where("active", "=", true).Where("balance", "<", 12.5).
				WhereIn("id", benchList).OrderBy("id", dbfleet.Asc).Limit(10).SQL(ctx)
			if len(args) != 17 { // the list is padded to twelve, and the limit is one
				return fmt.Errorf("%d", len(args))
			}
			return err
		},
	},
}

var (
	benchTime = time.Unix(1_700_000_000, 0).UTC()
	benchList = []int64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
)

func buildByHand(ids []int64) (string, []any) {
	args := make([]any, 0, 4+len(ids))
	args = append(args, "Ada", 18, true, 12.5)
	var b strings.Builder
	b.Grow(256)
	b.WriteString(`SELECT ` + benchColumns + ` FROM "accounts" WHERE "name" = ? AND "age" > ? AND "active" = ? AND "balance" < ? AND "id" IN (`)
	for i, id := range ids {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteByte('?')
		args = append(args, id)
	}
	b.WriteString(`) ORDER BY "id" LIMIT 10`)
	return b.String(), args
}

func BenchmarkTwins(b *testing.B) {
	for _, tw := range twins {
		b.Run(tw.name, func(b *testing.B) {
			m, db := benchTwins(b, tw.rows)
			ctx := context.Background()
			b.Run("database_sql", func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := tw.databaseSQL(ctx, db); err != nil {
						b.Fatal(err)
					}
				}
			})
			b.Run("dbfleet", func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := tw.dbfleet(ctx, m); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}
