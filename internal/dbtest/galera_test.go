package dbtest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestGalera_EachNodeTakesWritesAndComesBack(t *testing.T) {
	t.Parallel()
	needs(t, "galera")
	g := StartGalera(t, 3)
	db := g.Database(t)
	db.Exec(t, "CREATE TABLE a (id INTEGER PRIMARY KEY) ENGINE=InnoDB")
	for i, s := range g.Nodes {
		db.On(s).Exec(t, "INSERT INTO a VALUES ("+string(rune('1'+i))+")")
	}
	g.WaitCaughtUp(t)
	for _, s := range g.Nodes {
		require.Equal(t, 3, count(t, db.On(s)))
	}

	killed := g.Nodes[1]
	killed.Kill(t)
	g.WaitSize(t, 2)
	db.Exec(t, "INSERT INTO a VALUES (10)")
	killed.Start(t)
	g.WaitCaughtUp(t)
	require.Equal(t, 4, count(t, db.On(killed)))
	require.False(t, copied(t, g.Nodes[0]) || copied(t, g.Nodes[2]), "it took what it lacked, no copy")
}

func TestGalera_NodesThatDoNotServeSaySo(t *testing.T) {
	t.Parallel()
	needs(t, "galera")
	g := StartGalera(t, 3)
	db := g.Database(t)
	db.Exec(t, "CREATE TABLE a (id INTEGER PRIMARY KEY) ENGINE=InnoDB")
	g.WaitCaughtUp(t)
	s := g.Nodes[2]
	pool := db.On(s).SQL(t)

	g.Reject(t, s)
	_, err := pool.Exec("INSERT INTO a VALUES (1)")
	require.ErrorContains(t, err, "1047")
	g.Accept(t, s)
	require.Equal(t, 0, count(t, db.On(s)))

	g.Isolate(t, s)
	_, err = pool.Exec("INSERT INTO a VALUES (1)")
	require.ErrorContains(t, err, "1047")
	db.Exec(t, "INSERT INTO a VALUES (2)")
	g.Join(t, s)
	g.WaitCaughtUp(t)
	require.Equal(t, 1, count(t, db.On(s)))

	g.Desync(t, s)
	db.Exec(t, "INSERT INTO a VALUES (3)")
	g.WaitCaughtUp(t, g.Nodes[0], g.Nodes[1])
	require.Equal(t, 1, count(t, db.On(s)))
	g.Sync(t, s)
	g.WaitCaughtUp(t)
	require.Equal(t, 2, count(t, db.On(s)))
}

func TestGalera_ANodeWithoutDataTakesACopy(t *testing.T) {
	t.Parallel()
	needs(t, "galera")
	g := StartGalera(t, 2)
	db := g.Database(t)
	db.Exec(t, "CREATE TABLE a (id INTEGER PRIMARY KEY) ENGINE=InnoDB", "INSERT INTO a VALUES (1)")
	s := g.Nodes[1]
	s.Stop(t)
	g.Forget(t, s)
	s.Start(t)
	g.WaitSize(t, 2)
	require.Equal(t, 1, count(t, db.On(s)))
	require.True(t, copied(t, g.Nodes[0]))

	for _, s := range g.Nodes {
		s.Kill(t)
	}
	g.Bootstrap(t, s)
	g.Nodes[0].Start(t)
	g.WaitSize(t, 2)
	db.Exec(t, "INSERT INTO a VALUES (2)")
	g.WaitCaughtUp(t)
	require.Equal(t, 2, count(t, db.On(s)))
}

// copied says whether a node gave all it has to another.
func copied(t *testing.T, s *Server) bool {
	t.Helper()
	return strings.Contains(s.Log(t), "Flushing tables for SST")
}
