package replicaset_test

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/replicaset"
)

type (
	set    = replicaset.Set[string]
	member = replicaset.Member[string]
	tried  = replicaset.Tried[string]
)

// clock is a clock that goes on when it is told to.
type clock struct{ passed atomic.Int64 }

func (c *clock) Now() time.Time { return time.Unix(1000, c.passed.Load()) }

func (c *clock) advance(d time.Duration) { c.passed.Add(int64(d)) }

// world is a set with its clock and what it has told.
type world struct {
	*set
	clock *clock
	t     *testing.T
	mu    sync.Mutex // protects following fields
	told  []replicaset.Change
}

func (w *world) changed(c replicaset.Change) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.told = append(w.told, c)
}

// changes are those told since the last call.
func (w *world) changes() []replicaset.Change {
	w.mu.Lock()
	defer w.mu.Unlock()
	told := w.told
	w.told = nil
	return told
}

// seeded is a source of random numbers for several goroutines, always the same.
func seeded(seed uint64) func() uint64 {
	var mu sync.Mutex
	r := rand.New(rand.NewPCG(seed, 1))
	return func() uint64 {
		mu.Lock()
		defer mu.Unlock()
		return r.Uint64()
	}
}

func setup(t *testing.T, o replicaset.Settings, nodes ...string) *world {
	t.Helper()
	return setupSpecs(t, o, nil, nodes...)
}

// setupSpecs has specs of some nodes.
func setupSpecs(t *testing.T, o replicaset.Settings, specs map[string]replicaset.Spec, nodes ...string) *world {
	t.Helper()
	w := &world{clock: &clock{}, t: t}
	o.Now, o.Changed = w.clock.Now, w.changed
	if o.Rand == nil {
		o.Rand = seeded(7)
	}
	w.set = replicaset.New[string](o)
	w.Replace(nodes, specOf(specs))
	return w
}

func specOf(specs map[string]replicaset.Spec) func(string) replicaset.Spec {
	return func(n string) replicaset.Spec {
		s := specs[n]
		s.Name = n
		return s
	}
}

// pick is the node of the next read, "-" for none.
func (w *world) pick(wants replicaset.Wants[string], asked ...string) string {
	var tr tried
	for _, n := range asked {
		tr.Add(w.Find(n))
	}
	m, _, ok := w.Pick(wants, &tr)
	if !ok {
		return "-"
	}
	return m.Node()
}

func (w *world) picks(n int) []string {
	var out []string
	for range n {
		out = append(out, w.pick(nil))
	}
	return out
}

// share counts the nodes of n reads, one after the other.
func (w *world) shares(n int) map[string]int {
	out := map[string]int{}
	for range n {
		out[w.pick(nil)]++
	}
	return out
}

// eject has probes fail until the member is out.
func (w *world) eject(name string) *member {
	m := w.Find(name)
	for m.State() != replicaset.StateEjected {
		m.Probed(false, "no answer")
	}
	require.Equal(w.t, replicaset.StateEjected, m.State())
	return m
}

// healthy has all members answer a probe.
func (w *world) healthy() *world {
	for _, m := range w.Members() {
		m.Probed(true, "")
		require.Equal(w.t, replicaset.StateHealthy, m.State())
	}
	w.changes()
	return w
}

// watch probes members as they fall due, as a monitor does each 10 ms, for a while. up says
// whether a node answers at a time since the call.
func (w *world) watch(d time.Duration, up func(m *member, at time.Duration) bool, each ...func(at time.Duration)) {
	const step = 10 * time.Millisecond
	for at := time.Duration(0); at < d; at += step {
		for _, m := range w.Members() {
			if now := w.clock.Now(); m.Doubt(now) || !now.Before(m.Due()) {
				m.Probed(up(m, at), "no answer")
			}
		}
		for _, f := range each {
			f(at)
		}
		w.clock.advance(step)
	}
}

// within requires that got is within part of want.
func within(t *testing.T, part float64, want, got float64, what string) {
	t.Helper()
	require.InDelta(t, want, got, want*part, what)
}

// only wants the members of these names.
type only []string

func (o *only) Fits(m *member) bool {
	for _, n := range *o {
		if n == m.Name() {
			return true
		}
	}
	return false
}
