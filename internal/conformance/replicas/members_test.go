package replicas

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

func hostsOf(proxies ...*dbtest.Proxy) (list []dbfleet.ReplicaConfig) {
	for _, p := range proxies {
		list = append(list, dbfleet.ReplicaConfig{Host: p.Addr()})
	}
	return list
}

func names(r *dbfleet.Registry) (list []string) {
	for _, n := range r.Nodes() {
		list = append(list, n.Node)
	}
	return list
}

// Replicas come and go under readers, and nobody notices.
func TestSetReplicas_ChangesThemUnderReaders(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		r, proxies := behindProxies(t, db, 2)
		seen := changesOf(r)
		x := reading(t, r, 8)
		x.requireServes(t, 5, "main/replica-1", "main/replica-2")
		third := dbtest.NewProxy(t, addressOf(db))

		require.NoError(t, r.SetReplicas(t.Context(), "main", hostsOf(proxies[1], third)))
		require.Equal(t, []string{"main", "main/replica-2", "main/replica-1"}, names(r), "the second keeps its name")
		require.Eventually(t, func() bool { return proxies[0].Open() == 0 }, soon, 5*time.Millisecond)
		x.requireServes(t, 5, "main/replica-1", "main/replica-2")
		require.NotZero(t, third.Open())

		require.NoError(t, r.SetReplicas(t.Context(), "main", nil))
		require.Equal(t, []string{"main"}, names(r))
		x.requireServes(t, 5, "main")
		require.Eventually(t, func() bool { return third.Open() == 0 }, soon, 5*time.Millisecond)
		require.NoError(t, r.SetReplicas(t.Context(), "main", hostsOf(proxies[0])))
		x.requireServes(t, 5, "main/replica-1")
		require.Empty(t, x.end())
		require.Contains(t, seen.of("main/replica-1"), dbfleet.ConditionRemoved)
		require.Contains(t, seen.of("main/replica-1"), dbfleet.ConditionAdded)
	})
}

// A replica that stays the same keeps its connections; weight and zone may change.
func TestSetReplicas_KeepsWhatStays(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		r, proxies := behindProxies(t, db, 2, steady) // what is not answered in time has its connection closed
		for range 4 {
			require.NoError(t, r.DB("main").Read().Ping(t.Context()))
		}
		require.Eventually(t, func() bool { return proxies[0].Open() == 2 && proxies[1].Open() == 2 }, soon, 5*time.Millisecond)
		before := proxies[0].Accepted()
		list := hostsOf(proxies...)
		list[0].Weight, list[0].Zone = 7, "near"
		list[1].Pool = &dbfleet.PoolConfig{MaxOpen: 3}
		require.NoError(t, r.SetReplicas(t.Context(), "main", list))
		for range 4 {
			require.NoError(t, r.DB("main").Read().Ping(t.Context()))
		}
		require.Equal(t, before, proxies[0].Accepted())
		n := stateOf(r, "main/replica-1")
		require.Equal(t, 7, n.Weight)
		require.Equal(t, "near", n.Zone)
		require.Equal(t, 3, stateOf(r, "main/replica-2").Pool.MaxOpenConnections)
	})
}

// What runs on a replica that leaves goes on.
func TestSetReplicas_WaitsForWhatRunsOnThoseThatLeave(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		r, proxies := behindProxies(t, db, 1)
		rows, err := r.DB("main").Read().QueryContext(t.Context(), "SELECT 1 UNION ALL SELECT 2")
		require.NoError(t, err)
		require.True(t, rows.Next())
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		require.ErrorIs(t, r.SetReplicas(ctx, "main", nil), context.DeadlineExceeded)
		require.NotZero(t, proxies[0].Open())
		require.True(t, rows.Next())
		require.False(t, rows.Next())
		require.NoError(t, errors.Join(rows.Err(), rows.Close()))
		require.Eventually(t, func() bool { return proxies[0].Open() == 0 }, soon, 5*time.Millisecond)
	})
}

func TestSetReplicas_RefusesWhatIsNotValid(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		r, proxies := behindProxies(t, db, 1)
		err := r.SetReplicas(t.Context(), "main", append(hostsOf(proxies[0], proxies[0]), dbfleet.ReplicaConfig{Host: "a:b:c"}))
		var fault *dbfleet.ConfigError
		require.ErrorAs(t, err, &fault)
		require.ErrorContains(t, err, "replicas number 2")
		require.ErrorContains(t, err, "replicas number 3 is not host, host:port or [IPv6]:port")
		require.Equal(t, []string{"main", "main/replica-1"}, names(r))
		var unknown *dbfleet.UnknownConnectionError
		require.ErrorAs(t, r.SetReplicas(t.Context(), "other", nil), &unknown)
		require.NoError(t, r.Transaction(t.Context(), "main", func(ctx context.Context, _ *dbfleet.Tx) error {
			require.ErrorIs(t, r.SetReplicas(ctx, "main", nil), dbfleet.ErrBusy)
			return nil
		}))
	})
}

