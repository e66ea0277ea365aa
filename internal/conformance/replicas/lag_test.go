package replicas

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// maxLag is far more than the two seconds that an answer may be old by which a replica is
// measured, so that one more, in which this machine stands still, makes none lag.
const maxLag = 6 * time.Second

// measured opens a connection that bears maxLag, and waits until it is known how far its
// replicas are behind.
func measured(t *testing.T, c *dbtest.Cluster, change ...func(*dbfleet.ConnectionConfig)) (dbtest.Database, *dbfleet.Registry) {
	t.Helper()
	db, config := bankOn(t, c)
	config.Reads.MaxLag = maxLag
	steady(&config)
	for _, f := range change {
		f(&config)
	}
	r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config})
	require.NoError(t, r.DB("main").Ping(t.Context()))
	require.Eventually(t, func() bool { return fresh(r, "main/replica-1") && fresh(r, "main/replica-2") }, soon, 10*time.Millisecond)
	return db, r
}

func fresh(r *dbfleet.Registry, node string) bool {
	n := stateOf(r, node)
	return n.LagKnown && n.Lag < maxLag && !n.Lagging
}

// On an idle primary nothing is behind, however long nothing was written.
func TestLag_IsSmallOnAnIdlePrimary(t *testing.T) {
	t.Parallel()
	onClusters(t, 2, func(t *testing.T, c *dbtest.Cluster) {
		_, r := measured(t, c)
		seen := changesOf(r)
		require.Never(t, func() bool { return !fresh(r, "main/replica-1") || !fresh(r, "main/replica-2") }, maxLag+2*time.Second, 100*time.Millisecond)
		require.NotContains(t, seen.of("main/replica-1"), dbfleet.ConditionLagging)
	})
}

// A replica that does not replay is behind as soon as something is written, and no read
// that bears less goes there. Once it replays again it serves again.
func TestLag_OfAReplicaThatDoesNotReplayGrowsUntilItDoes(t *testing.T) {
	t.Parallel()
	onClusters(t, 2, func(t *testing.T, c *dbtest.Cluster) {
		db, r := measured(t, c)
		seen := changesOf(r)
		c.PauseReplay(t, c.Replicas[0])
		t.Cleanup(func() { c.ResumeReplay(t, c.Replicas[0]) })
		db.Exec(t, conformance.Inserting("late"))
		require.Eventually(t, func() bool { return stateOf(r, "main/replica-1").Lagging }, soon, 10*time.Millisecond)
		n := stateOf(r, "main/replica-1")
		require.True(t, !n.LagKnown || n.Lag > maxLag, n.Lag)
		require.NotEmpty(t, n.LastProblem)
		require.True(t, fresh(r, "main/replica-2"))
		for range 20 {
			route := readOnce(t, r)
			require.NotEqual(t, "main/replica-1", route.Node)
		}
		h := r.Health(t.Context()).Connections["main"]
		require.Equal(t, dbfleet.Degraded, h.Status)
		i := slices.IndexFunc(h.Nodes, func(n dbfleet.NodeHealth) bool { return n.Name == "main/replica-1" })
		require.Equal(t, dbfleet.ProblemLagging, h.Nodes[i].Problem)
		require.True(t, h.Nodes[i].Up)

		c.ResumeReplay(t, c.Replicas[0])
		require.Eventually(t, func() bool { return fresh(r, "main/replica-1") }, soon, 10*time.Millisecond)
		require.Eventually(t, func() bool { return readOnce(t, r).Node == "main/replica-1" }, soon, 10*time.Millisecond)
		require.Eventually(t, func() bool { return slices.Contains(seen.of("main/replica-1"), dbfleet.ConditionFresh) }, soon, 10*time.Millisecond)
	})
}

// A primary that is frozen may have written what nobody sees: staleness grows.
func TestLag_GrowsWhileThePrimaryIsFrozen(t *testing.T) {
	t.Parallel()
	onClusters(t, 2, func(t *testing.T, c *dbtest.Cluster) {
		_, r := measured(t, c, func(c *dbfleet.ConnectionConfig) { c.Reads.WhenStale = dbfleet.FallbackError })
		c.Primary.Pause(t)
		t.Cleanup(func() { c.Primary.Resume(t) })
		require.Eventually(t, func() bool { return stateOf(r, "main/replica-1").Lagging && stateOf(r, "main/replica-2").Lagging }, soon, 10*time.Millisecond)
		_, err := r.DB("main").Table("accounts").Get(t.Context())
		require.ErrorIs(t, err, dbfleet.ErrStale)
		c.Primary.Resume(t)
		require.Eventually(t, func() bool { return fresh(r, "main/replica-1") && fresh(r, "main/replica-2") }, soon, 10*time.Millisecond)
	})
}

// A server that was promoted on its own goes on with a history that is not the primary's.
func TestLag_OfAnotherHistoryIsNotKnown(t *testing.T) {
	t.Parallel()
	c := dbtest.PostgresCluster(t, 2)
	db, r := measured(t, c)
	c.Promote(t, c.Replicas[0])
	db.Exec(t, conformance.Inserting("late"))
	require.Eventually(t, func() bool { return !fresh(r, "main/replica-1") }, soon, 10*time.Millisecond)
}

func readOnce(t *testing.T, r *dbfleet.Registry) (route dbfleet.Route) {
	t.Helper()
	_, err := r.DB("main").Table("accounts").Get(dbfleet.WithRoute(t.Context(), &route))
	require.NoError(t, err)
	return route
}
