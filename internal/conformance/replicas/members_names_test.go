package replicas

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// Two replicas change names again and again under readers: who asks for a name gets the
// server that has it when SetReplicas has returned, and no read fails.
func TestOnReplica_FollowsANameToAnotherServer(t *testing.T) {
	t.Parallel()
	onFleets(t, steady, func(t *testing.T, fl *fleet) {
		query := map[string]string{"postgres": "SELECT inet_server_port()", "mysql": "SELECT @@port"}[fl.db.Dialect]
		swapped := func(i int) []dbfleet.ReplicaConfig {
			return []dbfleet.ReplicaConfig{{Host: fl.cluster.Replicas[i%2].Addr(), Name: "a"}, {Host: fl.cluster.Replicas[(i+1)%2].Addr(), Name: "b"}}
		}
		require.NoError(t, fl.SetReplicas(t.Context(), "main", swapped(0)))
		stop, errs := make(chan struct{}), make(chan error, 8)
		for i := range cap(errs) {
			go func() {
				h := fl.DB("main").OnReplica("a")
				if i%2 == 0 {
					h = fl.DB("main").Read()
				}
				for {
					select {
					case <-stop:
						errs <- nil
						return
					default:
					}
					if _, err := dbfleet.SelectOne[int](context.Background(), h, query); err != nil {
						errs <- err
						return
					}
				}
			}()
		}
		for i := range 8 {
			soon, cancel := context.WithTimeout(t.Context(), time.Duration(i)*20*time.Millisecond)
			_ = fl.SetReplicas(soon, "main", swapped(i)) // the list holds, whatever runs on those that have left
			cancel()
			for range 20 {
				port, err := dbfleet.SelectOne[int](t.Context(), fl.DB("main").OnReplica("a"), query)
				require.NoError(t, err)
				require.Equal(t, fl.cluster.Replicas[i%2].Port, port)
			}
		}
		close(stop)
		for range cap(errs) {
			require.NoError(t, <-errs)
		}
	})
}

// Discover may call the registry that asks it, even to end it, and may not come back: reads go
// on until the end, and nothing waits for itself.
func TestDiscover_ThatCallsTheRegistry(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		other := dbtest.NewProxy(t, addressOf(db))
		for what, discover := range map[string]func(ctx context.Context, r *dbfleet.Registry) error{
			"SetReplicas": func(ctx context.Context, r *dbfleet.Registry) error {
				return r.SetReplicas(ctx, "main", hostsOf(other))
			},
			"a read": func(ctx context.Context, r *dbfleet.Registry) error {
				_, err := dbfleet.Select[int](ctx, r.DB("main").Read(), "SELECT 1")
				return err
			},
			"Remove": func(ctx context.Context, r *dbfleet.Registry) error { return r.Remove(ctx, "main") },
			"Replace": func(ctx context.Context, r *dbfleet.Registry) error {
				return r.Replace(ctx, "main", conformance.ConnectionTo(db))
			},
			"Close":  func(_ context.Context, r *dbfleet.Registry) error { return r.Close() },
			"Goexit": func(context.Context, *dbfleet.Registry) error { runtime.Goexit(); return nil },
		} {
			proxy := dbtest.NewProxy(t, addressOf(db))
			var r *dbfleet.Registry
			var asked, back atomic.Int64
			config := conformance.ConnectionTo(db)
			config.Reads.DiscoverEvery = 10 * time.Millisecond
			config.ConnectTimeout = soon / 2
			config.Discover = func(ctx context.Context) ([]dbfleet.ReplicaConfig, error) {
				asked.Add(1)
				defer back.Add(1)
				return hostsOf(proxy), discover(ctx, r)
			}
			r = conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config})
			ends := what == "Remove" || what == "Close"
			require.Eventually(t, func() bool {
				_, err := dbfleet.Select[int](t.Context(), r.DB("main").Read(), "SELECT 1")
				if !ends {
					require.NoError(t, err, what)
				}
				return asked.Load() > 0 && asked.Load() == back.Load()
			}, soon, time.Millisecond, what)
			began := time.Now()
			require.NoError(t, r.Close(), what)
			require.Less(t, time.Since(began), soon, what)
			require.Eventually(t, func() bool { return proxy.Open()+other.Open() == 0 }, soon, 5*time.Millisecond, what)
		}
	})
}
