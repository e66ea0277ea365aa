//go:build !dbfleet_no_mysql

package mysql

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// The number of a connection says nothing on another server, or on one that has started
// again since.
func TestStopper_KnowsWhoseConnectionItIs(t *testing.T) {
	t.Parallel()
	now := time.Now()
	s := &stopper{server: "db1 3306 1", up: now.Add(-time.Hour)}
	for _, c := range []struct {
		name string
		thread
		kills bool
	}{
		{"its own", thread{7, "db1 3306 1", now.Add(-time.Minute)}, true},
		{"made in the second in which the server started", thread{7, "db1 3306 1", now.Add(-time.Hour)}, true},
		{"made before the server started", thread{7, "db1 3306 1", now.Add(-time.Hour - time.Second)}, false},
		{"of another server", thread{7, "db2 3306 2", now.Add(-time.Minute)}, false},
		{"of an unknown number", thread{0, "db1 3306 1", now.Add(-time.Minute)}, false},
	} {
		_, kills := s.thread(&conn{thread: c.thread})
		require.Equal(t, c.kills, kills, c.name)
	}
	_, kills := s.thread(struct{ session.Session }{})
	require.False(t, kills, "of another kind of database")
	left, err := s.Left(t.Context(), []session.Session{&conn{thread: thread{7, "db2 3306 2", now}}})
	require.NoError(t, err)
	require.Empty(t, left, "nothing is waited for that is not stopped")
	require.NoError(t, s.Stop(t.Context(), &conn{thread: thread{7, "db2 3306 2", now}}))
}
