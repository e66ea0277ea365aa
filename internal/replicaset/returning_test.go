package replicaset_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/replicaset"
)

// back has members that were ejected answer again.
func (w *world) back(names ...string) {
	w.t.Helper()
	for _, n := range names {
		w.Find(n).Probed(true, "")
		require.Equal(w.t, replicaset.StateSlowStart, w.Find(n).State())
	}
}

// resorts counts how good the picks of so many reads are.
func (w *world) resorts(n int, wants replicaset.Wants[string]) map[replicaset.Resort]int {
	out := map[replicaset.Resort]int{}
	for range n {
		m, resort, ok := w.Peek(wants, nil)
		picked, as, also := w.Pick(wants, nil)
		require.True(w.t, ok && also)
		require.Equal(w.t, resort, as, "Peek tells what Pick will be")
		require.Equal(w.t, m.Name(), picked.Name())
		out[as]++
	}
	return out
}

// When all replicas come back at once, their pools are empty. The primary, which has stood
// in for them, keeps what they leave of their shares.
func TestPick_LeavesAShareToWhoStoodInWhenAllReturnAtOnce(t *testing.T) {
	t.Parallel()
	for _, p := range []replicaset.Policy{replicaset.RoundRobin, replicaset.Weighted, replicaset.Random, replicaset.LeastInFlight, replicaset.Latency} {
		w := setup(t, replicaset.Settings{Policy: p}, "a", "b").healthy()
		w.eject("a")
		w.eject("b")
		w.back("a", "b")
		const reads = 20000
		for after, left := range map[time.Duration]float64{0: 0.9, 250 * time.Millisecond: 0.75, 500 * time.Millisecond: 0.5, 900 * time.Millisecond: 0.1} {
			w.clock.passed.Store(int64(after))
			within(t, 0.1, left*reads, float64(w.resorts(reads, nil)[replicaset.Returning]), string(p)+" after "+after.String())
		}
		w.clock.passed.Store(int64(2 * time.Second))
		require.Zero(t, w.resorts(100, nil)[replicaset.Returning], p)
		w.healthy()
		require.Zero(t, w.resorts(100, nil)[replicaset.Returning], p)
	}
}

func TestPick_LeavesNothingWhileOneHasItsFullShare(t *testing.T) {
	t.Parallel()
	w := setupSpecs(t, replicaset.Settings{Zone: "here"}, map[string]replicaset.Spec{"a": {Zone: "here"}, "b": {Zone: "here"}, "far": {Zone: "there"}}, "a", "b", "far").healthy()
	w.eject("a")
	w.back("a")
	require.Equal(t, map[replicaset.Resort]int{replicaset.Well: 100}, w.resorts(100, nil), "b is in turn")
	require.NotZero(t, w.resorts(100, &only{"a"})[replicaset.Returning], "of a read that only a fits")
	w.eject("b")
	require.Equal(t, map[replicaset.Resort]int{replicaset.Well: 100}, w.resorts(100, nil), "far has the rest")
	w.eject("a")
	require.Equal(t, map[replicaset.Resort]int{replicaset.Well: 100}, w.resorts(100, nil), "far is in turn")
	w.eject("far")
	require.Equal(t, map[replicaset.Resort]int{replicaset.Ejected: 100}, w.resorts(100, nil))
}

// What those of the zone leave while they are in slow start is served by who served until
// then: the members of other zones.
func TestPick_LeavesAShareToOtherZonesWhenAZoneReturns(t *testing.T) {
	t.Parallel()
	for _, p := range policies[1:] {
		specs := map[string]replicaset.Spec{"a": {Zone: "here"}, "b": {Zone: "here"}, "x": {Zone: "there"}, "y": {Zone: "there"}}
		w := setupSpecs(t, replicaset.Settings{Zone: "here", Policy: p}, specs, "a", "b", "x", "y").healthy()
		require.Zero(t, w.shares(100)["x"]+w.shares(100)["y"], p)
		w.eject("a")
		w.eject("b")
		w.back("a")
		const reads = 20000
		for _, at := range []struct {
			after time.Duration
			left  float64
		}{{0, 0.9}, {250 * time.Millisecond, 0.75}, {500 * time.Millisecond, 0.5}, {900 * time.Millisecond, 0.1}} {
			w.clock.passed.Store(int64(at.after))
			got := w.shares(reads)
			within(t, 0.1, at.left*reads, float64(got["x"]+got["y"]), string(p)+" after "+at.after.String())
			within(t, 0.1, float64(got["x"]), float64(got["y"]), string(p)+" after "+at.after.String())
			require.Zero(t, got["b"])
			require.Zero(t, w.resorts(100, nil)[replicaset.Returning], p)
		}
		w.clock.passed.Store(int64(2 * time.Second))
		require.Equal(t, map[string]int{"a": 100}, w.shares(100), p)

		w.clock.advance(time.Minute) // so that it is believed at once
		w.eject("a")
		w.eject("x")
		w.back("a", "x") // and y is well
		got := w.shares(reads)
		require.NotZero(t, got["a"], p)
		require.Zero(t, got["x"], p)
		require.Zero(t, w.resorts(100, nil)[replicaset.Returning], p)
		w.eject("y")
		require.NotZero(t, w.resorts(100, nil)[replicaset.Returning], "%s: nobody has a full share", p)
	}
}
