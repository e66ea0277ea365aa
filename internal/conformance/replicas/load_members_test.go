package replicas

import (
	"bytes"
	"context"
	"errors"
	"os"
	"runtime/pprof"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// promise: 64 goroutines change the list of replicas and read, with Close in the middle:
// each read is answered until then, and no goroutine is left.
func TestLoad_ReplicasComeAndGoUnderReadersUntilClose(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		proxies := []*dbtest.Proxy{dbtest.NewProxy(t, addressOf(db)), dbtest.NewProxy(t, addressOf(db)), dbtest.NewProxy(t, addressOf(db))}
		lists := [][]dbfleet.ReplicaConfig{
			hostsOf(proxies...), hostsOf(proxies[0]), nil, hostsOf(proxies[2], proxies[1]), hostsOf(proxies[1]),
		}
		var config dbfleet.Config
		config.Connections = map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(db)}
		mark := pprof.Labels("test", t.Name())
		pprof.Do(context.Background(), mark, func(context.Context) { // and all goroutines below
			r, err := dbfleet.Open(config)
			require.NoError(t, err)
			var all sync.WaitGroup
			var reads, changes atomic.Int64
			errs := make(chan error, 64)
			for i := range 64 {
				all.Go(func() {
					for n := i; ; n++ {
						var err error
						if i%4 == 0 {
							err = r.SetReplicas(context.Background(), "main", lists[n%len(lists)])
							changes.Add(1)
						} else {
							var one int
							err = r.DB("main").Read().QueryRowContext(context.Background(), "SELECT 1").Scan(&one)
							reads.Add(1)
						}
						if err != nil {
							errs <- err
							return
						}
					}
				})
			}
			require.Eventually(t, func() bool { return len(errs) > 0 || reads.Load() > 2000 && changes.Load() > 200 }, 6*soon, 10*time.Millisecond)
			early := len(errs)
			closed := r.Close()
			all.Wait()
			close(errs)
			for err := range errs {
				if early > 0 {
					require.NoError(t, err, "before Close")
				}
				require.True(t, errors.Is(err, dbfleet.ErrClosed), "%v", err)
			}
			require.NoError(t, closed)
		})
		require.Eventually(t, func() bool { return !runs(t.Name()) }, soon, 10*time.Millisecond, "a goroutine is left")
		for _, p := range proxies {
			require.Eventually(t, func() bool { return p.Open() == 0 }, soon, 10*time.Millisecond)
		}
	})
}

// runs says whether a goroutine runs that was begun under a label.
func runs(label string) bool {
	var profile bytes.Buffer
	_ = pprof.Lookup("goroutine").WriteTo(&profile, 1)
	return bytes.Contains(profile.Bytes(), []byte(`"`+label+`"`))
}

// promise: nobody reads for a while, under DBFLEET_TORTURE for minutes, and no replica is
// left out or doubted.
func TestLoad_AnIdleWhileChangesNothing(t *testing.T) {
	t.Parallel()
	idle := 15 * time.Second
	if os.Getenv("DBFLEET_TORTURE") != "" {
		idle = 2 * time.Minute
	}
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		r, proxies := behindProxies(t, db, 2)
		require.NoError(t, r.DB("main").Read().Ping(t.Context()))
		require.Eventually(t, func() bool {
			for _, n := range r.Nodes() {
				if n.State != dbfleet.ConditionHealthy {
					return false
				}
			}
			return true
		}, soon, 10*time.Millisecond)
		changes, lateBy := changesOf(r), lateness(t)
		dials := proxies[0].Accepted() + proxies[1].Accepted()
		<-time.After(idle)
		late := lateBy()
		for _, n := range []string{"main", "main/replica-1", "main/replica-2"} {
			require.True(t, late >= tooLate || !slices.Contains(changes.of(n), dbfleet.ConditionEjected), n)
		}
		if dials == proxies[0].Accepted()+proxies[1].Accepted() { // each question was answered in time by this machine's clock
			require.Empty(t, append(changes.of("main/replica-1"), changes.of("main/replica-2")...))
		}
		require.NoError(t, r.DB("main").Read().Ping(t.Context()))
	})
}
