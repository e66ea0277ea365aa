package sessions

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// atASilentPrimary is a client whose primary can fall silent, which nobody finds out but who
// reads there, and each further question to which takes so long: also the first, if this
// machine was too busy to look at its answer.
func (s *stage) atASilentPrimary(question time.Duration) (*client, *dbtest.Proxy) {
	s.t.Helper()
	primary := dbtest.NewProxy(s.t, s.cluster.Primary.Addr())
	config := s.config(primary.Addr(), s.cluster.Replicas[0].Addr(), s.cluster.Replicas[1].Addr())
	config.ConnectTimeout, config.Reads.WhenPrimaryDown = time.Hour, true
	config.Reads.ProbeInterval, config.Reads.MinWait, config.Reads.MaxWait = time.Hour, 5*time.Second, question
	c := s.open(config)
	s.create("a")
	s.cluster.WaitCaughtUp(s.t)
	for range 20 { // it is known how long they take
		c.value(dbfleet.ReadPrimary(s.t.Context()), "a")
		c.value(s.t.Context(), "a")
	}
	return c, primary
}

// answered is what a read shows that does not wait longer for a silent primary.
func (c *client) answered(ctx context.Context, within time.Duration) int64 {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 2*within)
	type answer struct {
		value int64
		route dbfleet.Route
		err   error
	}
	over := make(chan answer, 1)
	go func() {
		defer cancel()
		var a answer
		a.value, a.route, a.err = c.read(ctx, "a")
		over <- a
	}()
	select {
	case a := <-over:
		require.NoError(c.t, a.err)
		require.Equal(c.t, dbfleet.RoleReplica, a.route.Role, "%v", a.route)
		return a.value
	case <-time.After(within):
		require.Fail(c.t, "it waits for the silent primary")
		return 0
	}
}

// Seen: what a session has the primary asked first was no read to whoever looks for silent
// nodes, and was not ended either.
func TestSession_DoesNotWaitForASilentPrimaryThatItAsksFirst(t *testing.T) {
	t.Parallel()
	onClusters(t, func(t *testing.T, s *stage) {
		there, primary := s.atASilentPrimary(10 * time.Second)
		here := s.open(s.whole())
		ctx := dbfleet.WithSession(t.Context())
		s.hold()
		defer s.release()
		here.set(ctx, "a", 1)
		ctx = there.continues(t.Context(), here.token(ctx))
		primary.Blackhole()
		require.Zero(t, there.answered(ctx, time.Minute), "it may be stale then")
	})
}

// Seen: each read of a session waited for the next question to a primary that was known to be
// silent.
func TestSession_DoesNotWaitForAPrimaryThatIsKnownToBeSilent(t *testing.T) {
	t.Parallel()
	onClusters(t, func(t *testing.T, s *stage) {
		const question = 2 * time.Minute
		c, primary := s.atASilentPrimary(question)
		wrote := dbfleet.WithSession(t.Context())
		s.hold()
		defer s.release()
		c.set(wrote, "a", 1)
		primary.Blackhole()
		c.answered(dbfleet.ReadPrimary(t.Context()), 3*question) // which finds it out
		require.Zero(t, c.answered(wrote, question/2), "it may be stale then")
		c.answered(dbfleet.WithSession(t.Context(), dbfleet.SessionOptions{FirstReadFromPrimary: true}), question/2)
	})
}
