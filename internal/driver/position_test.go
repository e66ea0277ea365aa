//go:build !dbfleet_no_postgres && !dbfleet_no_mysql && !dbfleet_no_sqlite

package driver

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dbtest"
	"github.com/dbfleet/dbfleet/internal/position"
)

// clusters runs f on a cluster of each database with that many replicas.
func clusters(t *testing.T, replicas int, f func(t *testing.T, c *dbtest.Cluster, db dbtest.Database)) {
	t.Helper()
	for name, start := range map[string]func(testing.TB, int, ...string) *dbtest.Cluster{"postgres": dbtest.PostgresCluster, "mysql": dbtest.MariaDBCluster} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := start(t, replicas)
			f(t, c, c.Database(t))
		})
	}
}

// guardOf are the options of sessions that read on a server.
func guardOf(db dbtest.Database, s *dbtest.Server) Options {
	o := optionsFor(db.On(s))
	o.ReadOnly = true
	return o
}

func positionOf(t testing.TB, c *Conn) position.Position {
	t.Helper()
	p, err := c.Position(t.Context())
	require.NoError(t, err)
	return p
}

func waitFor(t testing.TB, c *Conn, target position.Position, wait time.Duration) bool {
	t.Helper()
	reached, err := c.WaitFor(t.Context(), target, wait)
	require.NoError(t, err)
	return reached
}

// promise: a session reads its own writes on a replica
func TestWaitFor_WaitsUntilTheReplicaShowsTheWrite(t *testing.T) {
	t.Parallel()
	clusters(t, 1, func(t *testing.T, cluster *dbtest.Cluster, db dbtest.Database) {
		writer, reader := acquire(t, open(t, optionsFor(db))), acquire(t, open(t, guardOf(db, cluster.Replicas[0])))
		mustExec(t, writer, "CREATE TABLE t (id INT PRIMARY KEY)")
		for i := range 50 {
			mustExec(t, writer, ph(db, "INSERT INTO t VALUES ($1)"), int64(i))
			p := positionOf(t, writer)
			require.False(t, p.IsZero())
			require.True(t, waitFor(t, reader, p, 30*time.Second))
			require.Equal(t, int64(i+1), rowsOf(t, reader, "SELECT COUNT(*) FROM t")[0][0])
			require.True(t, waitFor(t, reader, p, 0), "looks once")
		}
		require.True(t, waitFor(t, writer, positionOf(t, writer), 0), "the writer's own server")
		require.True(t, waitFor(t, reader, position.Position{}, 0))
	})
}

func TestWaitFor_EndsWithTheWaitOrTheContext(t *testing.T) {
	t.Parallel()
	clusters(t, 1, func(t *testing.T, cluster *dbtest.Cluster, db dbtest.Database) {
		writer, reader := acquire(t, open(t, optionsFor(db))), acquire(t, open(t, guardOf(db, cluster.Replicas[0])))
		mustExec(t, writer, "CREATE TABLE t (id INT PRIMARY KEY)")
		require.True(t, waitFor(t, reader, positionOf(t, writer), 30*time.Second))
		cluster.PauseReplay(t, cluster.Replicas[0])
		mustExec(t, writer, "INSERT INTO t VALUES (1)")
		p := positionOf(t, writer)
		require.False(t, waitFor(t, reader, p, 0))
		start := time.Now()
		require.False(t, waitFor(t, reader, p, 200*time.Millisecond))
		require.GreaterOrEqual(t, time.Since(start), 200*time.Millisecond)
		require.Equal(t, int64(0), rowsOf(t, reader, "SELECT COUNT(*) FROM t")[0][0], "the reader is as it was")

		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err := reader.WaitFor(ctx, p, time.Minute)
		require.ErrorIs(t, err, context.DeadlineExceeded)

		done := make(chan bool, 1)
		waiting := acquire(t, open(t, guardOf(db, cluster.Replicas[0])))
		go func() {
			reached, err := waiting.WaitFor(context.Background(), p, time.Minute)
			done <- reached && err == nil
		}()
		cluster.ResumeReplay(t, cluster.Replicas[0])
		require.True(t, <-done)
		require.Equal(t, int64(1), rowsOf(t, waiting, "SELECT COUNT(*) FROM t")[0][0])
	})
}

