package replicaset_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/replicaset"
)

var policies = []replicaset.Policy{
	"", replicaset.RoundRobin, replicaset.Weighted, replicaset.Random, replicaset.LeastInFlight, replicaset.Latency,
}

func TestPolicy_IsKnown(t *testing.T) {
	t.Parallel()
	for _, p := range policies {
		require.True(t, p.Known(), p)
	}
	require.False(t, replicaset.Policy("fastest").Known())
}

func weights(list ...int) (specs map[string]replicaset.Spec, names []string) {
	specs = map[string]replicaset.Spec{}
	for i, w := range list {
		n := fmt.Sprint("n", i)
		specs[n] = replicaset.Spec{Weight: w}
		names = append(names, n)
	}
	return specs, names
}

// promise: balance within 2 % for the weighted policies
func TestPolicy_SharesAreThoseOfTheWeights(t *testing.T) {
	t.Parallel()
	for _, p := range []replicaset.Policy{replicaset.Weighted, replicaset.Random, replicaset.LeastInFlight} {
		for _, list := range [][]int{{1, 1, 1}, {5, 1, 1}, {3, 2}, {0, 2}, {-4, 1}, {1000, 1}, {70, 30, 7, 13}, {1_000_000, 3_000_000}} {
			t.Run(fmt.Sprint(p, list), func(t *testing.T) {
				t.Parallel()
				specs, names := weights(list...)
				w := setupSpecs(t, replicaset.Settings{Policy: p}, specs, names...)
				whole := 0
				for _, n := range names {
					whole += max(1, specs[n].Weight)
				}
				const reads = 150_000
				got := w.shares(reads)
				for _, n := range names {
					want := reads * float64(max(1, specs[n].Weight)) / float64(whole)
					tolerance := 0.02
					if p == replicaset.Random && want < 10_000 {
						tolerance = 0.2 // chance has its own ways
					}
					within(t, tolerance, want, float64(got[n]), n)
				}
			})
		}
	}
}

func TestPolicy_WeightedDoesNotServeInBursts(t *testing.T) {
	t.Parallel()
	specs, names := weights(4, 2, 2)
	w := setupSpecs(t, replicaset.Settings{Policy: replicaset.Weighted}, specs, names...)
	last, run := "", 0
	for _, n := range w.picks(800) {
		if run++; n != last {
			last, run = n, 1
		}
		require.LessOrEqual(t, run, 2, "%s has half of the reads", n)
	}
}

// Smooth at every moment: after any number of reads each has served its share, give or
// take one round.
func TestPolicy_WeightedIsNeverFarFromTheShares(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(11, 3))
	for range 50 {
		list := make([]int, 2+r.IntN(6))
		whole := 0
		for i := range list {
			list[i] = 1 + r.IntN(20)
			whole += list[i]
		}
		specs, names := weights(list...)
		w := setupSpecs(t, replicaset.Settings{Policy: replicaset.Weighted}, specs, names...)
		got := map[string]int{}
		for reads := 1; reads <= 300; reads++ {
			got[w.pick(nil)]++
			for _, n := range names {
				want := float64(reads*specs[n].Weight) / float64(whole)
				if math.Abs(want-float64(got[n])) > float64(len(list)) {
					require.FailNow(t, "far from the share", "%v: %v after %d", list, got, reads)
				}
			}
		}
	}
}

func TestPolicy_RoundRobinKnowsNoWeights(t *testing.T) {
	t.Parallel()
	specs, names := weights(5, 1)
	w := setupSpecs(t, replicaset.Settings{}, specs, names...)
	require.Equal(t, map[string]int{"n0": 50, "n1": 50}, w.shares(100))
}

func TestPolicy_LeastInFlightAsksTheIdle(t *testing.T) {
	t.Parallel()
	w := setup(t, replicaset.Settings{Policy: replicaset.LeastInFlight}, "a", "b", "c")
	a, b := w.Find("a").Begin(), w.Find("b").Begin()
	require.Equal(t, map[string]int{"c": 10}, w.shares(10))
	a.GaveUp()
	got := w.shares(100)
	require.InDelta(t, 50, got["a"], 1)
	require.Zero(t, got["b"])
	b.Answered()
	require.NotZero(t, w.shares(12)["b"])

	specs, names := weights(2, 1)
	w = setupSpecs(t, replicaset.Settings{Policy: replicaset.LeastInFlight}, specs, names...)
	for range 300 {
		m, _, _ := w.Pick(nil, nil)
		m.Begin() // and stays
	}
	require.InDelta(t, 200, w.Find("n0").Figures().InFlight, 2, "in relation to the weight")
}

