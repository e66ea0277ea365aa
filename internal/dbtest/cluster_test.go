package dbtest

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func eachCluster(t *testing.T, replicas int, f func(t *testing.T, c *Cluster)) {
	t.Run("postgres", func(t *testing.T) { t.Parallel(); f(t, PostgresCluster(t, replicas)) })
	t.Run("mysql", func(t *testing.T) { t.Parallel(); f(t, MariaDBCluster(t, replicas)) })
}

func TestCluster_ReplicasFollowAndCanBeHeld(t *testing.T) {
	t.Parallel()
	eachCluster(t, 2, func(t *testing.T, c *Cluster) {
		require.Len(t, c.Replicas, 2)
		held, other := c.Replicas[0], c.Replicas[1]
		db := c.Database(t)
		db.Exec(t, "CREATE TABLE a (id INTEGER)")
		c.WaitCaughtUp(t)

		c.PauseReplay(t, held)
		db.Exec(t, "INSERT INTO a VALUES (1)")
		c.WaitCaughtUp(t, other)
		require.Equal(t, 1, count(t, db.On(other)))
		require.Equal(t, 0, count(t, db.On(held)))

		c.ResumeReplay(t, held)
		c.WaitCaughtUp(t)
		require.Equal(t, 1, count(t, db.On(held)))

		_, err := db.On(other).SQL(t).Exec("INSERT INTO a VALUES (2)")
		require.Error(t, err, "a replica takes no writes")
	})
}

func TestCluster_ReplicasFollowAgainAfterCrashes(t *testing.T) {
	t.Parallel()
	eachCluster(t, 1, func(t *testing.T, c *Cluster) {
		db := c.Database(t)
		db.Exec(t, "CREATE TABLE a (id INTEGER)", "INSERT INTO a VALUES (1)")
		c.WaitCaughtUp(t)
		c.Replicas[0].Kill(t)
		db.Exec(t, "INSERT INTO a VALUES (2)")
		c.Replicas[0].Start(t)
		c.WaitCaughtUp(t)
		require.Equal(t, 2, count(t, db.On(c.Replicas[0])))

		c.Primary.Kill(t)
		require.Equal(t, 2, count(t, db.On(c.Replicas[0])))
		c.Primary.Start(t)
		db.Exec(t, "INSERT INTO a VALUES (3)")
		c.WaitCaughtUp(t)
		require.Equal(t, 3, count(t, db.On(c.Replicas[0])))
	})
}

func TestCluster_PromotedReplicaTakesWrites(t *testing.T) {
	t.Parallel()
	eachCluster(t, 1, func(t *testing.T, c *Cluster) {
		db := c.Database(t)
		db.Exec(t, "CREATE TABLE a (id INTEGER)")
		c.WaitCaughtUp(t)
		c.Primary.Stop(t)
		c.Promote(t, c.Replicas[0])
		db.On(c.Replicas[0]).Exec(t, "INSERT INTO a VALUES (1)")
		require.Equal(t, 1, count(t, db.On(c.Replicas[0])))
	})
}
