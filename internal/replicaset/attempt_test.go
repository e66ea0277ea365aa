package replicaset_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/replicaset"
)

const ms = time.Millisecond

// Seen: each lost read doubled the rest.
func TestFailed_OneIncidentCountsOnce(t *testing.T) {
	t.Parallel()
	w := setup(t, replicaset.Settings{}, "a", "b").healthy()
	a := w.Find("a")
	var begun []replicaset.Attempt[string]
	for range 64 {
		begun = append(begun, a.Begin())
	}
	for i, at := range begun[:32] {
		at.Failed("reset")
		require.Equal(t, replicaset.StateSuspect, a.State(), i)
	}
	require.Equal(t, []replicaset.Change{{Name: "a", From: replicaset.StateHealthy, To: replicaset.StateSuspect, Reason: "a read was not served: reset"}}, w.changes())
	require.False(t, w.clock.Now().Before(a.Due()), "it is probed at once")
	a.Probed(true, "")
	require.Equal(t, replicaset.StateHealthy, a.State(), "connections that were reset once are no outage")
	for _, at := range begun[32:] {
		at.Failed("reset")
		require.Equal(t, replicaset.StateHealthy, a.State(), "it began before the incident that is over")
	}
	require.Len(t, w.changes(), 1)
	require.Zero(t, a.Figures().InFlight)
	require.Equal(t, map[string]int{"a": 5, "b": 5}, w.shares(10))
}

func TestFailed_OfAnAttemptFromBeforeAnEjectionSaysNothing(t *testing.T) {
	t.Parallel()
	w := setup(t, replicaset.Settings{}, "a", "b").healthy()
	a := w.Find("a")
	begun := a.Begin()
	w.eject("a")
	w.clock.advance(time.Second)
	a.Probed(true, "")
	require.Equal(t, replicaset.StateSlowStart, a.State())
	begun.Failed("reset")
	require.Equal(t, replicaset.StateSlowStart, a.State())
	a.Begin().Failed("reset")
	require.Equal(t, replicaset.StateSuspect, a.State(), "this one is new")
}

// Seen: short deadlines and cancelled callers took well replicas out, and one slow
// statement all of them.
func TestGaveUp_SaysNothingOfTheNode(t *testing.T) {
	t.Parallel()
	w := setup(t, replicaset.Settings{}, "a", "b").healthy()
	for range 1000 {
		for _, m := range w.Members() {
			at := m.Begin()
			w.clock.advance(ms)
			at.GaveUp()
		}
	}
	require.Empty(t, w.changes())
	for _, m := range w.Members() {
		require.Zero(t, m.Figures().InFlight)
		require.Zero(t, m.Figures().Latency)
	}
}

// Seen: callers who give up in turn taught nothing about a dead node.
func TestDoubt_IsNotForgottenWhenCallersGiveUp(t *testing.T) {
	t.Parallel()
	w := setup(t, replicaset.Settings{Floor: 100 * ms, Ceiling: 300 * ms}, "a").healthy()
	a := w.Find("a")
	doubted := time.Duration(0)
	for at := time.Duration(0); at < time.Second; at += 20 * ms { // each within the bound
		read := a.Begin()
		w.clock.advance(20 * ms)
		read.GaveUp()
		if a.Doubt(w.clock.Now()) {
			doubted = at
			break
		}
	}
	require.InDelta(t, 300*ms, doubted, float64(40*ms))
}

func TestAnswered_SaysThatTheNodeIsThere(t *testing.T) {
	t.Parallel()
	w := setup(t, replicaset.Settings{}, "a")
	a := w.Find("a")
	require.Equal(t, replicaset.StateUnknown, a.State())
	a.Begin().Answered()
	require.Equal(t, replicaset.StateHealthy, a.State())
	require.Len(t, w.changes(), 1)

	w.eject("a")
	for range 3 {
		w.clock.advance(a.Due().Sub(w.clock.Now()))
		a.Probed(false, "no answer")
	}
	far := a.Due()
	require.Greater(t, far.Sub(w.clock.Now()), 200*ms)
	a.Begin().Answered() // as the last resort
	require.Equal(t, replicaset.StateEjected, a.State(), "a probe decides")
	require.LessOrEqual(t, a.Due().Sub(w.clock.Now()), 50*ms, "which is asked soon")
}

