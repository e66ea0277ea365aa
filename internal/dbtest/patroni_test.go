package dbtest

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPatroni_FailsOverAndTakesTheOldLeaderBack(t *testing.T) {
	t.Parallel()
	needs(t, "patroni")
	p := StartPatroni(t, 2)
	db := p.Database(t)
	old := p.Leader(t)
	db.Exec(t, "CREATE TABLE a (id INTEGER)", "INSERT INTO a VALUES (1)")
	p.WaitCaughtUp(t)
	old.Kill(t)
	require.Error(t, old.answers())

	leader := p.WaitLeader(t, old)
	require.NotSame(t, old, leader)
	db.On(leader).Exec(t, "INSERT INTO a VALUES (2)")

	old.Start(t)
	p.WaitStandby(t, old)
	p.WaitCaughtUp(t)
	require.Equal(t, 2, count(t, db.On(old)))
	require.Same(t, leader, p.Leader(t))

	p.Switchover(t, old)
	db.On(old).Exec(t, "INSERT INTO a VALUES (3)")
	p.WaitStandby(t, leader)
	p.WaitCaughtUp(t)
	require.Equal(t, 3, count(t, db.On(leader)))
	_, err := db.On(leader).SQL(t).Exec("INSERT INTO a VALUES (4)")
	require.ErrorContains(t, err, "25006")
}
