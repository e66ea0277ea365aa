//go:build !race

package rowmap

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestBudget_ArgPlanAllocatesOnceARow(t *testing.T) {
	p, err := Of[usual]()
	require.NoError(t, err)
	now := time.Now()
	rec := &usual{ID: 1000, Name: "n", Note: new("x"), Rate: 1.5, At: now, Seen: &now}
	columns := []int{0, 1, 2, 3, 4, 5}
	args := make([]any, 0, 600)
	row := p.ArgPlan(columns...)
	for _, d := range allDialects {
		require.EqualValues(t, 1, testing.AllocsPerRun(100, func() { _, _, _ = row.Args(rec, d) }), "%v", d)
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
