package dbtest

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// eachOwnServer runs f on a server of its own of each kind.
func eachOwnServer(t *testing.T, f func(t *testing.T, s *Server)) {
	t.Run("postgres", func(t *testing.T) { t.Parallel(); f(t, StartPostgres(t)) })
	t.Run("mysql", func(t *testing.T) { t.Parallel(); f(t, StartMariaDB(t)) })
}

func count(t *testing.T, db Database) (n int) {
	t.Helper()
	require.NoError(t, queryRow(db.SQL(t), []any{&n}, "SELECT count(*) FROM a"))
	return n
}

func TestServer_KeepsWhatWasCommittedWhenKilled(t *testing.T) {
	t.Parallel()
	eachOwnServer(t, func(t *testing.T, s *Server) {
		db := s.Database(t)
		pool := db.SQL(t)
		db.Exec(t, "CREATE TABLE a (id INTEGER)")
		open, err := pool.Begin()
		require.NoError(t, err)
		_, err = open.Exec("INSERT INTO a VALUES (1)")
		require.NoError(t, err)
		db.Exec(t, "INSERT INTO a VALUES (2)")

		s.Kill(t)
		require.False(t, s.Running())
		require.Error(t, open.Commit())
		require.Error(t, pool.Ping())

		port := s.Port
		s.Start(t)
		require.True(t, s.Running())
		require.Equal(t, port, s.Port)
		require.Equal(t, 1, count(t, db))
	})
}

func TestServer_RestartsOnItsPort(t *testing.T) {
	t.Parallel()
	eachOwnServer(t, func(t *testing.T, s *Server) {
		db := s.Database(t)
		db.Exec(t, "CREATE TABLE a (id INTEGER)", "INSERT INTO a VALUES (1)")
		s.Stop(t)
		s.Stop(t) // a second time is nothing
		require.Error(t, db.SQL(t).Ping())
		s.Start(t)
		s.Restart(t)
		require.Equal(t, 1, count(t, db))
		require.NotEmpty(t, s.Log(t))
	})
}

func TestServer_PausedAnswersNobodyUntilResumed(t *testing.T) {
	t.Parallel()
	eachOwnServer(t, func(t *testing.T, s *Server) {
		db := s.Database(t)
		conn, err := db.SQL(t).Conn(t.Context())
		require.NoError(t, err)
		defer conn.Close()

		s.Pause(t)
		require.False(t, s.Running())
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		require.ErrorIs(t, db.SQL(t).PingContext(ctx), context.DeadlineExceeded)

		s.Resume(t)
		require.NoError(t, conn.PingContext(t.Context()))
	})
}

func TestServer_PausedCanBeKilledAndStopped(t *testing.T) {
	t.Parallel()
	eachOwnServer(t, func(t *testing.T, s *Server) {
		s.Pause(t)
		s.Kill(t)
		s.Start(t)
		s.Pause(t)
		s.Stop(t)
		s.Start(t)
		s.Exec(t, "SELECT 1")
		s.Pause(t) // and left so
	})
}

func TestServer_TakesSettings(t *testing.T) {
	t.Parallel()
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		s := StartPostgres(t, "max_connections=7")
		var got string
		require.NoError(t, queryRow(s.Admin(), []any{&got}, "SHOW max_connections"))
		require.Equal(t, "7", got)
	})
	t.Run("mysql", func(t *testing.T) {
		t.Parallel()
		s := StartMariaDB(t, "max-connections=12")
		var got int
		require.NoError(t, queryRow(s.Admin(), []any{&got}, "SELECT @@max_connections"))
		require.Equal(t, 12, got)
	})
}

func TestServer_SaysWhyItDoesNotStart(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(testing.TB, ...string) *Server{"postgres": StartPostgres, "mysql": StartMariaDB} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			needs(t, name)
			r := record(t, func(t testing.TB) { start(t, "no_such_setting=1") })
			require.Contains(t, strings.ReplaceAll(r.String(), "-", "_"), "no_such_setting")
		})
	}
}

func TestServer_TakesAnotherPortWhenItsOwnIsTaken(t *testing.T) {
	t.Parallel()
	eachOwnServer(t, func(t *testing.T, first *Server) {
		e := first.engine
		second, err := newServer(e, nil, fromTemplate(e))
		require.NoError(t, err)
		second.Port = first.Port
		second = own(t, second, nil)
		require.NotEqual(t, first.Port, second.Port)
		second.Exec(t, "SELECT 1")
	})
}
