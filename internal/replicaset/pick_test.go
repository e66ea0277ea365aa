package replicaset_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/replicaset"
)

func TestPick_ServesInTurn(t *testing.T) {
	t.Parallel()
	w := setup(t, replicaset.Settings{}, "a", "b", "c")
	require.Equal(t, []string{"a", "b", "c", "a", "b", "c"}, w.picks(6))
}

// hazard 256
func TestPick_OfNoneOrOne(t *testing.T) {
	t.Parallel()
	none := setup(t, replicaset.Settings{Zone: "z"})
	m, _, ok := none.Pick(nil, nil)
	require.False(t, ok)
	require.Nil(t, m)
	_, _, ok = none.Peek(nil, nil)
	require.False(t, ok)
	require.Nil(t, none.Find("a"))
	for _, p := range policies {
		one := setup(t, replicaset.Settings{Policy: p, Zone: "z"}, "a")
		require.Equal(t, []string{"a", "a", "a"}, one.picks(3), p)
		one.eject("a")
		m, resort, ok := one.Pick(nil, nil)
		require.True(t, ok, "whoever might answer is asked before an error")
		require.Equal(t, "a", m.Name())
		require.Equal(t, replicaset.Ejected, resort)
	}
}

// hazard 256
func TestReplace_TakesANodeThatIsNamedTwiceOnce(t *testing.T) {
	t.Parallel()
	w := setup(t, replicaset.Settings{}, "a", "b", "a")
	require.Equal(t, 2, w.Len())
	require.Equal(t, []string{"a", "b", "a", "b"}, w.picks(4))
}

func TestPick_LeavesOutWhatDoesNotFit(t *testing.T) {
	t.Parallel()
	for _, p := range policies {
		w := setup(t, replicaset.Settings{Policy: p}, "a", "b", "c")
		for range 50 {
			require.NotEqual(t, "b", w.pick(&only{"a", "c"}))
		}
		require.Equal(t, "-", w.pick(&only{}))
	}
}

func TestPick_SkipsWhatTheReadHasTried(t *testing.T) {
	t.Parallel()
	for _, p := range policies {
		w := setup(t, replicaset.Settings{Policy: p}, "a", "b", "c")
		for range 20 {
			require.Equal(t, "c", w.pick(nil, "a", "b"))
		}
		require.Equal(t, "-", w.pick(nil, "a", "b", "c"))
	}
}

func TestTried_RemembersMoreThanEight(t *testing.T) {
	t.Parallel()
	var names []string
	for i := range 20 {
		names = append(names, fmt.Sprint("n", i))
	}
	w := setup(t, replicaset.Settings{}, names...)
	var asked tried
	for range 20 {
		m, _, ok := w.Pick(nil, &asked)
		require.True(t, ok)
		require.False(t, asked.Has(m))
		asked.Add(m)
		require.True(t, asked.Has(m))
	}
	_, _, ok := w.Pick(nil, &asked)
	require.False(t, ok)
}

// Seen: with the node before it failing each time, 20 of 20 reads began at one node.
func TestPick_FailingOverTakesNobodysTurn(t *testing.T) {
	t.Parallel()
	w := setup(t, replicaset.Settings{}, "a", "b", "c")
	first, second := map[string]int{}, map[string]int{}
	for range 3000 {
		n := w.pick(nil)
		first[n]++
		if n == "a" { // which fails, and is not left out yet
			second[w.pick(nil, "a")]++
		}
	}
	require.Equal(t, map[string]int{"a": 1000, "b": 1000, "c": 1000}, first)
	require.Equal(t, map[string]int{"b": 500, "c": 500}, second)
}

func TestPeek_SkipsWhatTheReadHasTried(t *testing.T) {
	t.Parallel()
	for _, p := range policies {
		w := setup(t, replicaset.Settings{Policy: p}, "a", "b")
		var tried replicaset.Tried[string]
		for want := 1; want >= 0; want-- {
			m, _, _ := w.Peek(nil, &tried)
			tried.Add(m)
			next, _, ok := w.Peek(nil, &tried)
			require.Equal(t, want == 1, ok, p)
			if ok {
				require.NotEqual(t, m, next)
				picked, _, _ := w.Pick(nil, &tried)
				require.Equal(t, next, picked, "%s: it has taken a turn", p)
			}
		}
	}
}

