package replicaset_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/replicaset"
)

type (
	set    = replicaset.Set[string]
	member = replicaset.Member[string]
)

// clock is a clock that stands until it is moved.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// all wants every member; but not one.
type (
	all struct{}
	but string
)

func (*all) Fits(*member) bool     { return true }
func (b *but) Fits(m *member) bool { return m.Node() != string(*b) }

func setup(o replicaset.Settings, nodes ...string) (*set, *clock) {
	c := &clock{now: time.Unix(1000, 0)}
	o.Now = c.Now
	if o.Rand == nil {
		var mu sync.Mutex
		r := rand.New(rand.NewPCG(1, 2))
		o.Rand = func() uint64 {
			mu.Lock()
			defer mu.Unlock()
			return r.Uint64()
		}
	}
	s := replicaset.New[string](o)
	s.Replace(nodes, spec)
	return s, c
}

// spec reads a node's weight and zone of its name: "a:3:east".
func spec(node string) replicaset.Spec {
	out := replicaset.Spec{Name: node}
	_, _ = fmt.Sscanf(node, "%1s:%d:%s", new(string), &out.Weight, &out.Zone)
	return out
}

func pick(t *testing.T, s *set) string {
	t.Helper()
	m, _, ok := s.Pick(new(all), new(replicaset.Tried[string]))
	require.True(t, ok)
	return m.Node()
}

func counts(t *testing.T, s *set, n int) map[string]int {
	t.Helper()
	out := map[string]int{}
	for range n {
		out[pick(t, s)]++
	}
	return out
}

// eject takes a member out.
func eject(m *member) {
	m.Begin().Failed()
	m.Probed(false, "test")
}

func TestPick_TakesTurns(t *testing.T) {
	t.Parallel()
	s, _ := setup(replicaset.Settings{}, "a", "b", "c")
	var got []string
	for range 6 {
		got = append(got, pick(t, s))
	}
	require.Equal(t, []string{"a", "b", "c", "a", "b", "c"}, got)
}

func TestPick_HasNobodyOfAnEmptySet(t *testing.T) {
	t.Parallel()
	s, _ := setup(replicaset.Settings{})
	_, _, ok := s.Pick(new(all), new(replicaset.Tried[string]))
	require.False(t, ok)
	_, _, ok = s.Peek(new(all))
	require.False(t, ok)
}

// The share of a member that is missing is spread over all others.
func TestPick_SpreadsTheShareOfTheMissing(t *testing.T) {
	t.Parallel()
	for _, policy := range []replicaset.Policy{replicaset.RoundRobin, replicaset.Weighted, replicaset.Random, replicaset.LeastInFlight, replicaset.Latency} {
		t.Run(string(policy), func(t *testing.T) {
			t.Parallel()
			s, _ := setup(replicaset.Settings{Policy: policy}, "a", "b", "c")
			eject(s.Find("b"))
			got := counts(t, s, 20_000)
			require.Zero(t, got["b"])
			require.InEpsilon(t, 10_000, got["a"], 0.02)
			require.InEpsilon(t, 10_000, got["c"], 0.02)
		})
	}
}

func TestPick_FollowsWeightsWithinTwoPercent(t *testing.T) {
	t.Parallel()
	for _, policy := range []replicaset.Policy{replicaset.Weighted, replicaset.Random} {
		t.Run(string(policy), func(t *testing.T) {
			t.Parallel()
			s, _ := setup(replicaset.Settings{Policy: policy}, "a:1", "b:2", "c:5")
			got := counts(t, s, 80_000)
			for name, want := range map[string]int{"a:1": 10_000, "b:2": 20_000, "c:5": 50_000} {
				require.InEpsilon(t, want, got[name], 0.02, name)
			}
		})
	}
}

// A weighted turn comes again soon: a member does not wait for all reads of the others.
func TestPick_MixesWeightedTurns(t *testing.T) {
	t.Parallel()
	s, _ := setup(replicaset.Settings{Policy: replicaset.Weighted}, "a:1", "b:3")
	for range 100 {
		got := counts(t, s, 8)
		require.GreaterOrEqual(t, got["a:1"], 1)
		require.LessOrEqual(t, got["a:1"], 3)
	}
}

