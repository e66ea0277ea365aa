//go:build !dbfleet_no_postgres && !dbfleet_no_mysql && !dbfleet_no_sqlite

package driver

import (
	"context"
	sqldriver "database/sql/driver"
	"testing"
	"time"

	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// BenchmarkRead reads one row by its key, through a Conn, as a request and, as
// their twin, by hand through the same pool's *sql.DB.
func BenchmarkRead(b *testing.B) {
	for _, dialect := range dbtest.Dialects {
		db := dbtest.New(b, dialect)
		p := open(b, optionsFor(db))
		ctx := context.Background()
		if _, err := p.DB().Exec("CREATE TABLE t (id INTEGER PRIMARY KEY, name VARCHAR(40), at TIMESTAMP NULL)"); err != nil {
			b.Fatal(err)
		}
		if _, err := p.DB().Exec("INSERT INTO t VALUES (1, 'a name', '2024-01-02 03:04:05')"); err != nil {
			b.Fatal(err)
		}
		q := ph(db, "SELECT id, name, at FROM t WHERE id = $1")
		b.Run(dialect+"/direct", func(b *testing.B) {
			b.ReportAllocs()
			dest, args := make([]sqldriver.Value, 3), []any{int64(1)}
			for b.Loop() {
				c, err := p.Acquire(ctx, time.Second)
				if err != nil {
					b.Fatal(err)
				}
				rows, err := c.Query(ctx, q, args)
				if err != nil {
					b.Fatal(err)
				}
				for rows.Next(dest) == nil {
				}
				_ = rows.Close()
				c.Release()
			}
		})
		b.Run(dialect+"/request", func(b *testing.B) {
			b.ReportAllocs()
			dest, args := make([]sqldriver.Value, 3), []any{int64(1)}
			read := func(rows Rows) (n int64, err error) {
				for rows.Next(dest) == nil {
					n++
				}
				return n, nil
			}
			for b.Loop() {
				if _, _, err := p.Query(ctx, time.Second, q, args, "", ReaderFunc(read)); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(dialect+"/database_sql", func(b *testing.B) {
			b.ReportAllocs()
			var id int64
			var s string
			var at any
			for b.Loop() {
				if err := p.DB().QueryRowContext(ctx, q, 1).Scan(&id, &s, &at); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
