package sessions

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// asks is what every question for a position has in its text.
var asks = map[string]string{"postgres": "pg_is_in_recovery", "mysql": "gtid_current_pos"}

// A read in a session is one round trip, as outside of one, once it is known what the
// replicas have.
func TestSession_AsksNothingInTheSteadyState(t *testing.T) {
	t.Parallel()
	onClusters(t, func(t *testing.T, s *stage) {
		s.create("a")
		s.cluster.WaitCaughtUp(t)
		one, two := dbtest.NewProxy(t, s.cluster.Replicas[0].Addr()), dbtest.NewProxy(t, s.cluster.Replicas[1].Addr())
		primary := dbtest.NewProxy(t, s.cluster.Primary.Addr())
		config := s.config(primary.Addr(), one.Addr(), two.Addr())
		config.Pool.MaxOpen = 1
		c := s.open(config)
		for _, monotonic := range []bool{false, true} {
			ctx := dbfleet.WithSession(t.Context(), dbfleet.SessionOptions{MonotonicReads: monotonic})
			c.set(ctx, "a", 1)
			s.cluster.WaitCaughtUp(t)
			served := map[string]int{}
			require.Eventually(t, func() bool {
				_, route := c.value(ctx, "a")
				served[route.Node]++
				return served["main/replica-1"] > 10 && served["main/replica-2"] > 10 || monotonic && len(served) > 0 && served["main"] == 0
			}, soon, often)
			var asked []*dbtest.Trigger
			for _, p := range []*dbtest.Proxy{one, two, primary} {
				asked = append(asked, p.On(dbtest.Fault{Marker: asks[s.db.Dialect]}))
			}
			const reads = 1000
			for range reads {
				_, route := c.value(ctx, "a")
				require.Equal(t, dbfleet.RoleReplica, route.Role, route)
			}
			n := 0
			for _, a := range asked {
				n += a.Seen()
			}
			require.Less(t, n, reads/10, "of the monitor alone, which asks each node once a second")
		}
	})
}
