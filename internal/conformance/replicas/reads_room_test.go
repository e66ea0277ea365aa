package replicas

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// A loop over rows holds the only connection to a replica, and reads in it: these do not wait
// there for their own caller, but go to where a connection is free. Nor do others.
func TestRead_GoesToWhereAConnectionIsFree(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		for what, change := range map[string]func(c *dbfleet.ConnectionConfig){
			"":       func(*dbfleet.ConnectionConfig) {},
			"hedged": func(c *dbfleet.ConnectionConfig) { c.Reads.HedgeAfter = time.Millisecond },
			"zone": func(c *dbfleet.ConnectionConfig) {
				c.Reads.Zone = "here"
				c.Replicas = []dbfleet.ReplicaConfig{{Host: c.ReadHosts[0], Zone: "here"}, {Host: c.ReadHosts[1], Zone: "there"}}
				c.ReadHosts = nil
			},
		} {
			r, _ := behindProxies(t, db, 2, func(c *dbfleet.ConnectionConfig) {
				c.Pool = dbfleet.PoolConfig{MaxOpen: 1, AcquireTimeout: time.Minute}
				steady(c)
				change(c)
			})
			var at dbfleet.Route
			rows, err := r.DB("main").Read().QueryContext(dbfleet.WithRoute(t.Context(), &at), "SELECT 1 UNION ALL SELECT 2")
			require.NoError(t, err)
			began := time.Now()
			for rows.Next() {
				for range 4 {
					var route dbfleet.Route
					ctx, cancel := context.WithTimeout(dbfleet.WithRoute(dbfleet.WithSession(t.Context()), &route), soon)
					list, err := dbfleet.Select[int](ctx, r.DB("main").Read(), "SELECT 1")
					cancel()
					require.NoError(t, err, what)
					require.Equal(t, []int{1}, list)
					require.Equal(t, dbfleet.RoleReplica, route.Role, what)
					require.NotEqual(t, at.Node, route.Node, what)
				}
			}
			require.NoError(t, rows.Err())
			require.Less(t, time.Since(began), soon, what)
			require.NoError(t, rows.Close())
		}
	})
}

// Where no connection is free anywhere a read waits for its turn as ever, and does not go to
// the primary.
func TestRead_WaitsWhereNoConnectionIsFree(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		r, _ := behindProxies(t, db, 2, func(c *dbfleet.ConnectionConfig) {
			c.Pool = dbfleet.PoolConfig{MaxOpen: 1, AcquireTimeout: 5 * time.Second} // in which one is given back below
			steady(c)
		})
		held := map[string]interface{ Close() error }{}
		for range 2 {
			var at dbfleet.Route
			rows, err := r.DB("main").Read().QueryContext(dbfleet.WithRoute(t.Context(), &at), "SELECT 1 UNION ALL SELECT 2")
			require.NoError(t, err)
			held[at.Node] = rows
		}
		require.Len(t, held, 2)
		_, err := dbfleet.Select[int](t.Context(), r.DB("main").Read(), "SELECT 1")
		require.ErrorIs(t, err, dbfleet.ErrAcquireTimeout)
		type answer struct {
			node string
			err  error
		}
		back := make(chan answer, 1)
		go func() {
			var route dbfleet.Route
			_, err := dbfleet.Select[int](dbfleet.WithRoute(context.Background(), &route), r.DB("main").Read(), "SELECT 1")
			back <- answer{route.Node, err}
		}()
		require.Eventually(t, func() bool {
			stats := r.Stats()
			return stats["main/replica-1"].WaitCount+stats["main/replica-2"].WaitCount > 1
		}, soon, time.Millisecond)
		require.NoError(t, held["main/replica-2"].Close())
		a := <-back
		require.NoError(t, a.err)
		require.Equal(t, "main/replica-2", a.node)
		require.NoError(t, held["main/replica-1"].Close())
	})
}
