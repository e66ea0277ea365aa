package rowmap

import (
	"testing"
	"time"

	"github.com/dbfleet/dbfleet/internal/cell"
	"github.com/dbfleet/dbfleet/internal/dialect"
)

// typedCells are rows of a table, whose columns have types.
type typedCells struct {
	steadyCells
	types []string
	d     *dialect.Dialect
}

func (s *typedCells) Columns() []string         { return []string{"id", "name", "price", "ratio", "at"} }
func (s *typedCells) TypeName(i int) string     { return s.types[i] }
func (s *typedCells) Dialect() *dialect.Dialect { return s.d }

// BenchmarkStrict is what it costs that a value which would not be given back is refused:
// rows of a table beside the same rows of a select list, which are only converted.
func BenchmarkStrict(b *testing.B) {
	type record struct {
		ID    int64
		Name  string
		Price float64
		Ratio float64
		At    time.Time
	}
	const n = 1000
	p := mustPlan[record](b)
	at := time.Date(2024, 5, 6, 7, 8, 9, 123456000, time.UTC)
	for _, c := range []struct {
		d     *dialect.Dialect
		types []string
	}{
		{dialect.SQLite, []string{"INTEGER", "TEXT", "DECIMAL", "REAL", "DATETIME"}},
		{dialect.Postgres, []string{"INT8", "TEXT", "NUMERIC", "FLOAT8", "TIMESTAMPTZ"}},
		{dialect.MySQL, []string{"BIGINT", "VARCHAR", "DECIMAL", "DOUBLE", "DATETIME"}},
	} {
		src := &typedCells{types: c.types, d: c.d}
		src.n, src.cells = n, make([]cell.Cell, 5)
		src.cells[0].SetInt(1234567)
		src.cells[1].SetText([]byte("Ada Lovelace"))
		src.cells[2].SetText([]byte("1234.56"))
		src.cells[3].SetFloat(0.1)
		src.cells[4].SetTime(at)
		if c.d == dialect.SQLite {
			src.cells[2].SetFloat(1234.56)
			src.cells[4].SetTimeText(at, []byte("2024-05-06 07:08:09.123456"))
		}
		for name, strict := range map[string]bool{"table": true, "list": false} {
			b.Run(c.d.Name+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					src.i = 0
					var rows []record
					if got, err := p.Rows(strict).ReadAll(src, &rows, n); err != nil || got != n {
						b.Fatal(err, got)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/row")
			})
		}
	}
}
