package sessions

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
)

// What sessions read right after their writes is spread over the replicas, as other reads
// are, and does not all go to the one that was waited for last.
func TestSession_SpreadsWhatItReadsAfterItsWrites(t *testing.T) {
	t.Parallel()
	onClusters(t, func(t *testing.T, s *stage) {
		s.create("a")
		s.cluster.WaitCaughtUp(t)
		c := s.open(s.whole())
		ctx := dbfleet.WithSession(t.Context(), dbfleet.SessionOptions{Wait: soon})
		served := map[string]int{}
		const times = 200
		for i := range int64(times) {
			began := time.Now()
			c.set(ctx, "a", i+1)
			late := time.Since(began) > 200*time.Millisecond // the position may not have come, which is waited for that long
			is, route := c.value(ctx, "a")
			require.Equal(t, i+1, is, "at %s", route)
			if !late || route.Role == dbfleet.RoleReplica {
				served[route.Node]++
			}
		}
		require.Zero(t, served["main"], served)
		require.Greater(t, served["main/replica-1"], times/5, served)
		require.Greater(t, served["main/replica-2"], times/5, served)
	})
}

// A replica that is behind is not waited for again and again; the other one is.
func TestSession_GoesOnWaitingForOthersWhenOneIsBehind(t *testing.T) {
	t.Parallel()
	onClusters(t, func(t *testing.T, s *stage) {
		s.create("a")
		s.cluster.WaitCaughtUp(t)
		c := s.open(s.whole())
		ctx := dbfleet.WithSession(t.Context(), dbfleet.SessionOptions{Wait: 500 * time.Millisecond})
		value := int64(0)
		serves := func(times int) map[string]int {
			served := map[string]int{}
			for range times {
				value++
				c.set(ctx, "a", value)
				is, route := c.value(ctx, "a")
				require.Equal(t, value, is, "at %s", route)
				served[route.Node]++
			}
			return served
		}
		behind, other := 0, "main/replica-2"
		if served := serves(20); served["main/replica-2"] > served["main/replica-1"] {
			behind, other = 1, "main/replica-1"
		}
		s.cluster.PauseReplay(t, s.cluster.Replicas[behind])
		const times = 200
		served := serves(times)
		s.cluster.ResumeReplay(t, s.cluster.Replicas[behind])
		require.Greater(t, served[other], times/2, served)
		require.Zero(t, served[fmt.Sprint("main/replica-", behind+1)], served)
	})
}
