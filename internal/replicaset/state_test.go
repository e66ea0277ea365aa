package replicaset_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/replicaset"
)

// told notes the transitions of a set's members.
func told(list *[]string) func(replicaset.Change) {
	return func(c replicaset.Change) { *list = append(*list, fmt.Sprintf("%s: %s -> %s", c.Name, c.From, c.To)) }
}

// Connections that were reset once are no outage: all reads that were lost count once, and
// one answer makes it good.
func TestMember_AnIncidentCountsOnce(t *testing.T) {
	t.Parallel()
	var changes []string
	s, c := setup(replicaset.Settings{Changed: told(&changes)}, "a", "b")
	a := s.Find("a")
	a.Probed(true, "")
	lost := make([]replicaset.Attempt[string], 64)
	for i := range lost {
		lost[i] = a.Begin()
	}
	c.advance(time.Millisecond)
	for _, x := range lost[:32] {
		x.Failed()
	}
	require.Equal(t, replicaset.StateSuspect, a.State())
	require.False(t, a.Due().After(c.Now()), "it is asked at once")
	require.Equal(t, map[string]int{"b": 4}, counts(t, s, 4))
	a.Probed(true, "")
	for _, x := range lost[32:] { // they began before
		x.Failed()
	}
	require.Equal(t, replicaset.StateHealthy, a.State())
	require.Equal(t, 2, counts(t, s, 4)["a"])
	require.Equal(t, []string{"a: unknown -> healthy", "a: healthy -> suspect", "a: suspect -> healthy"}, changes)
	require.Zero(t, a.InFlight())
}

func TestMember_IsEjectedByAQuestionAloneAndComesBackWithinASecond(t *testing.T) {
	t.Parallel()
	s, c := setup(replicaset.Settings{}, "a", "b")
	a := s.Find("a")
	a.Probed(true, "")
	s.Find("b").Probed(true, "")
	for range 100 {
		a.Begin().Failed()
	}
	require.Equal(t, replicaset.StateSuspect, a.State())
	a.Probed(false, "no answer")
	require.Equal(t, replicaset.StateEjected, a.State())
	for range 50 { // away for long
		wait := a.Due().Sub(c.Now())
		require.Positive(t, wait)
		require.LessOrEqual(t, wait, 500*time.Millisecond)
		c.advance(wait)
		a.Probed(false, "no answer")
		require.Zero(t, counts(t, s, 10)["a"])
	}
	require.LessOrEqual(t, a.Due().Sub(c.Now()), 500*time.Millisecond)
	a.Probed(true, "")
	require.Equal(t, replicaset.StateSlowStart, a.State())
	first := counts(t, s, 1000)["a"]
	require.NotZero(t, first)
	require.Less(t, first, 150, "a tenth of its half")
	c.advance(500 * time.Millisecond)
	require.InDelta(t, 250, counts(t, s, 1000)["a"], 50)
	c.advance(500 * time.Millisecond)
	require.Equal(t, 500, counts(t, s, 1000)["a"])
	a.Probed(true, "")
	require.Equal(t, replicaset.StateHealthy, a.State())
	require.Equal(t, 1, a.Figures().Ejections)
}

// One question in vain may be chance; the next decides.
func TestMember_OneQuestionInVainMakesASuspect(t *testing.T) {
	t.Parallel()
	s, c := setup(replicaset.Settings{}, "a", "b")
	a := s.Find("a")
	for range 20 { // every second one fails
		a.Probed(true, "")
		require.Equal(t, replicaset.StateHealthy, a.State())
		a.Probed(false, "no answer")
		require.Equal(t, replicaset.StateSuspect, a.State())
		require.False(t, a.Due().After(c.Now()))
		c.advance(time.Second)
	}
	require.Zero(t, a.Figures().Ejections)
}

func TestMember_SilenceWhileReadsWaitEjects(t *testing.T) {
	t.Parallel()
	s, c := setup(replicaset.Settings{Floor: 100 * time.Millisecond, Ceiling: 500 * time.Millisecond}, "a", "b")
	a := s.Find("a")
	a.Probed(true, "")
	require.False(t, a.Doubt(c.Now()), "nobody waits")
	c.advance(time.Hour)
	a.Begin()
	c.advance(90 * time.Millisecond)
	require.False(t, a.Doubt(c.Now()))
	c.advance(20 * time.Millisecond)
	require.True(t, a.Doubt(c.Now()))
	a.Begin().GaveUp()
	require.True(t, a.Doubt(c.Now()), "a caller who gives up is no answer")
	a.Probed(true, "")
	require.False(t, a.Doubt(c.Now()), "it answers; what waits is slow by itself")
	c.advance(110 * time.Millisecond)
	require.True(t, a.Doubt(c.Now()))
	a.Probed(false, "no answer")
	require.Equal(t, replicaset.StateEjected, a.State())
}

func TestMember_BoundFollowsTheLatency(t *testing.T) {
	t.Parallel()
	s, c := setup(replicaset.Settings{Floor: 50 * time.Millisecond, Ceiling: 400 * time.Millisecond}, "a")
	a := s.Find("a")
	for _, tt := range []struct{ took, bound time.Duration }{{time.Millisecond, 50 * time.Millisecond}, {40 * time.Millisecond, 160 * time.Millisecond}, {time.Second, 400 * time.Millisecond}} {
		for range 100 {
			x := a.Begin()
			c.advance(tt.took)
			x.Answered()
		}
		require.InEpsilon(t, tt.bound, a.Bound(), 0.02, tt.took)
	}
}

// Signs that reads give do not take more than half of the members out.
func TestMember_HalfOfThemServeWithoutAQuestion(t *testing.T) {
	t.Parallel()
	s, _ := setup(replicaset.Settings{}, "a", "b", "c", "d")
	for _, name := range []string{"a", "b"} {
		s.Find(name).Begin().Failed()
	}
	require.Equal(t, map[string]int{"c": 4, "d": 4}, counts(t, s, 8))
	s.Find("c").Begin().Failed()
	require.Equal(t, map[string]int{"a": 2, "b": 2, "c": 2, "d": 2}, counts(t, s, 8))
}

// Idle members are asked about each second, and never leave.
func TestMember_IdleStays(t *testing.T) {
	t.Parallel()
	s, c := setup(replicaset.Settings{Every: time.Second}, "a")
	a := s.Find("a")
	asked := 0
	for end := c.Now().Add(time.Minute); c.Now().Before(end); c.advance(50 * time.Millisecond) {
		require.False(t, a.Doubt(c.Now()))
		if !c.Now().Before(a.Due()) {
			a.Probed(true, "")
			asked++
		}
		require.NotEqual(t, replicaset.StateEjected, a.State())
	}
	require.InDelta(t, 60, asked, 12)
}

func TestMember_OfNoAttemptNothingIsLearned(t *testing.T) {
	t.Parallel()
	var none replicaset.Attempt[string]
	none.Answered()
	none.Failed()
	none.GaveUp()
}
