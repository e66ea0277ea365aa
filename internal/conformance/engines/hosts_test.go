package engines

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// hosts configures a connection to whichever of some servers is the primary.
func hosts(servers []*dbtest.Server) func(c *dbfleet.ConnectionConfig) {
	return func(c *dbfleet.ConnectionConfig) {
		c.Host, c.Port = "", 0
		steady(c)
		for _, s := range servers {
			c.Hosts = append(c.Hosts, s.Addr())
		}
	}
}

// A cluster of three that all take writes is one connection: one of them is written to,
// and another when that is gone.
func TestHosts_ThreeNodesOfGaleraAreOneConnection(t *testing.T) {
	t.Parallel()
	g := dbtest.StartGalera(t, 3)
	db := g.Database(t)
	createAccounts(t, db)
	g.WaitCaughtUp(t)
	p := newProgram(t, db, hosts(g.Nodes))
	for i := range 20 {
		p.create(t, fmt.Sprint("before ", i))
	}
	first := p.port(t)
	var left []*dbtest.Server
	for _, s := range g.Nodes {
		if s.Port == first {
			s.Kill(t)
		} else {
			left = append(left, s)
		}
	}
	p.written(t, "after")
	require.NotEqual(t, first, p.port(t))
	for i := range 20 {
		p.create(t, fmt.Sprint("later ", i))
	}
	g.WaitCaughtUp(t, left...)
	for _, s := range left {
		require.Len(t, conformance.Owners(t, db.On(s)), 41)
	}
}

// Under Patroni the leader is found by its role, without anything in front.
func TestHosts_WhoeverLeadsUnderPatroniIsFound(t *testing.T) {
	t.Parallel()
	cluster := dbtest.StartPatroni(t, 2)
	db := cluster.Database(t)
	createAccounts(t, db)
	cluster.WaitCaughtUp(t)
	p := newProgram(t, db, hosts(cluster.Nodes))
	p.create(t, "first")
	leader := cluster.Leader(t)
	require.Equal(t, leader.Port, p.port(t))
	cluster.WaitCaughtUp(t)

	leader.Kill(t)
	p.written(t, "after the death")
	next := cluster.WaitLeader(t, leader)
	require.Equal(t, next.Port, p.port(t))
	require.ElementsMatch(t, []string{"first", "after the death"}, conformance.Owners(t, db.On(next)))
}
