package replicaset_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/position"
	"github.com/dbfleet/dbfleet/internal/replicaset"
)

// wal is a place on timeline 1. It stays clear of the beginnings of pages, which count as
// the place behind their headers.
func wal(n int) position.Position { return position.WAL(1, 1<<24+uint64(n)*8192+100) }

func seconds(n float64) time.Time {
	return time.Unix(2000, 0).Add(time.Duration(n * float64(time.Second)))
}

func TestRuler_MeasuresOnOneClock(t *testing.T) {
	t.Parallel()
	var r replicaset.Ruler
	_, known := r.Staleness(wal(1), seconds(0))
	require.False(t, known, "nothing was sampled")
	for i := range 10 {
		r.Sampled(seconds(float64(i)), wal(i))
	}
	for _, c := range []struct {
		what    string
		applied position.Position
		now     float64
		want    float64 // -1 is unknown
	}{
		{"has all that is known", wal(9), 9.5, 0.5},
		{"is ahead of the last sample", wal(12), 9.5, 0.5},
		{"is behind", wal(4), 9.5, 5.5},
		{"is further behind than what is known", position.WAL(1, 1<<24), 9.5, -1},
		{"has applied nothing that is known", position.Position{}, 9.5, -1},
		{"is on another line", position.WAL(2, 1<<40), 9.5, -1},
		{"was asked before the last sample", wal(9), 8.5, 0},
	} {
		atMost, known := r.Staleness(c.applied, seconds(c.now))
		require.Equal(t, c.want >= 0, known, c.what)
		if known {
			require.Equal(t, time.Duration(c.want*float64(time.Second)), atMost, c.what)
		}
	}
}

func TestRuler_IsRightOnAnIdleFrozenOrCutOffServer(t *testing.T) {
	t.Parallel()
	var r replicaset.Ruler
	staleness := func(p position.Position, now float64) float64 {
		d, known := r.Staleness(p, seconds(now))
		require.True(t, known)
		return d.Seconds()
	}
	for i := range 600 {
		r.Sampled(seconds(float64(i)), wal(1))
		require.Equal(t, 0.5, staleness(wal(1), float64(i)+0.5), "an idle primary: nothing is missing")
	}
	require.Equal(t, 61.0, staleness(wal(1), 660), "a frozen primary: who knows what it writes")
	for i := 660; i < 720; i++ {
		r.Sampled(seconds(float64(i)), wal(i))
	}
	require.InDelta(t, 121, staleness(wal(1), 720), 0.001, "a replica that was cut off, since the last time it had all")
}

func TestRuler_TakesNoSampleThatSaysNothing(t *testing.T) {
	t.Parallel()
	var r replicaset.Ruler
	r.Sampled(seconds(1), wal(1))
	r.Sampled(seconds(2), position.Position{})
	d, known := r.Staleness(wal(1), seconds(3))
	require.True(t, known)
	require.Equal(t, 2*time.Second, d)
	r.Sampled(seconds(5), wal(5))
	r.Sampled(seconds(4), wal(2)) // its answer took long
	d, known = r.Staleness(wal(4), seconds(6))
	require.True(t, known)
	require.Equal(t, 5*time.Second, d)
}

// The bound is never too small and, of what is within an hour, not much too large.
func TestRuler_IsAnUpperBoundWhateverWasThinned(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(3, 9))
	for i := range 6 {
		var r replicaset.Ruler
		var at []float64 // when the primary began to be at place i
		now := 0.0
		every := []float64{0.05, 1, 3}[i%3]
		for now < 2*3600 && len(at) < 5000 {
			now += every * (0.8 + 0.4*rnd.Float64())
			at = append(at, now)
			r.Sampled(seconds(now), wal(len(at)-1))
		}
		for range 200 {
			i := rnd.IntN(len(at))
			truth := now - at[i] // what came after it was written later
			d, known := r.Staleness(wal(i), seconds(now))
			if !known {
				require.Greater(t, truth, 3000.0, "every %v", every)
				continue
			}
			require.GreaterOrEqual(t, d.Seconds(), truth-1e-6)
			require.LessOrEqual(t, d.Seconds(), truth*1.25+2*every, "every %v", every)
		}
	}
}

func TestRuler_KnowsNothingAfterAnHour(t *testing.T) {
	t.Parallel()
	var r replicaset.Ruler
	for i := range 2 * 3600 {
		r.Sampled(seconds(float64(i)), wal(i))
	}
	_, known := r.Staleness(wal(3500), seconds(7199))
	require.False(t, known)
	_, known = r.Staleness(wal(4000), seconds(7199))
	require.True(t, known)
	at, known := r.Reached(wal(7300))
	require.True(t, known)
	require.Equal(t, seconds(7199), at)
	r.Forget()
	_, known = r.Reached(wal(7300))
	require.False(t, known)
}

func TestRuler_GoesOnAfterAPromotion(t *testing.T) {
	t.Parallel()
	var r replicaset.Ruler
	r.Sampled(seconds(1), wal(1))
	r.Sampled(seconds(2), wal(2))
	r.Sampled(seconds(3), position.WAL(2, 1<<24+9*8192+100))
	d, known := r.Staleness(position.WAL(2, 1<<24+9*8192+200), seconds(4))
	require.True(t, known)
	require.Equal(t, time.Second, d)
	d, known = r.Staleness(wal(2), seconds(4))
	require.True(t, known, "it is on the line of the old primary, and has what that one had")
	require.Equal(t, 2*time.Second, d)
}
