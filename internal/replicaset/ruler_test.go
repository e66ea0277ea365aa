package replicaset_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/position"
	"github.com/dbfleet/dbfleet/internal/replicaset"
)

// at is a position of the first timeline.
func at(lsn uint64) position.Position { return position.WAL(1, lsn) }

func TestRuler_BoundsTheStaleness(t *testing.T) {
	t.Parallel()
	var r replicaset.Ruler
	start := time.Unix(1000, 0)
	_, known := r.Staleness(at(1000), start)
	require.False(t, known, "nothing was sampled")
	for i := range 10 {
		r.Sampled(start.Add(time.Duration(i)*time.Second), at(uint64(1000+100*i)))
	}
	now := start.Add(9500 * time.Millisecond)
	for _, tt := range []struct {
		lsn    uint64
		atMost time.Duration
	}{{1900, 500 * time.Millisecond}, {5000, 500 * time.Millisecond}, {1899, 1500 * time.Millisecond}, {1800, 1500 * time.Millisecond}, {1000, 9500 * time.Millisecond}} {
		atMost, known := r.Staleness(at(tt.lsn), now)
		require.True(t, known)
		require.Equal(t, tt.atMost, atMost, tt.lsn)
	}
	_, known = r.Staleness(at(999), now)
	require.False(t, known, "further behind than anything that was sampled")
	_, known = r.Staleness(position.WAL(2, 9000), now)
	require.False(t, known, "another line of history")
	_, known = r.Staleness(position.Position{}, now)
	require.False(t, known)
	r.Forget()
	_, known = r.Staleness(at(9000), now)
	require.False(t, known)
}

// An idle primary does not make its replicas stale, and one that cannot be asked does.
func TestRuler_IsRightOnAnIdlePrimaryAndOnASilentOne(t *testing.T) {
	t.Parallel()
	var r replicaset.Ruler
	start := time.Unix(1000, 0)
	now := start
	for range 100_000 {
		now = now.Add(time.Second)
		r.Sampled(now, at(1000))
	}
	atMost, known := r.Staleness(at(1000), now.Add(time.Second))
	require.True(t, known)
	require.Equal(t, time.Second, atMost)
	atMost, known = r.Staleness(at(1000), now.Add(time.Hour))
	require.True(t, known)
	require.Equal(t, time.Hour, atMost)
}

// What is long ago is measured coarsely, and never too fresh.
func TestRuler_NeverTellsTooLittle(t *testing.T) {
	t.Parallel()
	var r replicaset.Ruler
	start := time.Unix(1000, 0)
	const n = 20_000
	for i := range n {
		r.Sampled(start.Add(time.Duration(i)*time.Second), at(uint64(1000+i)))
	}
	now := start.Add(n * time.Second)
	for i := 0; i < n; i += 7 {
		atMost, known := r.Staleness(at(uint64(1000+i)), now)
		if known {
			require.GreaterOrEqual(t, atMost, now.Sub(start.Add(time.Duration(i)*time.Second)))
		}
	}
	_, known := r.Staleness(at(1000+n-100), now)
	require.True(t, known, "what is recent is kept")
}
