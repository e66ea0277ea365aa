package rowmap

import (
	"database/sql/driver"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// wide has the eight columns of the usual benchmark table.
type wide struct {
	ID        int64
	Name      string
	Email     string
	Age       *int64
	Score     *float64
	Note      *string
	CreatedAt time.Time
	UpdatedAt time.Time
}

var wideColumns = []string{"id", "name", "email", "age", "score", "note", "created_at", "updated_at"}

// steady is a source that costs nothing itself.
type steady struct {
	row  []driver.Value
	n, i int
}

func (s *steady) Columns() []string   { return wideColumns }
func (s *steady) TypeName(int) string { return "" }
func (s *steady) Close() error        { return nil }
func (s *steady) Next(dest []driver.Value) error {
	if s.i == s.n {
		return io.EOF
	}
	s.i++
	copy(dest, s.row)
	return nil
}

func benchRow(text func(string) driver.Value, at func(time.Time) driver.Value) []driver.Value {
	now := time.Date(2024, 2, 29, 10, 11, 12, 123456000, time.UTC)
	return []driver.Value{
		int64(123456), text("Ada Lovelace"), text("ada@example.com"), int64(36), 0.5, text("a note about her"),
		at(now), at(now),
	}
}

var benchSources = map[string][]driver.Value{
	"strings": benchRow(func(s string) driver.Value { return s }, func(t time.Time) driver.Value { return t }),
	"bytes":   benchRow(func(s string) driver.Value { return []byte(s) }, func(t time.Time) driver.Value { return t }),
	"sqlite": benchRow(func(s string) driver.Value { return s },
		func(t time.Time) driver.Value { return t.Format("2006-01-02 15:04:05.999999") }),
}

func BenchmarkReadAll(b *testing.B) {
	p := mustPlan[wide](b)
	for _, n := range []int{1, 100, 10000} {
		for name, row := range benchSources {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				b.ReportAllocs()
				src := &steady{row: row, n: n}
				for b.Loop() {
					src.i = 0
					rows, err := ReadAll[wide](p, src, min(n, 100)%100)
					if err != nil || len(rows) != n {
						b.Fatal(err, len(rows))
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/row")
			})
		}
	}
}

func BenchmarkReadOne(b *testing.B) {
	p := mustPlan[wide](b)
	b.ReportAllocs()
	src := &steady{row: benchSources["strings"], n: 1}
	var w wide
	for b.Loop() {
		src.i = 0
		if ok, err := ReadOne(p, src, &w); !ok || err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseTime(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parseTime("2024-02-29 10:11:12.123456"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkArg(b *testing.B) {
	at := time.Date(2024, 2, 29, 10, 11, 12, 123456000, time.UTC)
	for name, v := range map[string]any{"int64": int64(1 << 40), "int": 1 << 30, "string": "text", "bool": true, "time": at, "pointer": new(int64(1 << 40))} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Arg(v, dialect.SQLite); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkArgs(b *testing.B) {
	p := mustPlan[wide](b)
	w := wide{ID: 1 << 40, Name: "Ada", Email: "ada@example.com", CreatedAt: time.Unix(1e9, 0), UpdatedAt: time.Unix(1e9, 0)}
	row := p.ArgPlan(0, 1, 2, 3, 4, 5, 6, 7)
	for _, d := range []*dialect.Dialect{dialect.Postgres, dialect.SQLite} {
		b.Run(d.Name+"/1", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := row.Args(&w, d); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(d.Name+"/100", func(b *testing.B) {
			b.ReportAllocs()
			args := make([]any, 0, 800)
			for b.Loop() {
				batch, args := row.Batch(d, 100), args[:0]
				var err error
				for range 100 {
					if args, err = batch.AppendArgs(args, &w); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
