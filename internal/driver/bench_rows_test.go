//go:build !dbfleet_no_postgres && !dbfleet_no_mysql && !dbfleet_no_sqlite

package driver

import (
	"context"
	sqldriver "database/sql/driver"
	"fmt"
	"io"
	"testing"

	"github.com/dbfleet/dbfleet/internal/cell"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// BenchmarkRows reads rows of seven columns as driver values and, where the
// driver gives them, as cells.
func BenchmarkRows(b *testing.B) {
	for _, dialect := range dbtest.Dialects {
		db := dbtest.New(b, dialect)
		p := open(b, optionsFor(db))
		ctx := context.Background()
		c := acquire(b, p)
		mustExec(b, c, "CREATE TABLE t (id BIGINT, name VARCHAR(40), age INTEGER, score DOUBLE PRECISION, made TIMESTAMP NULL, day DATE, note VARCHAR(40))")
		for i := range 1000 {
			mustExec(b, c, fmt.Sprintf("INSERT INTO t VALUES (%d, 'name %d', %d, %d.5, '2024-01-02 03:04:05.123456', '2024-01-02', NULL)", i+1000, i, i, i))
		}
		query := func(b *testing.B) Rows {
			rows, err := c.Query(ctx, "SELECT * FROM t", nil)
			if err != nil {
				b.Fatal(err)
			}
			return rows
		}
		read := func(b *testing.B, next func() error, rows Rows) {
			n := 0
			err := next()
			for ; err == nil; err = next() {
				n++
			}
			if n != 1000 || err != io.EOF {
				b.Fatal(n, err)
			}
			_ = rows.Close()
		}
		b.Run(dialect+"/values", func(b *testing.B) {
			b.ReportAllocs()
			dest := make([]sqldriver.Value, 7)
			for b.Loop() {
				rows := query(b)
				read(b, func() error { return rows.Next(dest) }, rows)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/row")
		})
		b.Run(dialect+"/cells", func(b *testing.B) {
			b.ReportAllocs()
			row := make([]cell.Cell, 7)
			for b.Loop() {
				rows := query(b)
				cells, ok := rows.(*cellCursor)
				if !ok {
					_ = rows.Close()
					b.Skip("this driver's rows come as values")
				}
				read(b, func() error { return cells.NextCells(row) }, rows)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/row")
		})
	}
}
