package sessions

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
)

// hazard: two reads at two replicas, the second of which is behind.
func TestSession_WithMonotonicReadsNeverGoesBack(t *testing.T) {
	t.Parallel()
	onClusters(t, func(t *testing.T, s *stage) {
		s.create("a")
		s.cluster.WaitCaughtUp(t)
		c := s.open(s.whole())
		s.cluster.PauseReplay(t, s.cluster.Replicas[1])
		c.set(t.Context(), "a", 1)
		s.cluster.WaitCaughtUp(t, s.cluster.Replicas[0])
		seen := map[int64]bool{}
		for range 20 {
			is, _ := c.value(t.Context(), "a")
			seen[is] = true
		}
		require.Len(t, seen, 2, "without a session the two replicas differ")
		for range 20 {
			ctx := dbfleet.WithSession(t.Context(), dbfleet.SessionOptions{MonotonicReads: true})
			last := int64(0)
			for range 10 {
				is, route := c.value(ctx, "a")
				require.GreaterOrEqual(t, is, last, "at %s", route)
				last = is
				elsewhere, err := c.ContinueSession(t.Context(), c.token(ctx), dbfleet.SessionOptions{MonotonicReads: true})
				require.NoError(t, err)
				is, route = c.value(elsewhere, "a")
				require.GreaterOrEqual(t, is, last, "of its token, at %s", route)
			}
		}
		s.release()
	})
}

func TestSession_WithMonotonicReadsLeavesAReplicaThatIsGone(t *testing.T) {
	t.Parallel()
	onClusters(t, func(t *testing.T, s *stage) {
		s.create("a")
		s.cluster.WaitCaughtUp(t)
		c := s.open(s.whole())
		ctx := dbfleet.WithSession(t.Context(), dbfleet.SessionOptions{MonotonicReads: true})
		_, first := c.value(ctx, "a")
		for range 5 {
			_, route := c.value(ctx, "a")
			require.Equal(t, first.Node, route.Node, "it stays")
		}
		gone, other := s.cluster.Replicas[0], s.cluster.Replicas[1]
		if first.Node == "main/replica-2" {
			gone, other = other, gone
		}
		s.cluster.PauseReplay(t, other)
		c.set(t.Context(), "a", 1)
		s.cluster.WaitCaughtUp(t, gone)
		is, route := c.value(ctx, "a")
		require.EqualValues(t, 1, is, "at %s", route)
		gone.Kill(t)
		is, route = c.value(ctx, "a")
		require.EqualValues(t, 1, is, "the other has not got it: %s", route)
		s.cluster.ResumeReplay(t, other)
		s.cluster.WaitCaughtUp(t, other)
		is, _ = c.value(ctx, "a")
		require.EqualValues(t, 1, is)
	})
}

func TestSession_FirstReadFromPrimary(t *testing.T) {
	t.Parallel()
	onClusters(t, func(t *testing.T, s *stage) {
		s.create("a")
		s.cluster.WaitCaughtUp(t)
		c := s.open(s.whole())
		s.hold()
		c.set(t.Context(), "a", 1)
		ctx := dbfleet.WithSession(t.Context(), dbfleet.SessionOptions{FirstReadFromPrimary: true})
		for range 3 {
			is, route := c.value(ctx, "a")
			require.EqualValues(t, 1, is, "at %s", route)
		}
		s.release()
		require.Eventually(t, func() bool {
			is, route := c.value(ctx, "a")
			return is == 1 && route.Role == dbfleet.RoleReplica
		}, soon, often)
	})
}

// promise: reads of one session never go back while everything is written, in a pool of
// replicas that are behind now and then.
func TestSession_WithMonotonicReadsUnderWrites(t *testing.T) {
	t.Parallel()
	rounds := 3
	if torture {
		rounds = 60
	}
	onClusters(t, func(t *testing.T, s *stage) {
		s.create("a")
		s.cluster.WaitCaughtUp(t)
		c := s.open(s.whole())
		writing, stop := context.WithCancel(t.Context())
		var group sync.WaitGroup
		group.Go(func() {
			for value := int64(1); writing.Err() == nil; value++ {
				if _, err := c.counters.Where("name", "=", "a").Update(t.Context(), dbfleet.Row{"value": value}); err != nil {
					t.Errorf("write: %v", err)
					return
				}
			}
		})
		defer group.Wait()
		defer stop()
		for i := range rounds {
			replica := s.cluster.Replicas[i%2]
			s.cluster.PauseReplay(t, replica)
			for range 10 {
				ctx := dbfleet.WithSession(t.Context(), dbfleet.SessionOptions{MonotonicReads: true})
				last := int64(0)
				for range 30 {
					is, route := c.value(ctx, "a")
					require.GreaterOrEqual(t, is, last, "at %s", route)
					last = is
				}
			}
			s.cluster.ResumeReplay(t, replica)
		}
	})
}
