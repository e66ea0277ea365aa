//go:build !race && !dbfleet_plain

package rowmap

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestBudget_ArgPlanAllocatesOncePerKind(t *testing.T) {
	p, err := Of[usual]()
	require.NoError(t, err)
	now := time.Now()
	rec := &usual{ID: 1000, Name: "n", Note: new("x"), Rate: 1.5, At: now, Seen: &now}
	columns := []int{0, 1, 2, 3, 4, 5}
	args := make([]any, 0, 600)
	row := p.ArgPlan(columns...)
	for _, d := range allDialects {
		require.LessOrEqual(t, testing.AllocsPerRun(100, func() { _, _, _ = row.Args(rec, d) }), 4.0, "%v", d) // the list, texts, numbers, times
		many := testing.AllocsPerRun(100, func() {
			b := row.Batch(d, 100)
			args := args[:0]
			for range 100 {
				args, _ = b.AppendArgs(args, rec)
			}
		})
		require.LessOrEqual(t, many, 12.0, "%v", d)
	}
}

// A loop allocates one record, and for each row what its fields hold.
func TestBudget_EachAllocatesOneRecord(t *testing.T) {
	p := mustPlan[wide](t)
	const rows = 1000
	each := func(row string) float64 {
		src := &steady{row: benchSources[row], n: rows}
		return testing.AllocsPerRun(20, func() {
			src.i = 0
			var sum int64
			n, err := Each(p, src, func(w *wide) bool { sum += w.ID; return true })
			if n != rows || err != nil || sum == 0 {
				t.Fatal(n, err)
			}
		})
	}
	// Three pointers a row; of the texts, the source's own strings are kept.
	require.LessOrEqual(t, each("strings"), 3.0*rows+2)
	// And a copy of each of three texts that the source will overwrite.
	require.LessOrEqual(t, each("bytes"), 6.0*rows+2)

	plain := mustPlan[plainLine](t)
	src := &steady{row: benchSources["strings"], n: rows}
	require.LessOrEqual(t, testing.AllocsPerRun(20, func() {
		src.i = 0
		_, _ = Each(plain, src, func(*plainLine) bool { return true })
	}), 2.0, "rows that hold nothing of their own")
}

type plainLine struct {
	ID        int64
	Name      string
	CreatedAt time.Time
}

// Reading back into records costs as much as reading new ones.
func TestBudget_ReadIntoAllocatesWhatReadAllDoes(t *testing.T) {
	p := mustPlan[wide](t)
	fields := []int{0, 1, 2, 3, 4, 5, 6, 7}
	for _, n := range []int{1, 100} {
		records := make([]wide, n)
		at := func(i int) any { return &records[i] }
		for name, row := range benchSources {
			src := &steady{row: row, n: n}
			fresh := testing.AllocsPerRun(50, func() {
				src.i = 0
				_, _ = ReadAll[wide](p, src, n)
			})
			into := testing.AllocsPerRun(50, func() {
				src.i = 0
				rows, err := p.ReadInto(src, fields, n, at)
				if rows != int64(n) || err != nil {
					t.Fatal(rows, err)
				}
			})
			require.LessOrEqual(t, into, fresh, "%s, %d", name, n)
			maps := testing.AllocsPerRun(50, func() {
				src.i = 0
				_, _ = ReadRows(src, nil)
			})
			t.Logf("%s, %d rows: ReadInto %v, ReadAll %v, ReadRows %v", name, n, into, fresh, maps)
		}
	}
}

func TestBudget_ReadMatchedAllocatesAKeyARow(t *testing.T) {
	p := mustPlan[wide](t)
	const n = 100
	record := &wide{}
	src := &steady{row: benchSources["sqlite"], n: n}
	found := testing.AllocsPerRun(50, func() {
		src.i = 0
		rows, err := p.ReadMatched(src, []int{6, 7}, 0, func(any) any { return record })
		if rows != n || err != nil {
			t.Fatal(rows, err)
		}
	})
	require.LessOrEqual(t, found, 2.0*n+4)
}

// What is kept to restore a record is one allocation, however many columns changed.
func TestBudget_ChangesAllocateOnce(t *testing.T) {
	p := mustPlan[usual](t)
	now := time.Now()
	filled := usual{ID: 1000, Name: "n", Note: new("x"), At: now, Seen: &now}
	key := []int{0}
	kept := func(is usual) float64 {
		rec := &usual{}
		return testing.AllocsPerRun(100, func() {
			*rec = usual{}
			old := p.SnapshotOne(rec)
			*rec = is
			_ = old.Changes(key)
			old.GiveBack()
		})
	}
	require.LessOrEqual(t, kept(filled), 1.0)
	require.Zero(t, kept(usual{}))
}
