package tenants

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
)

// Nodes tells all tenants' databases as one, and of none where it might be.
func TestTenants_NodesTellsTheirSums(t *testing.T) {
	t.Parallel()
	s := newEstate(t, dbfleet.TenantsConfig{MaxOpen: 7})
	node := func() dbfleet.NodeState {
		nodes := s.Nodes()
		require.Len(t, nodes, 1, "no tenant has had a replica")
		return nodes[0]
	}
	n := node()
	require.Equal(t, dbfleet.NodeState{Connection: "shops", Node: "shops", Role: dbfleet.RolePrimary, Driver: dbfleet.SQLite, Pool: n.Pool, Tenants: n.Tenants}, n)
	require.Zero(t, n.Tenants.Tenants)
	require.Equal(t, 7, n.Pool.MaxOpenConnections)
	acme, zeta := s.open(t, "acme"), s.open(t, "zeta")
	require.NoError(t, s.Transaction(acme, "shops", func(context.Context, *dbfleet.Tx) error {
		return s.Transaction(zeta, "shops", func(context.Context, *dbfleet.Tx) error {
			n = node()
			return nil
		})
	}))
	require.Equal(t, 2, n.Transactions)
	require.Equal(t, 2, n.Pool.InUse)
	require.Equal(t, 2, n.Tenants.Tenants)
	require.Zero(t, node().Transactions)
}

// A route tells the names under which it is counted, which are its own where no tenant has
// a database.
func TestTenants_ARouteTellsAsWhatItIsCounted(t *testing.T) {
	t.Parallel()
	s := newEstate(t, dbfleet.TenantsConfig{})
	require.NoError(t, s.Add("main", dbfleet.ConnectionConfig{Driver: dbfleet.SQLite, Database: ":memory:"}))
	ctx := s.open(t, "acme")
	for connection, want := range map[string]string{"shops": "shops", "shops/acme": "shops", "main": "main"} {
		var route dbfleet.Route
		_, err := s.DB(connection).ExecContext(dbfleet.WithRoute(ctx, &route), "SELECT 1")
		require.NoError(t, err)
		as, node := route.CountedAs()
		require.Equal(t, [2]string{want, want}, [2]string{as, node})
	}
}
