package engines

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// onClusters runs f on a primary with one replica of each server.
func onClusters(t *testing.T, f func(t *testing.T, c *dbtest.Cluster, db dbtest.Database)) {
	t.Helper()
	for name, start := range map[string]func(testing.TB, int, ...string) *dbtest.Cluster{
		"postgres": dbtest.PostgresCluster, "mysql": dbtest.MariaDBCluster,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := start(t, 1)
			db := c.Database(t)
			createAccounts(t, db)
			c.WaitCaughtUp(t)
			f(t, c, db)
		})
	}
}

func TestHAProxy_ProgramsGoOnAtTheServerItIsSwitchedTo(t *testing.T) {
	t.Parallel()
	onClusters(t, func(t *testing.T, c *dbtest.Cluster, db dbtest.Database) {
		backends := []dbtest.Backend{{Server: c.Primary}, {Server: c.Replicas[0]}}
		h := dbtest.StartHAProxy(t, dbtest.HAProxyConfig{Backends: backends})
		p := newProgram(t, h.Through(db))
		ann := p.create(t, "ann")
		for range rounds(1, 6) {
			old, next := c.Primary, c.Replicas[0]
			require.Equal(t, old.Port, p.port(t))
			c.Switchover(t, next)
			h.Switch(t, next)
			h.Disconnect(t, old)
			require.Eventually(t, func() bool {
				_, err := p.accounts.First(t.Context())
				return err == nil
			}, 20*time.Second, 10*time.Millisecond)
			require.Equal(t, next.Port, p.port(t))
			p.finds(t, ann)
			bob := p.create(t, "bob")
			require.NoError(t, p.accounts.Delete(t.Context(), &bob))
			c.WaitCaughtUp(t)
		}
		require.Equal(t, []string{"ann"}, conformance.Owners(t, db.On(c.Replicas[0])))
	})
}

func TestHAProxy_ConnectionsThatItEndedWhenIdleAreNotUsed(t *testing.T) {
	t.Parallel()
	for _, dialect := range []string{"postgres", "mysql"} {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			db := dbtest.New(t, dialect)
			createAccounts(t, db)
			h := dbtest.StartHAProxy(t, dbtest.HAProxyConfig{
				Backends: []dbtest.Backend{{Server: db.Server}}, IdleTimeout: 3 * time.Second,
			})
			p := newProgram(t, h.Through(db), func(c *dbfleet.ConnectionConfig) { c.Pool.MaxIdle = 4 })
			ann := p.create(t, "ann")
			for range rounds(1, 20) {
				require.Positive(t, h.Open(t))
				require.Eventually(t, func() bool { return h.Open(t) == 0 }, 20*time.Second, 10*time.Millisecond)
				p.finds(t, ann)
			}
		})
	}
}
