package rowmap

import (
	"fmt"
	"io"
	"testing"

	"github.com/dbfleet/dbfleet/internal/cell"
)

// steadyCells is a steady that gives its row as cells.
type steadyCells struct {
	steady
	cells []cell.Cell
}

func newSteadyCells(n int) *steadyCells {
	s := &steadyCells{steady: steady{row: benchSources["strings"], n: n}, cells: make([]cell.Cell, len(wideColumns))}
	for i, v := range s.row {
		s.cells[i].Set(v)
		if text, ok := v.(string); ok {
			s.cells[i].SetText([]byte(text))
		}
	}
	return s
}

func (s *steadyCells) NextCells(row []cell.Cell) error {
	if s.i == s.n {
		return io.EOF
	}
	s.i++
	copy(row, s.cells)
	return nil
}

func BenchmarkReadAllCells(b *testing.B) {
	p := mustPlan[wide](b)
	for _, n := range []int{1, 100, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			src := newSteadyCells(n)
			for b.Loop() {
				src.i = 0
				rows, err := ReadAll[wide](p, src, min(n, 1000))
				if err != nil || len(rows) != n {
					b.Fatal(err, len(rows))
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/row")
		})
	}
}

func BenchmarkReadOneCells(b *testing.B) {
	p := mustPlan[wide](b)
	b.ReportAllocs()
	src := newSteadyCells(1)
	var w wide
	for b.Loop() {
		src.i = 0
		if ok, err := ReadOne(p, src, &w); !ok || err != nil {
			b.Fatal(err)
		}
	}
}
