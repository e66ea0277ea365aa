package engines

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// underPatroni is a cluster of n servers, and an HAProxy that leads to whoever leads.
func underPatroni(t *testing.T, n int) (*dbtest.Patroni, *dbtest.HAProxy, dbtest.Database) {
	t.Helper()
	cluster := dbtest.StartPatroni(t, n)
	h := dbtest.StartHAProxy(t, dbtest.HAProxyConfig{Backends: cluster.Backends(), Check: "/primary"})
	db := cluster.Database(t)
	createAccounts(t, db)
	cluster.WaitCaughtUp(t)
	return cluster, h, db
}

// written waits until the program has written an account, also if the answer was lost.
func (p *program) written(t *testing.T, owner string) {
	t.Helper()
	require.Eventually(t, func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_, err := p.try(ctx, owner)
		return err == nil || errors.Is(err, dbfleet.ErrUnique)
	}, time.Minute, 50*time.Millisecond)
}

func (p *program) reads(ctx context.Context, owner string) bool {
	n, err := p.accounts.Where("owner", "=", owner).Count(ctx)
	return err == nil && n == 1
}

// Under DBFLEET_TORTURE leaders go in other ways as well, again and again.
func TestPatroni_ProgramsGoOnAtWhoeverLeads(t *testing.T) {
	t.Parallel()
	cluster, h, db := underPatroni(t, 2)
	leader := cluster.Leader(t)
	standby := other(cluster, leader)
	p := newProgram(t, h.Through(db), func(c *dbfleet.ConnectionConfig) {
		c.ReadHosts = []string{standby.Addr()}
		steady(c)
	})
	p.written(t, "ann")
	require.Equal(t, leader.Port, p.port(t))
	cluster.WaitCaughtUp(t)
	require.True(t, p.reads(t.Context(), "ann"))
	var port int
	require.NoError(t, p.DB("main").Read().QueryRowContext(t.Context(), "SELECT inet_server_port()").Scan(&port))
	require.Equal(t, standby.Port, port)

	cluster.Switchover(t, standby)
	p.written(t, "bob")
	require.Equal(t, standby.Port, p.port(t))

	rounds := rounds(0, 20)
	for i := range rounds {
		p.written(t, fmt.Sprintf("before %d", i))
		cluster.WaitCaughtUp(t)
		old := cluster.Leader(t)
		back := old.Start
		switch i % 3 {
		case 0:
			old.Kill(t)
		case 1:
			old.Pause(t)
			back = old.Resume
		case 2:
			old.Stop(t)
		}
		cluster.WaitLeader(t, old)
		p.written(t, fmt.Sprintf("after %d", i))
		back(t)
		cluster.WaitStandby(t, old)
	}
	require.Len(t, conformance.Owners(t, db.On(cluster.Leader(t))), 2+2*rounds)
}

func other(cluster *dbtest.Patroni, s *dbtest.Server) *dbtest.Server {
	for _, node := range cluster.Nodes {
		if node != s {
			return node
		}
	}
	return nil
}
