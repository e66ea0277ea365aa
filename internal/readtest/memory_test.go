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
func TestReader_NeedsNoMoreMemoryForMoreRows(t *testing.T) {
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
			r, err := rowmap.NewReader[line](plan, rows)
			require.NoError(t, err)
			var v line
			var sum, read int64
			var early, highest uint64
			for {
				ok, err := r.Next(&v)
				require.NoError(t, err)
				if !ok {
					break
				}
				read++
				sum += v.ID
				switch {
				case read == int64(n/20):
					early = heap()
				case read%int64(n/10) == 0:
					highest = max(highest, heap())
				}
			}
			require.EqualValues(t, n, read)
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
