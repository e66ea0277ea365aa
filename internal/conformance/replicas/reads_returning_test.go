package replicas

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
)

// promise: replicas that come back at once, all with empty pools, get their reads bit by
// bit: the primary, which has stood in for them, serves the rest meanwhile, and then none.
func TestRead_IsLeftToThePrimaryInPartWhenAllReplicasReturnAtOnce(t *testing.T) {
	t.Parallel()
	onFleets(t, nil, func(t *testing.T, fl *fleet) {
		fl.settles(t, 5*time.Second, "main/replica-1", "main/replica-2")
		read := func() dbfleet.Route {
			var route dbfleet.Route
			require.NoError(t, fl.read(dbfleet.WithRoute(t.Context(), &route)))
			return route
		}
		helps := func(r dbfleet.Route) bool { return strings.Contains(r.Reason, "still helps") }
		for outage := 1; ; outage++ {
			for _, p := range fl.proxies {
				p.Refuse()
			}
			require.Eventually(t, func() bool { return fl.reads(t, 10)["main"] == 10 }, 10*time.Second, 5*time.Millisecond)
			for _, p := range fl.proxies {
				p.Heal()
			}
			helped, replicas := 0, 0
			require.Eventually(t, func() bool {
				for range 20 {
					if r := read(); helps(r) {
						require.Equal(t, "main", r.Node)
						helped++
					} else if r.Role == dbfleet.RoleReplica {
						replicas++
					}
				}
				for _, n := range fl.Nodes() {
					if n.State != dbfleet.ConditionHealthy {
						return false
					}
				}
				return true
			}, 20*time.Second, time.Millisecond)
			if helped > 0 && replicas > 0 {
				break
			}
			require.Less(t, outage, 10, "the primary did not help, or served all") // a machine that stood still for that second
		}
		for range 200 {
			require.Equal(t, dbfleet.RoleReplica, read().Role)
		}
	})
}

// One replica that returns while another is well takes its share from that.
func TestRead_IsNotLeftToThePrimaryWhenOneReplicaReturns(t *testing.T) {
	t.Parallel()
	onFleets(t, nil, func(t *testing.T, fl *fleet) {
		fl.settles(t, 5*time.Second, "main/replica-1", "main/replica-2")
		fl.proxies[0].Refuse()
		fl.settles(t, 10*time.Second, "main/replica-2")
		fl.proxies[0].Heal()
		require.Eventually(t, func() bool {
			served := fl.reads(t, 20)
			require.Zero(t, served["main"])
			return served["main/replica-1"] == 10
		}, 20*time.Second, time.Millisecond)
	})
}
