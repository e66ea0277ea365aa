package readtest

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dbtest"
	"github.com/dbfleet/dbfleet/internal/rowmap"
)

type line struct {
	ID   int64
	Name string
}

// It measures the heap of the whole program and so runs before the parallel
// tests do.
//
//nolint:paralleltest // see above
func TestEach_NeedsNoMoreMemoryForMoreRows(t *testing.T) {
	n := 1_000_000
	if testing.Short() {
		n = 100_000
	}
	for _, dialect := range dbtest.Dialects {
		t.Run(dialect, func(t *testing.T) {
			c := conn(t, open(t, dbtest.New(t, dialect)))
			plan, err := rowmap.Of[line]()
			require.NoError(t, err)
			rows := query(t, c, many(n))
			defer rows.Close()
			var sum, read int64
			var early, highest uint64
			told, err := eachOf(plan, rows, func(v *line) bool {
				read++
				sum += v.ID
				switch {
				case read == int64(n/20):
					early = heap()
				case read%int64(n/10) == 0:
					highest = max(highest, heap())
				}
				return true
			})
			require.NoError(t, err)
			require.EqualValues(t, n, read)
			require.EqualValues(t, n, told)
			require.EqualValues(t, int64(n)*int64(n-1)/2, sum)
			require.Less(t, highest, early+512<<10, "bytes after a twentieth of the rows: %d", early)
		})
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