// Discover is asked when the connection is first used and again and again; what is wrong
// with its answer changes nothing.
func TestDiscover_FollowsWhatItTells(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		first, second := dbtest.NewProxy(t, addressOf(db)), dbtest.NewProxy(t, addressOf(db))
		var answer atomic.Pointer[func() ([]dbfleet.ReplicaConfig, error)]
		tell := func(f func() ([]dbfleet.ReplicaConfig, error)) { answer.Store(&f) }
		tell(func() ([]dbfleet.ReplicaConfig, error) { return hostsOf(first), nil })
		config := conformance.ConnectionTo(db)
		config.Discover = func(context.Context) ([]dbfleet.ReplicaConfig, error) { return (*answer.Load())() }
		config.Reads.DiscoverEvery = 10 * time.Millisecond
		r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config})
		seen := changesOf(r)
		require.Equal(t, []string{"main"}, names(r))
		require.NoError(t, r.DB("main").Ping(t.Context()))
		require.Eventually(t, func() bool { return len(names(r)) == 2 }, soon, 5*time.Millisecond)
		x := reading(t, r, 2)
		x.requireServes(t, 2, "main/replica-1")

		for _, wrong := range []func() ([]dbfleet.ReplicaConfig, error){
			func() ([]dbfleet.ReplicaConfig, error) { return nil, errors.New("no directory") },
			func() ([]dbfleet.ReplicaConfig, error) { return hostsOf(second, second), nil },
			func() ([]dbfleet.ReplicaConfig, error) { panic("no directory either") },
		} {
			before := len(seen.of("main"))
			tell(wrong)
			require.Eventually(t, func() bool { return len(seen.of("main")) > before }, soon, 5*time.Millisecond)
		}
		require.True(t, slices.Contains(seen.of("main"), dbfleet.ConditionUndiscovered))
		require.Equal(t, []string{"main", "main/replica-1"}, names(r))

		tell(func() ([]dbfleet.ReplicaConfig, error) { return hostsOf(second), nil })
		require.Eventually(t, func() bool { return second.Open() > 0 && first.Open() == 0 }, soon, 5*time.Millisecond)
		require.Empty(t, x.end())
	})
}

// A connection ends while its replicas come and go.
func TestSetReplicas_EndsWithItsConnection(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		r, proxies := behindProxies(t, db, 2)
		x := reading(t, r, 4)
		x.requireServes(t, 1, "main/replica-1", "main/replica-2")
		over := make(chan error)
		go func() {
			for i := 0; ; i++ {
				if err := r.SetReplicas(context.Background(), "main", hostsOf(proxies[i%2])); err != nil {
					over <- err
					return
				}
			}
		}()
		x.requireServes(t, 50, "main/replica-1")
		require.NoError(t, r.Close())
		require.ErrorIs(t, <-over, dbfleet.ErrClosed)
		for _, err := range x.end() {
			require.ErrorIs(t, err, dbfleet.ErrClosed)
		}
		require.Eventually(t, func() bool { return proxies[0].Open()+proxies[1].Open() == 0 }, soon, 5*time.Millisecond)
	})
}

// What Discover tells while a connection ends changes nothing any more: replicas that come and
// go all the time are not waited for in turn.
func TestDiscover_DoesNotHoldUpTheEnd(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		proxy := dbtest.NewProxy(t, addressOf(db))
		var asked atomic.Int64
		config := conformance.ConnectionTo(db)
		config.Reads.DiscoverEvery = 10 * time.Millisecond
		config.Discover = func(context.Context) ([]dbfleet.ReplicaConfig, error) {
			return []dbfleet.ReplicaConfig{{Host: proxy.Addr(), Name: fmt.Sprint("replica of round ", asked.Add(1))}}, nil
		}
		r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config})
		require.NoError(t, r.DB("main").Ping(t.Context()))
		require.Eventually(t, func() bool { return asked.Load() > 10 }, soon, time.Millisecond)
		rows, err := r.DB("main").QueryContext(t.Context(), "SELECT 1")
		require.NoError(t, err)
		over := make(chan error, 1)
		go func() { over <- r.Shutdown(context.Background()) }()
		require.Eventually(t, func() bool { return errors.Is(r.DB("main").Ping(t.Context()), dbfleet.ErrClosed) }, soon, time.Millisecond)
		begun := asked.Load()
		require.Never(t, func() bool { return asked.Load() > begun+1 }, 300*time.Millisecond, 10*time.Millisecond)
		require.NoError(t, rows.Close())
		require.NoError(t, <-over)
		require.Eventually(t, func() bool { return proxy.Open() == 0 }, soon, 5*time.Millisecond)
	})
}

// A replica that has left and is silent holds nobody up for half a minute: what waits there
// is ended when it has not answered a question, and goes elsewhere.
func TestSetReplicas_DoesNotWaitForASilentReplicaThatLeaves(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		r, proxies := behindProxies(t, db, 1, func(c *dbfleet.ConnectionConfig) {
			c.Reads.MaxWait = 2 * time.Second // so that it has left before it is doubted
		})
		require.NoError(t, r.DB("main").Read().Ping(t.Context()))
		held := proxies[0].On(dbtest.Fault{Marker: "4711", Action: dbtest.HoldReply})
		type answer struct {
			value int
			route dbfleet.Route
			err   error
		}
		answers := make(chan answer, 2)
		for range 2 {
			go func() {
				var a answer
				a.value, a.err = dbfleet.SelectOne[int](dbfleet.WithRoute(context.Background(), &a.route), r.DB("main").Read(), "SELECT 4711")
				answers <- a
			}()
		}
		require.Eventually(t, func() bool { return held.Seen() == 2 }, soon, time.Millisecond)
		proxies[0].Blackhole()
		began := time.Now()
		require.NoError(t, r.SetReplicas(t.Context(), "main", nil))
		require.Less(t, time.Since(began), soon)
		for range 2 {
			a := <-answers
			require.NoError(t, a.err)
			require.Equal(t, 4711, a.value)
			require.Equal(t, "main", a.route.Node)
		}
		require.Eventually(t, func() bool { return proxies[0].Open() == 0 }, soon, 5*time.Millisecond)
	})
}
