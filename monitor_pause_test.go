package dbfleet

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPauses_AreNoticedUntilAnswersAreLookedAt(t *testing.T) {
	t.Parallel()
	start := time.Now()
	at := func(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }
	var p pauses
	require.False(t, p.recent(at(0)), "nothing was due")
	p.due = at(50)
	require.False(t, p.recent(at(60)))
	p.due = at(110)
	require.False(t, p.recent(at(70)), "it was woken")
	p.due = at(120)
	require.True(t, p.recent(at(400)), "it did not run for 0.3 s")
	p.due = at(450)
	require.True(t, p.recent(at(401)), "an answer came")
	p.due = at(451)
	require.False(t, p.recent(at(451)))
}

func TestPauses_ThatGoOnEndNoJudgement(t *testing.T) {
	t.Parallel()
	var p pauses
	now, judged := time.Now(), 0
	for range 30 { // each of them
		p.due = now
		now = now.Add(3 * lookEvery)
		if !p.recent(now) {
			judged++
		}
	}
	require.Equal(t, 10, judged)
}
