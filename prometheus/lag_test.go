package dbfleetprometheus_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// onClusters runs f on a primary with two replicas of each server, which are watched every
// 100 ms and may be a second behind.
func onClusters(t *testing.T, f func(t *testing.T, cluster *dbtest.Cluster, r *dbfleet.Registry)) {
	t.Helper()
	for name, start := range map[string]func(testing.TB, int, ...string) *dbtest.Cluster{"postgres": dbtest.PostgresCluster, "mysql": dbtest.MariaDBCluster} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := start(t, 2)
			config := conformance.ConnectionTo(cluster.Database(t))
			for _, r := range cluster.Replicas {
				config.ReadHosts = append(config.ReadHosts, r.Addr())
			}
			config.Reads = dbfleet.ReadsConfig{MaxLag: time.Second, ProbeInterval: 100 * time.Millisecond}
			r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config})
			require.NoError(t, r.DB("main").Ping(t.Context()))
			f(t, cluster, r)
		})
	}
}

// A replica that replays nothing is told to be ever further behind, and not to be in turn.
func TestCollector_TellsHowFarReplicasAreBehind(t *testing.T) {
	t.Parallel()
	onClusters(t, func(t *testing.T, cluster *dbtest.Cluster, r *dbfleet.Registry) {
		reg := register(t, r)
		of := func(metric, node string) float64 {
			got := gather(t, reg)
			require.NotContains(t, got, metric+"{connection=main node=main}", "the primary is behind nobody")
			value, told := got[metric+"{connection=main node="+node+"}"]
			if !told {
				return -1
			}
			return value
		}
		state := func(node, state string) float64 {
			return gather(t, reg)["dbfleet_node_state{connection=main node="+node+" state="+state+"}"]
		}
		const one, two, soon, often = "main/replica-1", "main/replica-2", 20 * time.Second, 50 * time.Millisecond
		well := func() bool {
			for _, node := range []string{one, two} {
				if lag := of("dbfleet_replica_lag_seconds", node); lag < 0 || lag > 1 || of("dbfleet_replica_lag_known", node) != 1 ||
					of("dbfleet_replica_in_turn", node) != 1 || state(node, "healthy") != 1 || state(node, "ejected") != 0 {
					return false
				}
			}
			return state("main", "healthy") == 1
		}
		require.Eventually(t, well, soon, often)
		cluster.PauseReplay(t, cluster.Replicas[0])
		_, err := r.DB("main").ExecContext(t.Context(), "CREATE TABLE later (id INTEGER)")
		require.NoError(t, err)
		require.Eventually(t, func() bool {
			return of("dbfleet_replica_lag_seconds", one) > 1.5 && of("dbfleet_replica_in_turn", one) == 0 && of("dbfleet_replica_in_turn", two) == 1 &&
				of("dbfleet_replica_up", one) == 1 // it answers
		}, soon, often)
		cluster.ResumeReplay(t, cluster.Replicas[0])
		require.Eventually(t, well, soon, often)
	})
}

// Where it is not known how far a replica is behind, that is told and no lag.
func TestCollector_TellsThatALagIsNotKnown(t *testing.T) {
	t.Parallel()
	config := conformance.ConnectionTo(conformance.OnSQLite(t).Database)
	config.ReadHosts = []string{config.Database + "-copy"}
	r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config})
	got := gather(t, register(t, r))
	require.NotContains(t, got, "dbfleet_replica_lag_seconds{connection=main node=main/replica-1}")
	known, told := got["dbfleet_replica_lag_known{connection=main node=main/replica-1}"]
	require.True(t, told)
	require.Zero(t, known)
}
