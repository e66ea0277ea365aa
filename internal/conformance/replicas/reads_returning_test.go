package replicas

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// promise: replicas that come back at once, all with empty pools, get their reads bit by
// bit: the primary, which has stood in for them, serves the rest meanwhile, and then none.
func TestRead_IsLeftToThePrimaryInPartWhenAllReplicasReturnAtOnce(t *testing.T) {
	t.Parallel()
	onFleets(t, steady, func(t *testing.T, fl *fleet) {
		fl.settles(t, "main/replica-1", "main/replica-2")
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
			require.Eventually(t, func() bool { return fl.reads(t, 10)["main"] == 10 }, soon, 5*time.Millisecond)
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
	onFleets(t, steady, func(t *testing.T, fl *fleet) {
		fl.settles(t, "main/replica-1", "main/replica-2")
		fl.proxies[0].Refuse()
		fl.settles(t, "main/replica-2")
		fl.proxies[0].Heal()
		require.Eventually(t, func() bool {
			served := fl.reads(t, 20)
			require.Zero(t, served["main"])
			return served["main/replica-1"] == 10
		}, 20*time.Second, time.Millisecond)
	})
}

// A zone that returns, all of whose replicas have empty pools, takes its reads bit by bit from
// the other zone, which has served until then, and not from the primary.
func TestRead_IsNotLeftToThePrimaryWhenAZoneReturns(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		r, proxies := behindProxies(t, db, 2, func(c *dbfleet.ConnectionConfig) {
			steady(c)
			c.Replicas = []dbfleet.ReplicaConfig{{Host: c.ReadHosts[0], Zone: "here"}, {Host: c.ReadHosts[1], Zone: "there"}}
			c.ReadHosts, c.Reads.Zone = nil, "here"
		})
		x := reading(t, r, 4)
		x.requireServes(t, 20, "main/replica-1")
		require.Zero(t, x.at("main/replica-2"), "of another zone")
		proxies[0].Refuse()
		x.requireServes(t, 20, "main/replica-2")
		require.Eventually(t, func() bool { return stateOf(r, "main/replica-1").Resting }, soon, time.Millisecond)
		seen := changesOf(r)
		proxies[0].Heal()
		require.Eventually(t, func() bool { return slices.Contains(seen.of("main/replica-1"), dbfleet.ConditionSlowStart) }, soon, time.Millisecond)
		x.requireServes(t, 20, "main/replica-1")
		require.Eventually(t, func() bool { return stateOf(r, "main/replica-1").State == dbfleet.ConditionHealthy }, soon, time.Millisecond)
		x.requireServes(t, 20, "main/replica-1")
		require.Empty(t, x.end())
		if len(seen.of("main/replica-2")) == 0 { // it was well all the time
			require.Zero(t, x.at("main"))
		}
	})
}
