package atomic

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
	"github.com/dbfleet/dbfleet/internal/twophase"
)

// A branch can be finished by a recovery while its own session is about to end, where
// MariaDB's word proves nothing.
func TestRecover_FinishesBranchesWhoseSessionsAreEnding(t *testing.T) {
	t.Parallel()
	rounds := 10
	if n, err := strconv.Atoi(os.Getenv("DBFLEET_TORTURE")); err == nil {
		rounds = n
	}
	s := newStage(t, []string{"postgres", "mysql"}, created)
	s.steps(t, writes)
	proxies := map[string]*dbtest.Proxy{}
	connections := map[string]dbfleet.ConnectionConfig{}
	for _, name := range s.names {
		proxies[name] = dbtest.NewProxy(t, s.databases[name].Server.Addr())
		connections[name] = conformance.ConnectionTo(proxies[name].Through(s.databases[name]))
	}
	r := conformance.Open(t, connections)
	stop := make(chan struct{})
	var recoverers sync.WaitGroup
	for range 3 {
		recoverers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					_, _ = s.Recover(context.Background())
				}
			}
		})
	}
	for n := range rounds {
		const atOnce = 8
		var atomics sync.WaitGroup
		for i := range atOnce {
			owner := fmt.Sprint("ghost ", n, " ", i)
			s.owner(t, owner)
			step := []string{"after prepare 1", "after commit 0"}[i%2]
			var once sync.Once
			ctx := twophase.With(t.Context(), twophase.Options{Bound: time.Millisecond, Step: func(x twophase.Step) {
				if x.String() == step {
					once.Do(func() {
						proxies["b"].Cut()
						if i%2 == 0 {
							proxies["a"].Cut()
						}
					})
				}
			}})
			atomics.Go(func() { _ = goAlong(ctx, r, s.names, s.mix, writes, owner) })
		}
		atomics.Wait()
	}
	close(stop)
	recoverers.Wait()
	s.recovered(t)
	for owner, n := range s.leftBehind(t) {
		require.Equal(t, len(s.names), n, owner)
	}
}
