package replicaset_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/replicaset"
)

// promise: at most 5 % extra reads
func TestBudget_HasOneForTwentyReads(t *testing.T) {
	t.Parallel()
	var b replicaset.Budget
	require.False(t, b.Extra(), "nothing is saved at first")
	extra := 0
	for range 1000 {
		b.Read()
		if b.Extra() {
			extra++
		}
	}
	require.Equal(t, 50, extra)
}

func TestBudget_SavesForTenAtOnce(t *testing.T) {
	t.Parallel()
	var b replicaset.Budget
	for range 100_000 {
		b.Read()
	}
	extra := 0
	for b.Extra() {
		extra++
	}
	require.Equal(t, 10, extra)
}

func TestBudget_HoldsWithManyReaders(t *testing.T) {
	t.Parallel()
	var b replicaset.Budget
	var extra atomic.Int64
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 10_000 {
				b.Read()
				if b.Extra() {
					extra.Add(1)
				}
			}
		})
	}
	wg.Wait()
	require.LessOrEqual(t, extra.Load(), int64(16*10_000/20))
	require.Greater(t, extra.Load(), int64(16*10_000/20*9/10))
}
