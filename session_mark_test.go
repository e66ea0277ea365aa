package dbfleet

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/position"
)

// An answer that comes late, from before the first write of a server that was promoted, does
// not take the place of what is known since: else replicas that still follow the server
// before it would pass for replicas of the same history.
func TestSight_NoLateAnswerTakesTheNewHistoryBack(t *testing.T) {
	t.Parallel()
	at := func(text string) position.Position {
		p, err := position.ParseMariaDB(text)
		require.NoError(t, err)
		return p
	}
	begun := time.Now()
	report := func(text string) *driver.Report { return &driver.Report{Server: "b", System: "s", Position: at(text)} }
	n := new(node)
	n.saw(report("0-1-5"), begun)
	seen := n.sight.Load()
	n.learned(seen, at("0-2-6"), begun.Add(2*time.Second)) // a session's write
	n.saw(report("0-1-5"), begun.Add(time.Second))         // the monitor asked before it
	require.Equal(t, at("0-2-6"), n.sight.Load().position)
	n.learned(seen, at("0-2-7"), begun.Add(3*time.Second)) // though another answer has come between
	require.Equal(t, at("0-2-7"), n.sight.Load().position)
	n.learned(seen, at("0-2-6"), begun.Add(2*time.Second))
	require.Equal(t, at("0-2-7"), n.sight.Load().position, "of one history nothing older")
	n.saw(report("0-2-9"), begun.Add(time.Second))
	require.Equal(t, at("0-2-9"), n.sight.Load().position, "what is further is taken, whenever it was asked")
	n.saw(report("0-3-10"), begun.Add(4*time.Second))
	require.Equal(t, at("0-3-10"), n.sight.Load().position, "the next promotion")
	n.saw(&driver.Report{Server: "a", System: "s", Position: at("0-1-5")}, begun)
	require.Equal(t, "b", n.sight.Load().server, "nor does another server's of before")
	require.Equal(t, "a", n.saw(&driver.Report{Server: "a", System: "s", Position: at("0-1-5")}, begun).server, "whoever asked learns who answered")
}

// On PostgreSQL it is the timeline that tells the history after a promotion from the one
// before, and a late answer that came from the standby which the server was.
func TestSight_NoLateAnswerTakesAPromotionBack(t *testing.T) {
	t.Parallel()
	begun := time.Now()
	after := func(seconds int) time.Time { return begun.Add(time.Duration(seconds) * time.Second) }
	report := func(role driver.ServerRole, timeline uint32, lsn uint64) *driver.Report {
		return &driver.Report{Server: "b", System: "s", Role: role, Position: position.WAL(timeline, lsn)}
	}
	standby, primary := driver.RoleStandby, driver.RoleWritable
	n := new(node)
	now := func() sight { return *n.sight.Load() }
	n.saw(report(standby, 1, 500), begun)
	seen := n.sight.Load()
	n.learned(seen, position.WAL(2, 600), after(2)) // a session's write
	require.False(t, now().standby)
	require.Equal(t, position.WAL(2, 600), now().position)

	told := n.saw(report(standby, 1, 900), after(1)) // the monitor asked before the promotion
	require.Equal(t, position.WAL(1, 900), told.position, "who asked learns what was answered")
	require.Equal(t, position.WAL(2, 600), now().position, "what is further on the timeline before does not count")
	require.False(t, now().standby)
	n.saw(report(primary, 1, 900), after(1))
	require.Equal(t, position.WAL(2, 600), now().position, "nor as the primary")
	n.learned(seen, position.WAL(1, 950), after(1))
	require.Equal(t, position.WAL(2, 600), now().position, "nor of a write")

	n.saw(report(primary, 2, 700), after(1))
	require.Equal(t, position.WAL(2, 700), now().position, "what is further on this one does, whenever it was asked")
	n.saw(report(primary, 2, 650), after(9))
	require.Equal(t, position.WAL(2, 700), now().position)
	require.Equal(t, after(1), now().asked)

	n.saw(report(standby, 3, 800), after(10)) // it was demoted, and follows the next one
	require.True(t, now().standby)
	require.Equal(t, position.WAL(3, 800), now().position)
	n.saw(report(primary, 2, 1000), after(9))
	require.True(t, now().standby, "an answer of the primary that it was")
	require.Equal(t, position.WAL(3, 800), now().position)
}
