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
