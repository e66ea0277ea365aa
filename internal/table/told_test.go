package table

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// Names of tenants are whatever callers come up with.
func TestTold_DoesNotGrowWithNames(t *testing.T) {
	t.Parallel()
	told, most := new(Told), 0
	for i := range 3 * maxTold {
		name := fmt.Sprint("shops/t", i)
		told.Learn(name, i%2 == 0)
		is, known := told.Of(name)
		require.True(t, known)
		require.Equal(t, i%2 == 0, is)
		most = max(most, len(told.known))
	}
	require.Equal(t, maxTold, most)

	last := fmt.Sprint("shops/t", 3*maxTold-1)
	told.Learn(last, true) // full, and nothing new
	require.Len(t, told.known, maxTold)
	told.Forget(last)
	_, known := told.Of(last)
	require.False(t, known)
	told.Forget("shops/never")
}

func TestTold_IsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	told := new(Told)
	var work sync.WaitGroup
	for g := range 8 {
		work.Go(func() {
			for i := range 1000 {
				name := fmt.Sprint("t", i, "/", g)
				told.Learn(name, true)
				if is, known := told.Of(name); known && !is {
					t.Error("an answer of another name")
				}
				told.Forget(name)
			}
		})
	}
	work.Wait()
	require.Empty(t, told.known)
}
