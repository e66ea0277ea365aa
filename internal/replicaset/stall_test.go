package replicaset_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/replicaset"
)

// usual has each member answer reads that take so long.
func (w *world) usual(took time.Duration) {
	for range 50 {
		for _, m := range w.Members() {
			at := m.Begin()
			w.clock.advance(took)
			at.Answered()
		}
	}
}

// begin sends n reads to a member.
func begin(m *member, n int) (list []replicaset.Attempt[string]) {
	for range n {
		list = append(list, m.Begin())
	}
	return list
}

// Seen: in the moment until a silent node was noticed all readers had gathered there.
func TestStalled_HasNewReadsGoElsewhereAtOnce(t *testing.T) {
	t.Parallel()
	for _, p := range policies {
		w := setup(t, replicaset.Settings{Policy: p}, "a", "b").healthy()
		w.usual(5 * ms)
		a, b := w.Find("a"), w.Find("b")
		pile := begin(a, 8)
		b.Begin().Answered()
		w.clock.advance(9 * ms)
		require.False(t, a.Stalled(w.clock.Now()), "within the least")
		w.clock.advance(30 * ms)
		begin(b, 8) // which b has only just been asked
		require.True(t, a.Stalled(w.clock.Now()))
		require.False(t, b.Stalled(w.clock.Now()))
		require.Equal(t, map[string]int{"b": 20}, w.shares(20), "%q", p)
		require.False(t, a.Doubt(w.clock.Now()), "that takes longer")
		require.Equal(t, replicaset.StateHealthy, a.State())
		require.Empty(t, w.changes())

		for _, at := range pile {
			at.Answered()
			require.False(t, a.Stalled(w.clock.Now()), "it is over with the first answer")
		}
		require.NotZero(t, w.shares(40)["a"], "%q", p)
	}
}

func TestStalled_OfAllChangesNothing(t *testing.T) {
	t.Parallel()
	w := setup(t, replicaset.Settings{}, "a", "b").healthy()
	w.usual(5 * ms)
	begin(w.Find("a"), 8)
	begin(w.Find("b"), 8)
	w.clock.advance(60 * ms)
	require.Equal(t, map[string]int{"a": 10, "b": 10}, w.shares(20), "as when the program itself was held up")
	_, resort, _ := w.Pick(nil, nil)
	require.Equal(t, replicaset.Well, resort)
}

func TestStalled_IsNotSaidOfAFewSlowReads(t *testing.T) {
	t.Parallel()
	w := setup(t, replicaset.Settings{}, "a", "b").healthy()
	w.usual(5 * ms)
	begin(w.Find("a"), 3)
	w.clock.advance(time.Second)
	require.False(t, w.Find("a").Stalled(w.clock.Now()))
	require.Equal(t, map[string]int{"a": 10, "b": 10}, w.shares(20))
}

func TestStalled_FollowsWhatIsUsual(t *testing.T) {
	t.Parallel()
	w := setup(t, replicaset.Settings{}, "a").healthy()
	w.usual(80 * ms)
	begin(w.Find("a"), 8)
	w.clock.advance(79 * ms)
	require.False(t, w.Find("a").Stalled(w.clock.Now()))
	w.clock.advance(40 * ms)
	require.True(t, w.Find("a").Stalled(w.clock.Now()))
	w.Find("a").Probed(true, "")
	w.clock.advance(490 * ms)
	require.False(t, w.Find("a").Stalled(w.clock.Now()), "it has answered a probe: the reads are slow by themselves")
	w.clock.advance(20 * ms)
	require.True(t, w.Find("a").Stalled(w.clock.Now()), "that was a while ago")
}

// One that stalls comes before those that are under suspicion, and another zone's before it.
func TestStalled_IsBetterThanSuspectedAndWorseThanDistant(t *testing.T) {
	t.Parallel()
	w := setupSpecs(t, replicaset.Settings{Zone: "z"}, map[string]replicaset.Spec{"near": {Zone: "z"}}, "near", "far").healthy()
	w.usual(ms)
	require.Equal(t, "near", w.pick(nil))
	begin(w.Find("near"), 8)
	w.clock.advance(50 * ms)
	require.Equal(t, "far", w.pick(nil))
	w.eject("far")
	require.Equal(t, "near", w.pick(nil))
}

// Seen: the probe of a node that had fallen silent was asked a moment before the reads, and
// they all waited for the next probe, which had a second for its connection.
func TestConfirm_EjectsWhatReadsFindAsSilentAsAProbeDid(t *testing.T) {
	t.Parallel()
	w := setup(t, replicaset.Settings{}, "a", "b").healthy()
	w.usual(50 * ms)
	a := w.Find("a")
	begin(a, 2)
	w.clock.advance(a.Bound() - ms)
	a.Probed(false, "no answer within 200ms")
	require.False(t, a.Confirm(w.clock.Now()), "a read may take as long")
	require.Equal(t, replicaset.StateSuspect, a.State())
	w.clock.advance(2 * ms)
	require.True(t, a.Confirm(w.clock.Now()))
	require.False(t, a.Confirm(w.clock.Now()), "once")
	require.Equal(t, replicaset.StateEjected, a.State())
	require.Equal(t, []replicaset.Change{
		{Name: "a", From: replicaset.StateHealthy, To: replicaset.StateSuspect, Reason: "no answer within 200ms"},
		{Name: "a", From: replicaset.StateSuspect, To: replicaset.StateEjected, Reason: "no answer within 200ms"},
	}, w.changes())
	require.Less(t, a.Due().Sub(w.clock.Now()), 100*ms, "it is asked again soon")
}

func TestConfirm_NeedsAProbeThatWasNotAnswered(t *testing.T) {
	t.Parallel()
	silent := func(w *world, a *member) {
		begin(a, 4)
		w.clock.advance(time.Second)
	}
	for name, come := range map[string]func(w *world, a *member){
		"no probe was lost": silent,
		"a read was lost": func(w *world, a *member) {
			a.Begin().Failed("reset")
			silent(w, a)
		},
		"it answers probes again": func(w *world, a *member) {
			for range 2 { // the second time for longer
				a.Probed(false, "no answer")
				a.Probed(true, "")
			}
			require.Equal(t, replicaset.StateSuspect, a.State())
			silent(w, a)
		},
		"a read was answered": func(w *world, a *member) {
			begin(a, 1)
			a.Probed(false, "no answer")
			w.clock.advance(time.Minute)
			a.Begin().Answered()
		},
		"reads have only begun": func(w *world, a *member) {
			a.Probed(false, "no answer")
			w.clock.advance(time.Minute)
			require.False(t, a.Confirm(w.clock.Now()))
			begin(a, 4)
		},
	} {
		w := setup(t, replicaset.Settings{}, "a", "b").healthy()
		w.usual(ms)
		a := w.Find("a")
		come(w, a)
		require.False(t, a.Confirm(w.clock.Now()), name)
		require.NotEqual(t, replicaset.StateEjected, a.State(), name)
	}
}
