package sessions

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// hazard: reads that may be asked twice are reads of the session too.
func TestSession_WithMonotonicReadsNeverGoesBackWhereReadsAreHedged(t *testing.T) {
	t.Parallel()
	onClusters(t, func(t *testing.T, s *stage) {
		s.create("a")
		s.cluster.WaitCaughtUp(t)
		config := s.whole()
		config.Reads.HedgeAfter = time.Minute
		c := s.open(config)
		behind := s.cluster.Replicas[0]
		s.cluster.PauseReplay(t, behind)
		defer s.cluster.ResumeReplay(t, behind)
		s.db.Exec(t, "UPDATE counters SET value = 1 WHERE name = 'a'")
		s.cluster.WaitCaughtUp(t, s.cluster.Replicas[1])
		for range 10 {
			ctx := dbfleet.WithSession(t.Context(), dbfleet.SessionOptions{MonotonicReads: true})
			before := int64(0)
			for range 4 {
				value, route := c.value(ctx, "a")
				require.GreaterOrEqual(t, value, before, route)
				before = value
			}
		}
	})
}

// hazard: of two servers behind one name one has what was written, and connections to both
// are in the pool. What was found out on one connection says nothing of another.
func TestSession_FindsItsWritesWhicheverServerIsBehindAName(t *testing.T) {
	t.Parallel()
	onClusters(t, func(t *testing.T, s *stage) {
		s.create("a")
		s.cluster.WaitCaughtUp(t)
		current, behind := s.cluster.Replicas[0], s.cluster.Replicas[1]
		for name, hedge := range map[string]time.Duration{"plain": 0, "hedged": time.Minute} {
			proxy := dbtest.NewProxy(t, current.Addr())
			config := s.config(s.cluster.Primary.Addr(), proxy.Addr())
			config.Reads.HedgeAfter = hedge
			config.Reads.MinWait, config.Reads.MaxWait = soon, soon // nobody is down here, however busy the machine is
			c := s.open(config)
			raw := func(ctx context.Context) (value int64, err error) {
				err = c.DB("main").Read().QueryRowContext(ctx, "SELECT value FROM counters WHERE name = 'a'").Scan(&value)
				return value, err
			}
			// One connection to each of them. The one that is asked is current.
			_, err := raw(t.Context())
			require.NoError(t, err)
			rows, err := c.DB("main").Read().QueryContext(t.Context(), "SELECT 1")
			require.NoError(t, err)
			proxy.Retarget(behind.Addr())
			_, err = raw(t.Context())
			require.NoError(t, err)
			require.NoError(t, rows.Close())

			s.cluster.PauseReplay(t, behind)
			ctx := dbfleet.WithSession(t.Context())
			value, _ := c.value(t.Context(), "a")
			c.set(ctx, "a", value+1)
			s.cluster.WaitCaughtUp(t, current)
			var group sync.WaitGroup
			for range 4 {
				group.Go(func() {
					for range 100 {
						got, err := raw(ctx)
						require.NoError(t, err, name)
						require.GreaterOrEqual(t, got, value+1, name)
						got, route, err := c.read(ctx, "a")
						require.NoError(t, err, name)
						require.GreaterOrEqual(t, got, value+1, "%s, %s", name, route)
					}
				})
			}
			group.Wait()
			s.cluster.ResumeReplay(t, behind)
			s.cluster.WaitCaughtUp(t)
		}
	})
}