// A server that takes writes itself never gets what it is waited for.
func TestWaitFor_EndsWhenTheReplicaIsPromoted(t *testing.T) {
	t.Parallel()
	clusters(t, 1, func(t *testing.T, cluster *dbtest.Cluster, db dbtest.Database) {
		replica := cluster.Replicas[0]
		writer, reader := acquire(t, open(t, optionsFor(db))), acquire(t, open(t, guardOf(db, replica)))
		mustExec(t, writer, "CREATE TABLE t (id INT PRIMARY KEY)")
		cluster.WaitCaughtUp(t)
		require.Equal(t, RoleStandby, reader.Role())
		require.Equal(t, RoleWritable, writer.Role())
		never := beyond(t, positionOf(t, writer))
		type answer struct {
			reached bool
			err     error
		}
		done := make(chan answer, 1)
		go func() {
			reached, err := reader.WaitFor(context.Background(), never, 10*time.Minute)
			done <- answer{reached, err}
		}()
		require.Eventually(t, func() bool { return reader.inner.gate.state.Load() != gateOpen }, 10*time.Second, time.Millisecond)
		cluster.Primary.Kill(t)
		cluster.Promote(t, replica)
		select {
		case a := <-done:
			require.NoError(t, a.err)
			require.False(t, a.reached)
		case <-time.After(time.Minute):
			require.Fail(t, "still waiting")
		}
		require.False(t, waitFor(t, reader, never, time.Hour), "at once")
		if db.Dialect == "postgres" {
			require.Equal(t, RoleWritable, reader.Role(), "the session has followed its server")
		}
	})
}

// beyond is a position that nobody writes, in the same history as p.
func beyond(t testing.TB, p position.Position) position.Position {
	if p.Timeline() > 0 {
		return position.WAL(p.Timeline(), 1<<50)
	}
	far, err := position.ParseMariaDB(p.Line() + "-1000000")
	require.NoError(t, err)
	require.Equal(t, position.Yes, far.Reached(p))
	return far
}

func TestPosition_IsBehindWhatIsNotYetOnDisk(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t, "postgres")
	o := optionsFor(db)
	o.Params = map[string]string{"synchronous_commit": "off"}
	c := acquire(t, open(t, o))
	mustExec(t, c, createT)
	for i := range 20 {
		mustExec(t, c, "INSERT INTO t VALUES ($1, 'a')", int64(i))
		flushed := rowsOf(t, c, "SELECT pg_current_wal_lsn()::text")[0][0].(string)
		p := positionOf(t, c)
		before, err := position.ParseWAL(p.Timeline(), flushed)
		require.NoError(t, err)
		require.Equal(t, position.Yes, p.Reached(before))
	}
}

func TestPosition_OfADatabaseWithoutOneIsNone(t *testing.T) {
	t.Parallel()
	c := acquire(t, open(t, optionsFor(dbtest.New(t, "sqlite"))))
	require.True(t, positionOf(t, c).IsZero())
	require.Equal(t, RoleUnknown, c.Role())
	_, err := c.WaitFor(t.Context(), position.WAL(1, 100), time.Second)
	require.True(t, Classify(err).NotSent)
	c.Release()
	_, err = c.Position(t.Context())
	require.ErrorIs(t, err, errReleased)
	_, err = c.WaitFor(t.Context(), position.WAL(1, 100), 0)
	require.ErrorIs(t, err, errReleased)
	require.Equal(t, RoleUnknown, c.Role())
}

func TestPosition_InAnAbortedTransactionIsAnError(t *testing.T) {
	t.Parallel()
	c := acquire(t, open(t, optionsFor(dbtest.New(t, "postgres"))))
	require.NoError(t, c.Begin(t.Context(), TxOptions{}))
	_, err := c.Exec(t.Context(), "SELECT 1/0", nil)
	require.Error(t, err)
	_, err = c.Position(t.Context())
	require.Error(t, err)
	require.NoError(t, c.Rollback(t.Context()))
	require.False(t, positionOf(t, c).IsZero())
}
