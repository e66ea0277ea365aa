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

// foreignHost is the connection of startForeign with the other cluster's standby, by a link,
// as a host that serves reads as well, which was found foreign and has left the list then.
func foreignHost(t *testing.T, change ...func(*dbfleet.ConnectionConfig)) (f *foreign, r *dbfleet.Registry, seen *changes, link *dbtest.Proxy, node string) {
	t.Helper()
	f = startForeign(t)
	link = dbtest.NewProxy(t, f.standby)
	f.config.Hosts = []string{link.Addr()}
	f.config.ReadHosts = append(f.config.ReadHosts, link.Addr())
	f.config.Reads.ProbeInterval = time.Second
	for _, c := range change {
		c(&f.config)
	}
	r = conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": f.config})
	seen = changesOf(r)
	require.NoError(t, r.DB("main").Ping(t.Context()))
	for _, n := range r.Nodes() {
		if n.Address == link.Addr() {
			node = n.Node
		}
	}
	require.Eventually(t, func() bool { return slices.Contains(seen.of(node), dbfleet.ConditionForeign) }, soon, 10*time.Millisecond)
	require.NoError(t, r.SetReplicas(t.Context(), "main", []dbfleet.ReplicaConfig{{Host: f.own.Replicas[0].Addr()}}))
	return f, r, seen, link, node
}

// A host that was found foreign as a replica serves all when it is followed as the primary,
// also what refuses writes; and from the first read on the replicas of the primary before
// are the foreign ones.
func TestForeign_HostThatIsFollowedServesReads(t *testing.T) {
	t.Parallel()
	for name, both := range map[string]bool{"when the primary is gone": false, "after both have claimed to be the primary": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, r, seen, _, node := foreignHost(t)
			if both {
				f.other.Promote(t, f.other.Replicas[0])
				require.Eventually(t, func() bool { return slices.Contains(seen.of(node), dbfleet.ConditionTwoPrimaries) }, soon, 10*time.Millisecond)
				f.own.Primary.Pause(t)
				defer f.own.Primary.Resume(t)
			} else {
				f.own.Primary.Kill(t)
				f.other.Promote(t, f.other.Replicas[0])
			}
			requireServesAll(t, r, node)
		})
	}
}

func requireServesAll(t *testing.T, r *dbfleet.Registry, node string) {
	t.Helper()
	db := r.DB("main")
	require.Eventually(t, func() bool {
		_, err := db.ExecContext(t.Context(), conformance.Inserting("followed"))
		return err == nil
	}, soon, time.Millisecond)
	for range 50 {
		got, err := ownersOf(t.Context(), db)
		require.NoError(t, err)
		require.Equal(t, "foreign followed", got, "the replica is another cluster's now")
	}
	var route dbfleet.Route
	ctx := dbfleet.WithRoute(dbfleet.ReadPrimary(t.Context()), &route)
	rows, err := db.Read().QueryContext(ctx, "SELECT owner FROM accounts")
	require.NoError(t, err, "by sessions that refuse writes")
	require.NoError(t, rows.Close())
	require.Equal(t, node, route.Node)
}

// A host that was found foreign, left the list, and is a standby of the connection's own
// cluster when it is listed again, serves.
func TestForeign_HostThatIsListedAgainServesWhenItIsRight(t *testing.T) {
	t.Parallel()
	f, r, seen, link, node := foreignHost(t, steady)
	is := func(c dbfleet.NodeCondition) func() bool { return func() bool { return stateOf(r, node).State == c } }
	link.Refuse()
	require.Eventually(t, is(dbfleet.ConditionEjected), soon, 10*time.Millisecond)
	link.Retarget(f.own.Replicas[0].Addr())
	link.Heal()
	require.Eventually(t, is(dbfleet.ConditionHealthy), soon, 10*time.Millisecond)
	require.NoError(t, r.SetReplicas(t.Context(), "main", []dbfleet.ReplicaConfig{{Host: link.Addr()}}))
	require.Eventually(t, func() bool { return stateOf(r, node).InTurn }, soon, 10*time.Millisecond)
	for range 20 {
		var route dbfleet.Route
		got, err := ownersOf(dbfleet.WithRoute(t.Context(), &route), r.DB("main"))
		require.NoError(t, err)
		require.Equal(t, "seed", got)
		require.Equal(t, node, route.Node)
	}
	require.Contains(t, seen.of(node), dbfleet.ConditionForeign)
}