func TestPick_TakesTheLeastBusy(t *testing.T) {
	t.Parallel()
	s, _ := setup(replicaset.Settings{Policy: replicaset.LeastInFlight}, "a:1", "b:2")
	for range 3 {
		s.Find("b:2").Begin()
	}
	s.Find("a:1").Begin()
	// One for a weight of one is less than three for a weight of two.
	require.Equal(t, "a:1", pick(t, s))
	s.Find("a:1").Begin()
	require.Equal(t, "b:2", pick(t, s))
}

func TestPick_GivesTheSlowLess(t *testing.T) {
	t.Parallel()
	s, c := setup(replicaset.Settings{Policy: replicaset.Latency}, "a", "b", "c")
	for name, took := range map[string]time.Duration{"a": time.Millisecond, "b": time.Millisecond, "c": 200 * time.Millisecond} {
		a := s.Find(name).Begin()
		c.advance(took)
		a.Answered()
	}
	require.Zero(t, counts(t, s, 1000)["c"])
	for range 250 { // until the others are busier than that
		s.Find("a").Begin()
		s.Find("b").Begin()
	}
	require.NotZero(t, counts(t, s, 1000)["c"])
}

func TestPick_PrefersItsZone(t *testing.T) {
	t.Parallel()
	s, _ := setup(replicaset.Settings{Zone: "east"}, "a:1:west", "b:1:east", "c:1:east")
	require.Equal(t, map[string]int{"b:1:east": 5, "c:1:east": 5}, counts(t, s, 10))
	eject(s.Find("b:1:east"))
	require.Equal(t, map[string]int{"c:1:east": 10}, counts(t, s, 10))
	eject(s.Find("c:1:east"))
	require.Equal(t, map[string]int{"a:1:west": 10}, counts(t, s, 10))
}

// What is asked elsewhere takes nobody's turn, and neither does a look.
func TestPick_TurnsAreForFirstQuestions(t *testing.T) {
	t.Parallel()
	s, _ := setup(replicaset.Settings{}, "a", "b", "c")
	for i := range 30 {
		require.Equal(t, string("abc"[i%3]), pick(t, s))
		var tried replicaset.Tried[string]
		tried.Add(s.Find("a"))
		m, _, ok := s.Pick(new(all), &tried)
		require.True(t, ok)
		require.NotEqual(t, "a", m.Node())
		_, _, ok = s.Peek(new(all))
		require.True(t, ok)
	}
}

func TestPick_AsksEachOnceAndTheEjectedLast(t *testing.T) {
	t.Parallel()
	names := []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r"}
	s, _ := setup(replicaset.Settings{}, names...)
	eject(s.Find("a"))
	s.Find("b").Begin().Failed()
	var tried replicaset.Tried[string]
	var got []string
	var resorts []replicaset.Resort
	for {
		m, resort, ok := s.Pick(new(all), &tried)
		if !ok {
			break
		}
		tried.Add(m)
		got, resorts = append(got, m.Node()), append(resorts, resort)
	}
	require.Equal(t, []string{"b", "a"}, got[len(got)-2:])
	require.Equal(t, []replicaset.Resort{replicaset.Suspected, replicaset.Ejected}, resorts[len(resorts)-2:])
	slices.Sort(got)
	require.Equal(t, names, got)
}

func TestPick_LeavesOutWhatIsNotWanted(t *testing.T) {
	t.Parallel()
	s, _ := setup(replicaset.Settings{}, "a", "b", "c")
	not := but("a")
	s.Find("b").Set(replicaset.Draining, true)
	for range 5 {
		m, _, ok := s.Pick(&not, new(replicaset.Tried[string]))
		require.True(t, ok)
		require.Equal(t, "c", m.Node())
	}
	require.True(t, s.Find("c").Set(replicaset.RoleMismatch, true))
	require.False(t, s.Find("c").Set(replicaset.RoleMismatch, true))
	_, _, ok := s.Pick(&not, new(replicaset.Tried[string]))
	require.False(t, ok)
	s.Find("b").Set(replicaset.Draining, false)
	require.Equal(t, "a", pick(t, s))
}

