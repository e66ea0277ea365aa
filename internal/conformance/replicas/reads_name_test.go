package replicas

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// hazard: a name with several servers behind it, as of a balancer. The one that the library
// asks is fresh; what another one shows is not on that account.
func TestMaxLag_HoldsForEachServerBehindAName(t *testing.T) {
	t.Parallel()
	const maxLag = 400 * time.Millisecond
	for name, reads := range map[string]dbfleet.ReadsConfig{
		"primary": {},
		"error":   {WhenStale: dbfleet.FallbackError},
		"stale":   {WhenStale: dbfleet.FallbackStale},
		"limit":   {WhenStale: dbfleet.FallbackStale, StaleLimit: maxLag},
		"hedged":  {HedgeAfter: time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onClusters(t, 2, func(t *testing.T, c *dbtest.Cluster) {
				reads := reads
				reads.MaxLag = maxLag
				db := c.Database(t)
				db.Exec(t, "CREATE TABLE t (id INT)", "INSERT INTO t VALUES (1)")
				c.WaitCaughtUp(t)
				asked, other := c.Replicas[0], c.Replicas[1]
				proxy := dbtest.NewProxy(t, asked.Addr())
				config := conformance.ConnectionTo(db)
				config.ReadHosts, config.Reads = []string{proxy.Addr()}, reads
				r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config})
				require.NoError(t, r.DB("main").Ping(t.Context()))
				require.Eventually(t, func() bool { return stateOf(r, "main/replica-1").LagKnown }, soon, time.Millisecond)
				proxy.Retarget(other.Addr())
				c.PauseReplay(t, other)
				db.Exec(t, "INSERT INTO t VALUES (2)")
				wrote := time.Now()

				read := map[string]func(route *dbfleet.Route) (int, error){
					"query": func(route *dbfleet.Route) (int, error) {
						rows, err := r.DB("main").Table("t").Get(dbfleet.WithRoute(t.Context(), route))
						return len(rows), err
					},
					"row": func(route *dbfleet.Route) (n int, err error) {
						err = r.DB("main").Read().QueryRowContext(dbfleet.WithRoute(t.Context(), route), "SELECT COUNT(*) FROM t").Scan(&n)
						return n, err
					},
				}
				var route dbfleet.Route
				for time.Since(wrote) < 5*maxLag {
					for kind, read := range read {
						began := time.Now()
						n, err := read(&route)
						switch old := err == nil && n == 1; {
						case began.Sub(wrote) <= maxLag: // it may not have been there
						case name == "error" || name == "limit":
							require.False(t, old, kind)
							if err != nil && !errors.Is(err, dbfleet.ErrNoReplica) { // a machine that is busy
								require.ErrorIs(t, err, dbfleet.ErrStale, kind)
							}
						case name == "stale":
							require.NoError(t, err, kind)
							require.True(t, !old || route.Role == dbfleet.RoleReplica, kind)
						default:
							require.NoError(t, err, kind)
							require.Equal(t, 2, n, "%s at %s", kind, route)
						}
					}
				}
				c.ResumeReplay(t, other)
				for kind, read := range read {
					require.Eventually(t, func() bool {
						n, err := read(&route)
						return err == nil && n == 2 && route.Role == dbfleet.RoleReplica
					}, soon, time.Millisecond, kind)
				}
			})
		})
	}
}
