package tenants

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// Databases that do not answer hold a part of the budget while they are dialled, and
// whoever has one that does answers waits for no such database once they are known.
func TestTenants_SilentDatabasesLeaveTheBudgetToOthers(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		const budget, silence = 4, time.Second
		config := dbfleet.TenantsConfig{
			Driver: dbfleet.Driver(db.Dialect), MaxOpen: budget,
			Connect: func(_ context.Context, tenant string) (dbfleet.ConnectionConfig, error) {
				c := conformance.ConnectionTo(db)
				c.ConnectTimeout, c.Pool.AcquireTimeout = loadSoon, loadSoon
				if strings.HasPrefix(tenant, "silent") {
					c.ConnectTimeout = silence
					c.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
						<-ctx.Done()
						return nil, ctx.Err()
					}
				}
				return c, nil
			},
		}
		r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{})
		require.NoError(t, r.AddTenants("shops", config))
		ctx, stop := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for i := range 2 * budget {
			all.Go(func() {
				for ctx.Err() == nil {
					_ = r.DB("shops").Ping(dbfleet.WithTenant(ctx, fmt.Sprint("silent", i)))
				}
			})
		}
		var took []time.Duration
		for i := range 9 {
			begun := time.Now()
			require.NoError(t, r.DB("shops").Ping(dbfleet.WithTenant(t.Context(), fmt.Sprint("busy", i))))
			took = append(took, time.Since(begun))
		}
		stop()
		all.Wait()
		t.Logf("median %v, at most %v", median(took), took[len(took)-1])
		require.Less(t, median(took), silence)
	})
}
