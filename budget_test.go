//go:build !race

package dbfleet_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

// The library's own cost, on a driver that answers from memory: allocations,
// since they do not depend on what else the machine does. (The race detector
// changes their number, so this is a test of its own: make budgets.)
func TestBudget_AllocationsBesideDatabaseSQL(t *testing.T) {
	for _, tw := range twins {
		t.Run(tw.name, func(t *testing.T) {
			m, db := benchTwins(t, tw.rows)
			ctx := context.Background()
			count := func(f func() error) float64 {
				return testing.AllocsPerRun(200, func() { require.NoError(t, f()) })
			}
			byHand := count(func() error { return tw.databaseSQL(ctx, db) })
			ours := count(func() error { return tw.dbfleet(ctx, m) })
			require.LessOrEqual(t, ours, byHand+tw.allocs, "database/sql by hand: %v", byHand)
		})
	}
}