func TestPeek_IsWhatPickReturnsAndTakesNobodysTurn(t *testing.T) {
	t.Parallel()
	for _, p := range policies {
		w := setup(t, replicaset.Settings{Policy: p}, "a", "b", "c")
		for i := range 200 {
			if i%40 == 0 {
				w.Members()[i%3].Begin()
			}
			var told string
			for range i % 4 {
				m, _, ok := w.Peek(nil, nil)
				require.True(t, ok)
				if told != "" {
					require.Equal(t, told, m.Node(), "%s: explaining changed who is next", p)
				}
				told = m.Node()
			}
			got := w.pick(nil)
			if told != "" {
				require.Equal(t, told, got, p)
			}
		}
	}
}

// Seen: the neighbour of a missing node served twice as much as the third.
func TestPick_SpreadsTheShareOfAMissingMember(t *testing.T) {
	t.Parallel()
	for _, p := range []replicaset.Policy{replicaset.RoundRobin, replicaset.Weighted, replicaset.Random, replicaset.LeastInFlight} {
		for _, missing := range []string{"a", "b", "c"} {
			t.Run(fmt.Sprint(p, " without ", missing), func(t *testing.T) {
				t.Parallel()
				w := setup(t, replicaset.Settings{Policy: p}, "a", "b", "c")
				w.eject(missing)
				for n, got := range w.shares(30_000) {
					require.NotEqual(t, missing, n)
					within(t, 0.02, 15_000, float64(got), n)
				}
			})
		}
	}
}

func TestPick_SharesAreRightThoughReadsOfDifferentNeedsAlternate(t *testing.T) {
	t.Parallel()
	w := setup(t, replicaset.Settings{}, "a", "b", "c", "d")
	got := map[string]int{}
	for range 1000 {
		got[w.pick(&only{"a", "b"})]++
		got[w.pick(&only{"c", "d"})]++
	}
	require.Equal(t, map[string]int{"a": 500, "b": 500, "c": 500, "d": 500}, got)

	w = setup(t, replicaset.Settings{}, "a", "b", "c")
	got = map[string]int{}
	for range 1000 {
		for range 9 {
			w.pick(&only{"a"})
		}
		got[w.pick(nil)]++
	}
	within(t, 0.02, 500, float64(got["b"]), "the busy one leaves the rest to the others, evenly")
	within(t, 0.02, 500, float64(got["c"]), "the busy one leaves the rest to the others, evenly")
}

func TestPick_OneThatWasMissingDoesNotMakeUpForIt(t *testing.T) {
	t.Parallel()
	w := setup(t, replicaset.Settings{}, "a", "b", "c")
	for range 10_000 {
		w.pick(&only{"a", "b"})
	}
	for n, got := range w.shares(300) {
		within(t, 0.02, 100, float64(got), n)
	}
}

func TestPick_TakesOtherZonesWhenNoneOfItsOwnMayServe(t *testing.T) {
	t.Parallel()
	zones := map[string]replicaset.Spec{"a": {Zone: "here"}, "b": {Zone: "here"}, "c": {Zone: "there"}, "d": {}}
	for _, p := range policies {
		w := setupSpecs(t, replicaset.Settings{Policy: p, Zone: "here"}, zones, "a", "b", "c", "d")
		got := w.shares(200)
		require.Zero(t, got["c"]+got["d"], p)
		require.Contains(t, []string{"c", "d"}, w.pick(nil, "a", "b"))
		require.Contains(t, []string{"c", "d"}, w.pick(&only{"c", "d"}))
		require.Equal(t, "b", w.pick(nil, "a"))
		w.eject("a")
		require.Equal(t, map[string]int{"b": 100}, w.shares(100), p)
		w.eject("b")
		got = w.shares(100)
		require.Zero(t, got["a"]+got["b"], p)
		require.Positive(t, got["c"], p)
		w.eject("c")
		w.eject("d")
		got = w.shares(100)
		require.Zero(t, got["c"]+got["d"], "%s: the last resort begins at home", p)
	}
}

func TestPick_LeavesOutWhoIsDrainingOrNoReplica(t *testing.T) {
	t.Parallel()
	for _, f := range []replicaset.Flag{replicaset.Draining, replicaset.Foreign, replicaset.Draining | replicaset.Foreign} {
		w := setup(t, replicaset.Settings{}, "a", "b").healthy()
		a := w.Find("a")
		require.True(t, a.Set(f, true))
		require.False(t, a.Set(f, true), "it was set")
		require.True(t, a.Has(f))
		require.Equal(t, map[string]int{"b": 10}, w.shares(10))
		require.Equal(t, "-", w.pick(nil, "b"), "not even as the last resort: what it would answer is wrong")
		require.Equal(t, replicaset.StateHealthy, a.State())
		require.True(t, a.Set(replicaset.Draining|replicaset.Foreign, false))
		require.False(t, a.Set(f, false))
		require.InDelta(t, 50, w.shares(100)["a"], 1)
		require.Empty(t, w.changes(), "a flag is no state")
	}
}

