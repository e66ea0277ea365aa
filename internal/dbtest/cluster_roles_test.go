package dbtest

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// table makes a table on a fresh database that all servers of the cluster have.
func table(t *testing.T, c *Cluster) Database {
	t.Helper()
	db := c.Database(t)
	db.Exec(t, "CREATE TABLE a (id INTEGER)")
	c.WaitCaughtUp(t)
	return db
}

func insert(t *testing.T, db Database, id int) {
	t.Helper()
	db.Exec(t, "INSERT INTO a VALUES ("+strconv.Itoa(id)+")")
}

func refusesWrites(t *testing.T, db Database) {
	t.Helper()
	_, err := db.SQL(t).Exec("INSERT INTO a VALUES (0)")
	code := map[string]string{"postgres": "25006", "mysql": "1290"}[db.Dialect]
	require.ErrorContains(t, err, code)
}

func TestCluster_FailsOverAndTakesTheOldPrimaryBack(t *testing.T) {
	t.Parallel()
	eachCluster(t, 2, func(t *testing.T, c *Cluster) {
		db := table(t, c)
		old, next, other := c.Primary, c.Replicas[0], c.Replicas[1]
		old.Kill(t)
		c.Failover(t, next)
		require.Same(t, next, c.Primary)
		require.Equal(t, []*Server{other}, c.Replicas)
		insert(t, db.On(next), 1)
		c.WaitCaughtUp(t)
		require.Equal(t, 1, count(t, db.On(other)))

		old.Start(t) // it does not know
		insert(t, db.On(old), 2)
		insert(t, db.On(old), 3)
		require.Equal(t, 2, count(t, db.On(old)))
		c.Rejoin(t, old)
		c.WaitCaughtUp(t)
		require.Equal(t, 1, count(t, db.On(old)))
		refusesWrites(t, db.On(old))
		insert(t, db.On(next), 4)
		c.WaitCaughtUp(t, old, other)

		next.Restart(t)
		insert(t, db.On(next), 5)
		old.Restart(t)
		refusesWrites(t, db.On(old))
		c.WaitCaughtUp(t, old, other)
		require.Equal(t, 3, count(t, db.On(old)))
	})
}

func TestCluster_SwitchesOverWithAllThatWasCommitted(t *testing.T) {
	t.Parallel()
	eachCluster(t, 2, func(t *testing.T, c *Cluster) {
		db := table(t, c)
		first, second := c.Primary, c.Replicas[0]
		insert(t, db, 1)
		c.Switchover(t, second)
		require.Same(t, second, c.Primary)
		require.Contains(t, c.Replicas, first)
		require.Equal(t, 1, count(t, db.On(second)))
		refusesWrites(t, db.On(first))
		insert(t, db.On(second), 2)
		c.WaitCaughtUp(t)

		c.Switchover(t, first)
		insert(t, db.On(first), 3)
		c.WaitCaughtUp(t)
		for _, s := range c.Servers() {
			require.Equal(t, 3, count(t, db.On(s)))
		}
	})
}

func TestCluster_FencedPrimaryRefusesWritesAndServesReads(t *testing.T) {
	t.Parallel()
	eachCluster(t, 1, func(t *testing.T, c *Cluster) {
		db := table(t, c)
		insert(t, db, 1)
		c.Fence(t, c.Primary)
		refusesWrites(t, db)
		require.Equal(t, 1, count(t, db))
		c.Promote(t, c.Primary)
		insert(t, db, 2)
		c.WaitCaughtUp(t)
		require.Equal(t, 2, count(t, db.On(c.Replicas[0])))
	})
}

func TestCluster_CutReplicationLeavesBothServing(t *testing.T) {
	t.Parallel()
	eachCluster(t, 2, func(t *testing.T, c *Cluster) {
		db := table(t, c)
		cut, other := c.Replicas[0], c.Replicas[1]
		c.CutReplication(t, cut)
		insert(t, db, 1)
		c.WaitCaughtUp(t, other)
		require.Equal(t, 0, count(t, db.On(cut)))
		c.HealReplication(t, cut)
		c.WaitCaughtUp(t, cut)
		require.Equal(t, 1, count(t, db.On(cut)))
	})
}

func TestCluster_ReachesEachServerThroughAProxyOfItsOwn(t *testing.T) {
	t.Parallel()
	eachCluster(t, 1, func(t *testing.T, c *Cluster) {
		db := table(t, c)
		proxies := c.Proxies(t)
		require.Len(t, proxies, 2)
		replica := c.Replicas[0]
		proxies[c.Primary].Refuse()
		require.Error(t, proxies[c.Primary].Through(db).SQL(t).Ping())
		insert(t, db, 1)
		c.WaitCaughtUp(t)
		require.Equal(t, 1, count(t, proxies[replica].Through(db.On(replica))))
	})
}

func TestCluster_ConflictEndsWhatReadsOnAStandby(t *testing.T) {
	t.Parallel()
	c := PostgresCluster(t, 1)
	db := table(t, c)
	standby := c.Replicas[0]
	reading := make(chan error, 1)
	pool := db.On(standby).SQL(t)
	go func() {
		_, err := pool.Exec("SELECT pg_sleep(60) FROM (SELECT count(*) FROM a) AS a")
		reading <- err
	}()
	require.Eventually(t, func() bool { return db.On(standby).Connections(t) > 0 && sleeping(t, standby) }, 20*time.Second, 10*time.Millisecond)
	c.Conflict(t, standby, db)
	require.ErrorContains(t, <-reading, "40001")
}

func sleeping(t *testing.T, s *Server) (asleep bool) {
	t.Helper()
	require.NoError(t, queryRow(s.Admin(), []any{&asleep}, "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep')"))
	return asleep
}