// hazard 257
func TestPolicy_ASlowMemberIsAskedLittle(t *testing.T) {
	t.Parallel()
	const readers, each = 16, 2 * time.Millisecond
	for _, p := range []replicaset.Policy{replicaset.Latency, replicaset.LeastInFlight} {
		w := setup(t, replicaset.Settings{Policy: p}, "a", "b", "slow").healthy()
		got := w.simulate(readers, 20*time.Second, func(m *member) time.Duration {
			if m.Name() == "slow" {
				return 100 * each
			}
			return each
		})
		whole := got["a"] + got["b"] + got["slow"]
		require.Less(t, float64(got["slow"]), 0.02*float64(whole), "%s: %v", p, got)
		require.InDelta(t, got["a"], got["b"], 0.1*float64(whole), "%s: %v", p, got)
		require.Positive(t, got["slow"], "%s: it is asked now and then, for it may have become fast", p)
	}
}

func TestPolicy_LatencyNoticesThatASlowMemberIsFastAgain(t *testing.T) {
	t.Parallel()
	w := setup(t, replicaset.Settings{Policy: replicaset.Latency}, "a", "b", "c").healthy()
	slow := time.Second
	took := func(m *member) time.Duration {
		if m.Name() == "c" {
			return slow
		}
		return 2 * time.Millisecond
	}
	w.simulate(8, 5*time.Second, took)
	slow = 2 * time.Millisecond
	w.simulate(8, 15*time.Second, took)
	got := w.simulate(8, 5*time.Second, took)
	require.Greater(t, float64(got["c"]), 0.2*float64(got["a"]+got["b"]+got["c"]), "%v", got)
}

func TestPolicy_LatencySendsOneReadToAStranger(t *testing.T) {
	t.Parallel()
	w := setup(t, replicaset.Settings{Policy: replicaset.Latency}, "a", "b")
	a := w.Find("a").Begin()
	w.clock.advance(time.Millisecond)
	a.Answered()
	require.Equal(t, "b", w.pick(nil))
	b := w.Find("b").Begin()
	require.Equal(t, map[string]int{"a": 20}, w.shares(20), "until it is known how fast it is")
	b.Answered()
	require.NotEqual(t, 20, w.shares(20)["a"])
}

// simulate has readers read one after the other for a while, and counts who served.
func (w *world) simulate(readers int, d time.Duration, took func(*member) time.Duration) map[string]int {
	type read struct {
		replicaset.Attempt[string]
		ends time.Time
	}
	got, end := map[string]int{}, w.clock.Now().Add(d)
	running := make([]read, readers)
	begin := func(i int) {
		m, _, ok := w.Pick(nil, nil)
		require.True(w.t, ok)
		got[m.Name()]++
		running[i] = read{m.Begin(), w.clock.Now().Add(took(m) + time.Duration(i)*time.Microsecond)}
	}
	for i := range running {
		begin(i)
	}
	for w.clock.Now().Before(end) {
		next := 0
		for i := range running {
			if running[i].ends.Before(running[next].ends) {
				next = i
			}
		}
		w.clock.advance(running[next].ends.Sub(w.clock.Now()))
		running[next].Answered()
		begin(next)
	}
	for i := range running {
		running[i].GaveUp()
	}
	return got
}

// promise: balance within 2 % for the weighted policies
func TestPolicy_SharesAreRightWithManyReaders(t *testing.T) {
	t.Parallel()
	for _, p := range []replicaset.Policy{replicaset.RoundRobin, replicaset.Weighted, replicaset.Random} {
		specs, names := weights(3, 2, 1)
		w := setupSpecs(t, replicaset.Settings{Policy: p}, specs, names...)
		var got [3]atomic.Int64
		var wg sync.WaitGroup
		const goroutines, each = 16, 5_000
		for range goroutines {
			wg.Go(func() {
				for range each {
					m, _, _ := w.Pick(nil, nil)
					a := m.Begin()
					got[m.Name()[1]-'0'].Add(1)
					a.Answered()
				}
			})
		}
		wg.Wait()
		for i := range got {
			want := goroutines * each / 6.0 * float64(3-i)
			if p == replicaset.RoundRobin {
				want = goroutines * each / 3.0
			}
			within(t, 0.02, want, float64(got[i].Load()), fmt.Sprint(p, i))
		}
	}
}
