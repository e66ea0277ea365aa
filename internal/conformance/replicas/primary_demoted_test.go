package replicas

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// A primary that is demoted in good order answers what was under way there itself: that is
// waited for and not cut off, since a refusal is certain and a cut is not. PostgreSQL ends
// its sessions for it.
//
// promise: a write that a server refused as read-only is sent once more, to the new primary
func TestFailover_WaitsForTheWordOfAPrimaryThatAnswers(t *testing.T) {
	t.Parallel()
	c := dbtest.MariaDBCluster(t, 1)
	db, config := bankOn(t, c)
	r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config})
	accounts := conformance.Model[conformance.Account](t, r, dbfleet.ModelConfig{Table: "accounts"})
	require.NoError(t, accounts.Create(t.Context(), &conformance.Account{Owner: "before"}))
	c.WaitCaughtUp(t)

	// The write has passed the look at read_only and waits for the lock.
	ctx := context.Background()
	admin, err := c.Primary.Admin().Conn(ctx)
	require.NoError(t, err)
	defer admin.Close()
	do := func(statement string) {
		t.Helper()
		_, err := admin.ExecContext(ctx, statement)
		require.NoError(t, err, statement)
	}
	do("FLUSH TABLES WITH READ LOCK")
	wrote := make(chan error, 1)
	var route dbfleet.Route
	go func() {
		wrote <- accounts.Create(dbfleet.WithRoute(ctx, &route), &conformance.Account{Owner: "under way"})
	}()
	require.Eventually(t, func() bool {
		var n int
		require.NoError(t, c.Primary.Admin().QueryRow("SELECT COUNT(*) FROM information_schema.processlist WHERE db = '"+db.Name+"' AND info LIKE 'INSERT%' AND state LIKE 'Waiting%'").Scan(&n))
		return n == 1
	}, soon, conformance.WaitingTick)

	changed := changesOf(r)
	do("SET GLOBAL read_only = 1")
	heir := c.Replicas[0]
	c.Promote(t, heir)
	require.Eventually(t, func() bool { return slices.Contains(changed.of("main"), dbfleet.ConditionDemoted) }, soon, 10*time.Millisecond)
	require.NoError(t, accounts.Create(ctx, &conformance.Account{Owner: "after"}), "to the new primary")
	require.Never(t, func() bool { return len(wrote) > 0 }, 1500*time.Millisecond, 50*time.Millisecond, "it has its answer only from the server")
	do("UNLOCK TABLES")
	select {
	case err := <-wrote:
		require.NoError(t, err)
	case <-time.After(soon):
		require.Fail(t, "the write hangs")
	}
	require.Equal(t, "main/replica-1", route.Node)
	require.Equal(t, 1, conformance.Counted(t, db.On(heir), "SELECT COUNT(*) FROM accounts WHERE owner = 'under way'"))
	require.Zero(t, conformance.Counted(t, db, "SELECT COUNT(*) FROM accounts WHERE owner = 'under way'"))
}

// A replica that was promoted is left out of the list of replicas, as whoever lists them
// does. When it is not the primary any more, nothing leads to it: its connections are closed.
func TestFailover_LeavesAPrimaryThatIsListedNowhere(t *testing.T) {
	t.Parallel()
	onClusters(t, 2, func(t *testing.T, c *dbtest.Cluster) {
		_, config := bankOn(t, c)
		heirs := c.Replicas
		proxies := []*dbtest.Proxy{dbtest.NewProxy(t, heirs[0].Addr()), dbtest.NewProxy(t, heirs[1].Addr())}
		config.ReadHosts = []string{proxies[0].Addr(), proxies[1].Addr()}
		r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config})
		changed := changesOf(r)
		accounts := conformance.Model[conformance.Account](t, r, dbfleet.ModelConfig{Table: "accounts"})
		rows := 0
		writtenAt := func(node string) {
			t.Helper()
			require.Eventually(t, func() bool {
				var route dbfleet.Route
				rows++
				err := accounts.Create(dbfleet.WithRoute(t.Context(), &route), &conformance.Account{Owner: fmt.Sprint("row ", rows)})
				return err == nil && route.Node == node
			}, soon, 10*time.Millisecond)
		}
		writtenAt("main")
		c.Switchover(t, heirs[0])
		writtenAt("main/replica-1")
		require.NoError(t, r.SetReplicas(t.Context(), "main", []dbfleet.ReplicaConfig{{Host: proxies[1].Addr(), Name: "replica-2"}}))
		writtenAt("main/replica-1")
		require.NotContains(t, changed.of("main/replica-1"), dbfleet.ConditionRemoved, "it is the primary")
		c.WaitCaughtUp(t)
		c.Switchover(t, heirs[1])
		writtenAt("main/replica-2")
		require.Eventually(t, func() bool { return slices.Contains(changed.of("main/replica-1"), dbfleet.ConditionRemoved) }, soon, 10*time.Millisecond)
		require.NotContains(t, names(r), "main/replica-1")
		require.Eventually(t, func() bool { return proxies[0].Open() == 0 }, soon, 10*time.Millisecond)
		writtenAt("main/replica-2")
	})
}

// The replica that was promoted keeps its name, which no other node gets while it is there,
// whether or not it is listed. So routes, events and metrics tell the nodes apart.
func TestSetReplicas_GivesNobodyTheNameOfThePrimary(t *testing.T) {
	t.Parallel()
	onClusters(t, 2, func(t *testing.T, c *dbtest.Cluster) {
		_, config := bankOn(t, c)
		old, heir, other := c.Primary.Addr(), c.Replicas[0], c.Replicas[1].Addr()
		r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config})
		require.NoError(t, r.DB("main").Ping(t.Context()))
		c.Switchover(t, heir)
		require.Eventually(t, func() bool { return r.Nodes()[0].Node == "main/replica-1" && r.Nodes()[0].Role == dbfleet.RolePrimary }, soon, 10*time.Millisecond)
		for _, hosts := range [][]string{{old, other}, {other, old}, {old, heir.Addr(), other}, {old}} {
			var list []dbfleet.ReplicaConfig
			for _, host := range hosts {
				list = append(list, dbfleet.ReplicaConfig{Host: host})
			}
			require.NoError(t, r.SetReplicas(t.Context(), "main", list))
			at := map[string]string{}
			for _, n := range r.Nodes() {
				require.Empty(t, at[n.Node], "%s is a node at %s and at %s", n.Node, at[n.Node], n.Address)
				at[n.Node] = n.Address
			}
			require.Equal(t, heir.Addr(), at["main/replica-1"], hosts)
			require.Equal(t, "main/replica-1", r.Nodes()[0].Node)
		}
	})
}
