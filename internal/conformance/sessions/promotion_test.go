package sessions

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
)

// Right after a promotion a process may take the old primary for the primary still. A
// session that has written on the new one never reads there.
func TestSession_IsNotReadFromAPrimaryThatWas(t *testing.T) {
	t.Parallel()
	onClusters(t, func(t *testing.T, s *stage) {
		s.create("a")
		s.cluster.WaitCaughtUp(t)
		promoted, left := s.cluster.Replicas[0], s.cluster.Replicas[1]
		before := s.open(s.config(s.cluster.Primary.Addr(), left.Addr()))
		old := dbfleet.WithSession(t.Context())
		before.set(old, "a", 1)
		s.cluster.WaitCaughtUp(t)
		s.cluster.Promote(t, promoted)

		late := s.open(s.config(promoted.Addr(), left.Addr()))
		ctx := dbfleet.WithSession(t.Context())
		late.set(ctx, "a", 3)
		// The old one is written to as well, so that its numbers are beyond the new one's.
		for range 50 {
			s.db.Exec(t, "UPDATE counters SET value = 9 WHERE name = 'a'")
		}
		began := time.Now()
		is, route, err := before.read(before.continues(t.Context(), late.token(ctx)), "a")
		require.ErrorIs(t, err, dbfleet.ErrStale, "read %d at %s", is, route)
		require.ErrorContains(t, err, `connection "main"`)
		require.Less(t, time.Since(began), soon)

		// A session of before the promotion goes on with what the new primary has.
		went := late.continues(t.Context(), before.token(old))
		is, route = late.value(went, "a")
		require.EqualValues(t, 3, is, "at %s", route)
		late.set(went, "a", 4)
		is, route = late.value(went, "a")
		require.EqualValues(t, 4, is, "at %s", route)
		require.Equal(t, dbfleet.RolePrimary, route.Role, "the replica follows the old one: %s", route)
	})
}
