package replicaset_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/replicaset"
)

// promise: 64 goroutines change the list, read and probe at once
func TestSet_IsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	all := []string{"a", "b", "c", "d", "e", "f", "g", "h"}
	for _, p := range policies {
		w := setup(t, replicaset.Settings{Policy: p, Zone: "z"}, all...)
		var wg sync.WaitGroup
		var served atomic.Int64
		for g := range 64 {
			r := rand.New(rand.NewPCG(uint64(g), 2))
			wg.Go(func() {
				for range 150 {
					w.clock.advance(time.Duration(r.IntN(2000)) * time.Microsecond)
					switch g % 8 {
					case 0:
						list := append([]string(nil), all...)
						r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
						w.Replace(list[:1+r.IntN(len(list))], func(n string) replicaset.Spec {
							return replicaset.Spec{Name: n, Zone: []string{"", "z"}[r.IntN(2)], Weight: r.IntN(5)}
						})
					case 1:
						for _, m := range w.Members() {
							if now := w.clock.Now(); m.Doubt(now) || !now.Before(m.Due()) {
								m.Probed(r.IntN(3) > 0, "no answer")
							}
							m.Set(replicaset.Lagging, r.IntN(4) == 0)
							m.Figures()
						}
					default:
						w.Peek(nil, nil)
						var asked tried
						for range 3 {
							m, _, ok := w.Pick(nil, &asked)
							if !ok {
								break
							}
							asked.Add(m)
							served.Add(1)
							at := m.Begin()
							switch r.IntN(6) {
							case 0:
								at.Failed("reset")
							case 1:
								at.GaveUp()
							default:
								at.Answered()
							}
						}
					}
				}
			})
		}
		wg.Wait()
		require.Positive(t, served.Load())
		for _, m := range w.Members() {
			require.Zero(t, m.Figures().InFlight, "each attempt has ended")
		}
		last := map[string]replicaset.State{}
		for _, c := range w.changes() {
			from, known := last[c.Name]
			require.True(t, !known || c.From == from || c.From == replicaset.StateUnknown, "in order, or of a new member")
			last[c.Name] = c.To
		}
	}
}

// Changed may use the set.
func TestChanged_IsCalledWithoutALock(t *testing.T) {
	t.Parallel()
	var s *set
	var told []string
	c := &clock{}
	s = replicaset.New[string](replicaset.Settings{Now: c.Now, Changed: func(c replicaset.Change) {
		m := s.Find(c.Name)
		told = append(told, fmt.Sprint(c.From, " to ", c.To, ", now ", m.Figures().State))
		if c.To == replicaset.StateSuspect {
			m.Probed(false, "no answer") // told after this one has returned
			told = append(told, "returns")
		}
		s.Replace([]string{"a"}, specOf(nil))
	}})
	s.Replace([]string{"a"}, specOf(nil))
	s.Members()[0].Begin().Failed("reset")
	require.Equal(t, []string{"unknown to suspect, now suspect", "returns", "suspect to ejected, now ejected"}, told)
}

func TestChanged_IsToldOnAfterItHasPanicked(t *testing.T) {
	t.Parallel()
	var told []replicaset.State
	s := replicaset.New[string](replicaset.Settings{Changed: func(c replicaset.Change) {
		told = append(told, c.To)
		if len(told) == 1 {
			panic("a hook's")
		}
	}})
	s.Replace([]string{"a"}, specOf(nil))
	require.Panics(t, func() { s.Members()[0].Probed(true, "") })
	s.Members()[0].Probed(false, "no answer")
	require.Equal(t, []replicaset.State{replicaset.StateHealthy, replicaset.StateSuspect}, told)
}

func TestSettings_HaveDefaults(t *testing.T) {
	t.Parallel()
	s := replicaset.New[string](replicaset.Settings{Floor: -1, Ceiling: -1, Every: -1})
	s.Replace([]string{"a"}, specOf(nil))
	a := s.Members()[0]
	require.Equal(t, 500*ms, a.Bound())
	require.False(t, time.Now().Before(a.Due()))
	before := time.Now()
	a.Probed(true, "")
	after := time.Now()
	require.WithinRange(t, a.Due(), before.Add(750*ms), after.Add(1250*ms), "each second")
	s = replicaset.New[string](replicaset.Settings{Floor: time.Second})
	s.Replace([]string{"a"}, specOf(nil))
	require.Equal(t, time.Second, s.Members()[0].Bound(), "the ceiling is not below the floor")
}
