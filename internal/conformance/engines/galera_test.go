package engines

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// inGalera is a cluster of three nodes and a program for each.
func inGalera(t *testing.T) (*dbtest.Galera, dbtest.Database, []*program) {
	t.Helper()
	g := dbtest.StartGalera(t, 3)
	db := g.Database(t)
	createAccounts(t, db)
	g.WaitCaughtUp(t)
	var programs []*program
	for _, s := range g.Nodes {
		programs = append(programs, newProgram(t, db.On(s)))
	}
	return g, db, programs
}

// Under DBFLEET_TORTURE nodes go in many ways while the others are written to: none has
// another history in the end.
func TestGalera_EachNodeIsWrittenToAndRead(t *testing.T) {
	t.Parallel()
	g, db, programs := inGalera(t)
	var accounts []conformance.Account
	for i, p := range programs {
		require.Equal(t, g.Nodes[i].Port, p.port(t))
		accounts = append(accounts, p.create(t, fmt.Sprint(i)))
	}
	g.WaitCaughtUp(t)
	for _, p := range programs {
		for _, a := range accounts {
			p.finds(t, a)
		}
	}

	// A node that rejects says so, and serves again with the connections that it has.
	g.Reject(t, g.Nodes[1])
	_, err := programs[1].accounts.First(t.Context())
	require.ErrorContains(t, err, "1047")
	_, err = programs[1].try(t.Context(), "rejected")
	require.ErrorContains(t, err, "1047")
	g.Accept(t, g.Nodes[1])
	programs[1].finds(t, accounts[0])

	g.Nodes[2].Kill(t)
	g.WaitSize(t, 2)
	left := programs[0].create(t, "left")
	_, err = programs[2].accounts.First(t.Context())
	require.ErrorIs(t, err, dbfleet.ErrConnection)
	g.Nodes[2].Start(t)
	g.WaitCaughtUp(t)
	programs[2].finds(t, left)
	require.Equal(t, []string{"0", "1", "2", "left"}, conformance.Owners(t, db.On(g.Nodes[2])))

	n := 4
	for i := range rounds(0, 40) {
		which := i % 3
		s, back := g.Nodes[which], func() {}
		switch i % 4 {
		case 0:
			s.Kill(t)
			back = func() { s.Start(t) }
			g.WaitSize(t, 2)
		case 1:
			s.Stop(t)
			back = func() { s.Start(t) }
			g.WaitSize(t, 2)
		case 2:
			g.Isolate(t, s)
			back = func() { g.Join(t, s) }
		case 3:
			g.Desync(t, s)
			back = func() { g.Sync(t, s) }
		}
		for j := range 2 {
			p := programs[(which+1+j)%3]
			p.create(t, fmt.Sprintf("%d-%d", i, j))
			n++
		}
		back()
		g.WaitSize(t, 3)
		g.WaitCaughtUp(t)
	}
	for _, s := range g.Nodes {
		require.Len(t, conformance.Owners(t, db.On(s)), n)
	}
}
