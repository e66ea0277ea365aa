package sessions

import (
	"context"
	"slices"
	"testing"
	"time"

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

// A read in a session costs at most a twentieth more than one outside. The bound leaves room
// for a machine that does something else meanwhile; the figure is logged.
func TestSession_CostsLittle(t *testing.T) {
	t.Parallel()
	onClusters(t, func(t *testing.T, s *stage) {
		s.create("a")
		s.cluster.WaitCaughtUp(t)
		c := s.open(s.whole())
		in := dbfleet.WithSession(t.Context())
		c.set(in, "a", 1)
		s.cluster.WaitCaughtUp(t)
		require.Eventually(t, func() bool {
			_, route := c.value(in, "a")
			return route.Role == dbfleet.RoleReplica
		}, soon, often)
		q := c.counters.Where("name", "=", "a")
		takes := func(ctx context.Context) time.Duration {
			began := time.Now()
			for range 20 {
				_, err := q.First(ctx)
				require.NoError(t, err)
			}
			return time.Since(began)
		}
		const pairs = 150
		inside, outside := make([]time.Duration, pairs), make([]time.Duration, pairs)
		for i := range pairs {
			inside[i], outside[i] = takes(in), takes(t.Context())
		}
		slices.Sort(inside)
		slices.Sort(outside)
		ratio := float64(inside[pairs/2]) / float64(outside[pairs/2])
		t.Logf("inside %v, outside %v: %.3f", inside[pairs/2]/20, outside[pairs/2]/20, ratio)
		require.Less(t, ratio, 1.5)
	})
}