func TestReplace_KeepsWhatStays(t *testing.T) {
	t.Parallel()
	s, _ := setup(replicaset.Settings{}, "a", "b")
	eject(s.Find("a"))
	s.Replace([]string{"c", "a"}, spec)
	require.Equal(t, replicaset.StateEjected, s.Find("a").State())
	require.Equal(t, replicaset.StateUnknown, s.Find("c").State())
	require.Nil(t, s.Find("b"))
	require.Equal(t, map[string]int{"c": 4}, counts(t, s, 4))
	s.Replace(nil, spec)
	require.Zero(t, s.Len())
}

func TestSet_IsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	lists := [][]string{{"a", "b", "c"}, {"b", "c", "d"}, {"a"}, {"a", "b", "c", "d", "e"}}
	for _, policy := range []replicaset.Policy{replicaset.RoundRobin, replicaset.Weighted, replicaset.LeastInFlight, replicaset.Latency} {
		s, c := setup(replicaset.Settings{Policy: policy, Rand: rand.Uint64}, lists[0]...)
		var wg sync.WaitGroup
		for g := range 64 {
			wg.Go(func() {
				for i := range 300 {
					m, _, ok := s.Pick(new(all), new(replicaset.Tried[string]))
					if !ok {
						t.Error("nobody")
						return
					}
					a := m.Begin()
					switch (i + g) % 7 {
					case 0:
						a.Failed()
						m.Probed(i%2 == 0, "test")
					case 1:
						a.GaveUp()
					default:
						a.Answered()
					}
					c.advance(time.Millisecond)
				}
			})
		}
		wg.Go(func() {
			for i := range 200 {
				s.Replace(lists[i%len(lists)], spec)
			}
		})
		wg.Wait()
		for _, m := range s.Members() {
			require.Zero(t, m.InFlight())
		}
	}
}

func TestPick_AllocatesNothing(t *testing.T) {
	for _, policy := range []replicaset.Policy{replicaset.RoundRobin, replicaset.Weighted, replicaset.Random, replicaset.LeastInFlight, replicaset.Latency} {
		s, _ := setup(replicaset.Settings{Policy: policy, Zone: "x", Rand: rand.Uint64}, "a", "b", "c")
		s.Find("b").Begin().Failed()
		s.Find("c").Probed(true, "")
		w := new(all)
		require.Zero(t, testing.AllocsPerRun(100, func() {
			var tried replicaset.Tried[string]
			m, _, _ := s.Pick(w, &tried)
			tried.Add(m)
			m.Begin().Answered()
		}), policy)
	}
}

func BenchmarkPick(b *testing.B) {
	for _, policy := range []replicaset.Policy{replicaset.RoundRobin, replicaset.Weighted, replicaset.Latency} {
		b.Run(string(policy), func(b *testing.B) {
			s := replicaset.New[string](replicaset.Settings{Policy: policy})
			s.Replace([]string{"a", "b", "c"}, spec)
			w := new(all)
			b.ReportAllocs()
			for b.Loop() {
				var tried replicaset.Tried[string]
				m, _, _ := s.Pick(w, &tried)
				m.Begin().Answered()
			}
		})
	}
}

func TestBudget_AllowsOneInTwenty(t *testing.T) {
	t.Parallel()
	var b replicaset.Budget
	require.False(t, b.Extra(), "nothing is saved up")
	extra := 0
	for range 100_000 {
		b.Read()
		if b.Extra() {
			extra++
		}
	}
	require.Equal(t, 5000, extra)
	for range 100_000 {
		b.Read()
	}
	extra = 0
	for b.Extra() {
		extra++
	}
	require.Equal(t, 10, extra, "little is saved up")
	require.Less(t, extra, math.MaxInt)
}