// fresh wants members that are not lagging.
type fresh struct{}

func (*fresh) Fits(m *member) bool { return !m.Has(replicaset.Lagging) }

func TestPick_LetsTheReadDecideOnLagging(t *testing.T) {
	t.Parallel()
	w := setup(t, replicaset.Settings{}, "a", "b").healthy()
	w.Find("a").Set(replicaset.Lagging, true)
	require.Equal(t, "b", w.pick(&fresh{}))
	require.Equal(t, "b", w.pick(&fresh{}))
	require.Equal(t, "-", w.pick(&fresh{}, "b"))
	require.InDelta(t, 50, w.shares(100)["a"], 1)
}

// Seen: with all replicas at rest 3,841 of 5,132 reads failed.
func TestPick_AsksWhoeverMightAnswerBeforeAnError(t *testing.T) {
	t.Parallel()
	for _, p := range policies {
		w := setup(t, replicaset.Settings{Policy: p}, "a", "b", "c", "d").healthy()
		w.eject("a")
		w.eject("b")
		w.Find("c").Probed(false, "no answer")
		var order []replicaset.Resort
		var asked tried
		for range 4 {
			m, resort, ok := w.Pick(nil, &asked)
			require.True(t, ok)
			asked.Add(m)
			order = append(order, resort)
		}
		require.Equal(t, []replicaset.Resort{replicaset.Well, replicaset.Suspected, replicaset.Ejected, replicaset.Ejected}, order, p)
		_, _, ok := w.Pick(nil, &asked)
		require.False(t, ok)
	}
}

func TestPick_SpreadsReadsAlsoWhereAllAreEjected(t *testing.T) {
	t.Parallel()
	w := setup(t, replicaset.Settings{}, "a", "b", "c")
	for _, m := range w.Members() {
		w.eject(m.Name())
	}
	require.Equal(t, map[string]int{"a": 10, "b": 10, "c": 10}, w.shares(30))
}

func TestReplace_NewWeightsCountAtOnce(t *testing.T) {
	t.Parallel()
	w := setupSpecs(t, replicaset.Settings{Policy: replicaset.Weighted}, map[string]replicaset.Spec{"b": {Weight: 1000}}, "a", "b")
	w.shares(3)
	w.Replace([]string{"a", "b"}, specOf(nil))
	require.InDelta(t, 10, w.shares(20)["a"], 1, "it does not wait for what it owed by the old ones")
}

func TestReplace_KeepsStateAndFiguresOfWhoStays(t *testing.T) {
	t.Parallel()
	w := setup(t, replicaset.Settings{Policy: replicaset.Weighted}, "a", "b").healthy()
	a, b := w.Find("a"), w.Find("b")
	begun := a.Begin()
	w.clock.advance(time.Millisecond)
	a.Begin().Answered()
	w.eject("b")
	w.Replace([]string{"c", "b", "a"}, specOf(map[string]replicaset.Spec{"a": {Weight: 3, Zone: "z"}}))
	require.Equal(t, []string{"c", "b", "a"}, []string{w.Members()[0].Name(), w.Members()[1].Name(), w.Members()[2].Name()})
	require.Same(t, a, w.Of("a"))
	require.Same(t, b, w.Of("b"))
	require.Equal(t, replicaset.StateEjected, b.State())
	require.Equal(t, 1, a.Figures().InFlight)
	require.Equal(t, 3, a.Figures().Weight)
	require.Equal(t, "z", a.Figures().Zone)
	require.Equal(t, map[string]int{"a": 300, "c": 100}, w.shares(400), "by the new weights")

	w.Replace([]string{"c"}, specOf(nil))
	require.Nil(t, w.Find("a"))
	require.Nil(t, w.Of("a"))
	w.changes()
	begun.Failed("reset") // ends all the same
	require.Zero(t, a.Figures().InFlight)
	require.Empty(t, w.changes(), "nobody asks for a member that is gone")
	require.Equal(t, []string{"c", "c"}, w.picks(2))
	w.Replace(nil, nil)
	require.Zero(t, w.Len())
	require.Equal(t, "-", w.pick(nil))
}
