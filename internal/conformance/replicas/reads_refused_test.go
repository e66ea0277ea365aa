package replicas

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// A replica lets nobody in any more, since its password was changed, while the connections
// that are there go on, that of the library's questions too: no read fails, what the server
// says of it is told, without the password, and it serves again when that is right.
func TestRead_TellsWhyAReplicaLetsNobodyIn(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		const stale = "the 0ld passw0rd"
		var changed atomic.Pointer[string] // the address of the server that has another
		r, proxies := behindProxies(t, db, 2, func(c *dbfleet.ConnectionConfig) {
			password := string(c.Password)
			c.Password, c.PasswordFunc = "", func(_ context.Context, address string) (string, error) {
				if at := changed.Load(); at != nil && *at == address {
					return stale, nil
				}
				return password, nil
			}
			c.Pool.MaxLifetime = 50 * time.Millisecond
		})
		var told atomic.Bool
		refusal := map[string]string{"postgres": "password authentication failed", "mysql": "Access denied"}[db.Dialect]
		r.OnNodeChange(func(_ context.Context, e dbfleet.NodeEvent) {
			if e.Node == "main/replica-1" && e.To == dbfleet.ConditionSuspect && strings.Contains(e.Reason, refusal) {
				told.Store(true)
			}
		})
		x := reading(t, r, 4)
		x.requireServes(t, 20, "main/replica-1", "main/replica-2")
		address := proxies[0].Addr()
		changed.Store(&address)
		require.Eventually(t, func() bool {
			return told.Load() && strings.Contains(stateOf(r, "main/replica-1").LastProblem, refusal)
		}, soon, time.Millisecond)
		require.NotContains(t, stateOf(r, "main/replica-1").LastProblem, stale)
		x.requireServes(t, 50, "main/replica-2")
		changed.Store(nil)
		x.requireServes(t, 50, "main/replica-1")
		require.Empty(t, x.end())
	})
}
