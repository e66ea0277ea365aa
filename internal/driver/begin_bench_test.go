//go:build !dbfleet_no_postgres && !dbfleet_no_mysql && !dbfleet_no_sqlite

package driver

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// BenchmarkBegin tells what a transaction of four statements costs whose BEGIN goes out with
// the first, as a part of what it costs with a BEGIN by itself: one of each in turn, on the
// same connection. It is the ratio of the medians.
func BenchmarkBegin(b *testing.B) {
	db := dbtest.New(b, "postgres")
	p := open(b, optionsFor(db))
	c := acquire(b, p)
	mustExec(b, c, createT)
	mustExec(b, c, insertT, int64(1), "x")
	ways := []func(context.Context) error{
		func(ctx context.Context) error { return c.BeginLate(ctx, TxOptions{}, nil) },
		func(ctx context.Context) error { return c.Begin(ctx, TxOptions{}) },
	}
	took := make([][]time.Duration, len(ways))
	for i := -10; i < b.N; i++ {
		for way, begin := range ways {
			start := time.Now()
			require.NoError(b, begin(b.Context()))
			for range 2 {
				require.Len(b, rowsOf(b, c, "SELECT name FROM t WHERE id = $1", int64(1)), 1)
				mustExec(b, c, "UPDATE t SET name = $1 WHERE id = $2", "y", int64(1))
			}
			require.NoError(b, c.Commit(b.Context()))
			if i >= 0 {
				took[way] = append(took[way], time.Since(start))
			}
		}
	}
	for _, list := range took {
		slices.Sort(list)
	}
	b.ReportMetric(float64(took[0][b.N/2])/float64(took[1][b.N/2]), "ratio")
}