// Seen: a silent replica kept its readers until their deadlines, and there was none.
func TestDoubt_ComesAfterTheBoundInSilenceAndHasOneProbeEject(t *testing.T) {
	t.Parallel()
	w := setup(t, replicaset.Settings{}, "a").healthy()
	a := w.Find("a")
	require.False(t, a.Doubt(w.clock.Now()), "nothing was asked")
	require.Equal(t, 500*ms, a.Bound(), "nothing is known yet")
	for range 100 {
		at := a.Begin()
		w.clock.advance(ms)
		at.Answered()
	}
	require.Equal(t, ms, a.Figures().Latency.Round(ms/10))
	require.Equal(t, 100*ms, a.Bound(), "the floor")
	w.clock.advance(time.Minute)
	require.False(t, a.Doubt(w.clock.Now()), "idle is not silent")
	slow := a.Begin()
	w.clock.advance(90 * ms)
	a.Begin()
	require.False(t, a.Doubt(w.clock.Now()))
	w.clock.advance(11 * ms)
	require.True(t, a.Doubt(w.clock.Now()))
	slow.Answered()
	require.False(t, a.Doubt(w.clock.Now()), "it has answered one of them")
	w.clock.advance(a.Bound() + ms)
	require.True(t, a.Doubt(w.clock.Now()), "but not the other")
	a.Probed(true, "")
	require.False(t, a.Doubt(w.clock.Now()), "the probe was answered: the statement takes its time")
	require.Equal(t, replicaset.StateHealthy, a.State())
	w.clock.advance(a.Bound() + ms)
	require.True(t, a.Doubt(w.clock.Now()), "so long ago")
	a.Probed(false, "no answer")
	require.Equal(t, replicaset.StateEjected, a.State(), "reads and a probe say the same")
	require.False(t, a.Doubt(w.clock.Now()), "it is probed anyway")
}

func TestDoubt_OfASilentNodeEjectsItWithinTwoBounds(t *testing.T) {
	t.Parallel()
	w := setup(t, replicaset.Settings{}, "a", "b").healthy()
	a := w.Find("a")
	for range 10 {
		at := a.Begin()
		w.clock.advance(ms)
		at.Answered()
	}
	start := w.clock.Now()
	a.Begin()
	for a.State() != replicaset.StateEjected {
		if a.Doubt(w.clock.Now()) || !w.clock.Now().Before(a.Due()) {
			w.clock.advance(a.Bound()) // the probe's deadline
			a.Probed(false, "no answer")
		}
		w.clock.advance(10 * ms)
	}
	require.LessOrEqual(t, w.clock.Now().Sub(start), 230*ms)
	require.Equal(t, map[string]int{"b": 10}, w.shares(10))
}

func TestBound_IsLearnedWithinFloorAndCeiling(t *testing.T) {
	t.Parallel()
	w := setup(t, replicaset.Settings{Floor: 20 * ms, Ceiling: 400 * ms}, "a")
	a := w.Find("a")
	learn := func(n int, took ...time.Duration) {
		for i := range n {
			at := a.Begin()
			w.clock.advance(took[i%len(took)])
			at.Answered()
		}
	}
	require.Equal(t, 400*ms, a.Bound())
	learn(200, ms)
	require.Equal(t, 20*ms, a.Bound())
	learn(200, 20*ms)
	within(t, 0.05, float64(80*ms), float64(a.Bound()), "four times the latency")
	learn(400, 5*ms, 35*ms)
	require.Greater(t, a.Bound(), 4*a.Figures().Latency+10*ms, "and the deviation")
	learn(1, time.Hour)
	require.Equal(t, 400*ms, a.Bound())
	learn(30, 20*ms)
	require.Less(t, a.Bound(), 400*ms, "one long statement is forgotten soon")
}

func TestAttempt_OfZeroDoesNothing(t *testing.T) {
	t.Parallel()
	var a replicaset.Attempt[string]
	a.Answered()
	a.Failed("reset")
	a.GaveUp()
}

func TestFigures_TellWhatIsKnown(t *testing.T) {
	t.Parallel()
	w := setupSpecs(t, replicaset.Settings{}, map[string]replicaset.Spec{"a": {Zone: "z"}}, "a")
	a := w.Find("a")
	born := w.clock.Now()
	f := a.Figures()
	require.WithinDuration(t, born, f.Since, ms)
	f.Since = time.Time{}
	require.Equal(t, replicaset.Figures{Zone: "z", Weight: 1, Bound: 500 * ms}, f)
	w.clock.advance(time.Hour)
	w.eject("a")
	a.Begin()
	a.Set(replicaset.Lagging, true)
	f = a.Figures()
	require.WithinDuration(t, born.Add(time.Hour), f.Since, ms)
	f.Since = time.Time{}
	require.Equal(t, replicaset.Figures{
		State: replicaset.StateEjected, Reason: "no answer", Zone: "z", Weight: 1, InFlight: 1, Bound: 500 * ms, Ejections: 1, Lagging: true,
	}, f)
	a.Set(replicaset.Draining|replicaset.Foreign, true)
	require.True(t, a.Figures().Draining && a.Figures().Foreign)
	require.Equal(t, 1, a.InFlight())
}
