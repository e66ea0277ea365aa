package dbtest

import (
	"database/sql"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// port is that of the server that answers.
func port(t *testing.T, pool interface{ QueryRow(string, ...any) *sql.Row }, dialect string) (n int) {
	t.Helper()
	query := map[string]string{"postgres": "SELECT inet_server_port()", "mysql": "SELECT @@port"}[dialect]
	require.NoError(t, pool.QueryRow(query).Scan(&n))
	return n
}

func TestHAProxy_SwitchesNewConnectionsAndCutsOpenOnes(t *testing.T) {
	t.Parallel()
	needs(t, "haproxy")
	eachCluster(t, 1, func(t *testing.T, c *Cluster) {
		replica := c.Replicas[0]
		h := StartHAProxy(t, HAProxyConfig{Backends: []Backend{{Server: c.Primary}, {Server: replica}}})
		db := h.Through(c.Database(t))
		pool := db.SQL(t)
		kept, err := pool.Begin()
		require.NoError(t, err)
		defer kept.Rollback()
		require.Equal(t, c.Primary.Port, port(t, kept, db.Dialect))
		require.Equal(t, 1, h.OpenTo(t, c.Primary))

		h.Switch(t, replica)
		require.Equal(t, replica.Port, port(t, pool, db.Dialect))
		require.Equal(t, c.Primary.Port, port(t, kept, db.Dialect), "an open connection stays where it is")

		h.Disconnect(t, c.Primary)
		require.Error(t, kept.QueryRow("SELECT 1").Scan(new(int)))
		require.Eventually(t, func() bool { return h.Open(t) == 0 }, 10*time.Second, 10*time.Millisecond)

		h.Switch(t)
		require.Error(t, pool.Ping(), "nobody serves")
		h.Switch(t, c.Primary)
		require.Equal(t, c.Primary.Port, port(t, pool, db.Dialect))
	})
}

func TestHAProxy_LeavesOutAServerThatIsGone(t *testing.T) {
	t.Parallel()
	needs(t, "haproxy")
	c := PostgresCluster(t, 1)
	replica := c.Replicas[0]
	h := StartHAProxy(t, HAProxyConfig{Backends: []Backend{{Server: c.Primary}, {Server: replica}}, Check: "tcp"})
	db := h.Through(c.Database(t))
	pool := db.SQL(t)
	require.NotEqual(t, port(t, pool, db.Dialect), port(t, pool, db.Dialect), "both serve, in turn")
	c.Primary.Stop(t)
	require.Eventually(t, func() bool {
		n := 0
		for range 4 {
			if pool.Ping() == nil {
				n++
			}
		}
		return n == 4
	}, 20*time.Second, 20*time.Millisecond)
	require.Equal(t, replica.Port, port(t, pool, db.Dialect))
	c.Primary.Start(t)
	require.Eventually(t, func() bool { return port(t, pool, db.Dialect) == c.Primary.Port }, 20*time.Second, 20*time.Millisecond)
}

func TestHAProxy_EndsIdleConnections(t *testing.T) {
	t.Parallel()
	needs(t, "haproxy")
	direct := New(t, "postgres")
	h := StartHAProxy(t, HAProxyConfig{Backends: []Backend{{Server: direct.Server}}, IdleTimeout: 3 * time.Second})
	db := h.Through(direct)
	conn, err := db.SQL(t).Conn(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.PingContext(t.Context()))
	require.Eventually(t, func() bool { return h.Open(t) == 0 }, 20*time.Second, 20*time.Millisecond)
	require.Error(t, conn.PingContext(t.Context()))
}

func TestFront_ComesBackOnItsPort(t *testing.T) {
	t.Parallel()
	needs(t, "haproxy")
	direct := New(t, "postgres")
	h := StartHAProxy(t, HAProxyConfig{Backends: []Backend{{Server: direct.Server}}})
	db := h.Through(direct)
	h.Kill(t)
	require.Error(t, db.SQL(t).Ping())
	h.Start(t)
	require.NoError(t, db.SQL(t).Ping())
	h.Pause(t)
	ctx, cancel := contextWithin(200 * time.Millisecond)
	defer cancel()
	require.Error(t, db.SQL(t).PingContext(ctx))
	h.Resume(t)
	require.NoError(t, db.SQL(t).Ping())
	require.Eventually(t, func() bool { return h.Log(t) != "" }, 20*time.Second, 10*time.Millisecond)
}
