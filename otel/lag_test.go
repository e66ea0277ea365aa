package dbfleetotel_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
	dbfleetotel "github.com/dbfleet/dbfleet/otel"
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
func TestObservePools_TellsHowFarReplicasAreBehind(t *testing.T) {
	t.Parallel()
	onClusters(t, func(t *testing.T, cluster *dbtest.Cluster, r *dbfleet.Registry) {
		w := watch(t)
		stop, err := dbfleetotel.ObservePools(r, w.options)
		require.NoError(t, err)
		defer func() { require.NoError(t, stop()) }()
		// of is what a metric has of a node, in that state; -1 is nothing.
		of := func(metric, node, state string) float64 {
			is := func(a metricdata.DataPoint[int64]) bool {
				name, _ := a.Attributes.Value("dbfleet.node")
				in, _ := a.Attributes.Value("dbfleet.node.state")
				return name.AsString() == node && in.AsString() == state
			}
			switch all := w.collect(t)[metric].Data.(type) {
			case metricdata.Sum[int64]:
				for _, p := range all.DataPoints {
					if is(p) {
						return float64(p.Value)
					}
				}
			case metricdata.Gauge[float64]:
				for _, p := range all.DataPoints {
					if is(metricdata.DataPoint[int64]{Attributes: p.Attributes}) {
						return p.Value
					}
				}
			}
			return -1
		}
		const one, two, soon, often = "main/replica-1", "main/replica-2", 20 * time.Second, 50 * time.Millisecond
		well := func() bool {
			for _, node := range []string{one, two} {
				if lag := of("dbfleet.node.lag", node, ""); lag < 0 || lag > 1 || of("dbfleet.node.lag_known", node, "") != 1 ||
					of("dbfleet.node.in_turn", node, "") != 1 || of("dbfleet.node.state", node, "healthy") != 1 || of("dbfleet.node.state", node, "slow_start") != 0 {
					return false
				}
			}
			return of("dbfleet.node.state", "main", "healthy") == 1 && of("dbfleet.node.lag", "main", "") == -1
		}
		require.Eventually(t, well, soon, often)
		cluster.PauseReplay(t, cluster.Replicas[0])
		_, err = r.DB("main").ExecContext(t.Context(), "CREATE TABLE later (id INTEGER)")
		require.NoError(t, err)
		require.Eventually(t, func() bool {
			return of("dbfleet.node.lag", one, "") > 1.5 && of("dbfleet.node.in_turn", one, "") == 0 && of("dbfleet.node.in_turn", two, "") == 1 &&
				of("dbfleet.node.resting", one, "") == 0 // it answers
		}, soon, often)
		cluster.ResumeReplay(t, cluster.Replicas[0])
		require.Eventually(t, well, soon, often)
	})
}
