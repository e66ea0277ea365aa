package dbfleet

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A replica rests ever longer that is waited for in vain again and again, and those who
// have waited together count once.
func TestWaited_RestsEverLonger(t *testing.T) {
	t.Parallel()
	const wait = time.Hour // so that what this machine takes counts nothing
	var w waited
	began := time.Now()
	for _, rest := range []int{2, 4, 8, 16, 20, 20, 20} {
		w.inVainFrom(began, wait)
		until := time.Unix(0, w.until.Load())
		require.InDelta(t, rest, float64(time.Until(until))/float64(wait), 0.5)
		w.inVainFrom(began, wait)
		w.inVainFrom(until.Add(-1), wait)
		require.Equal(t, until.UnixNano(), w.until.Load(), "who has waited at the same time")
		began = until
	}
	w.wasWorthIt()
	w.inVainFrom(began, wait)
	require.InDelta(t, 2, float64(time.Until(time.Unix(0, w.until.Load())))/float64(wait), 0.5, "after it was worth it")
}
