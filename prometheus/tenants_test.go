package dbfleetprometheus_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// shops is a registry with a SQLite file and its copy for each tenant.
func shops(t *testing.T, config dbfleet.TenantsConfig) *dbfleet.Registry {
	t.Helper()
	folder := t.TempDir()
	r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": {Driver: dbfleet.SQLite, Database: ":memory:"}})
	config.Driver = dbfleet.SQLite
	config.Connect = func(_ context.Context, tenant string) (dbfleet.ConnectionConfig, error) {
		file := filepath.Join(folder, tenant+".db")
		replica := file + "-copy"
		if err := os.WriteFile(replica, nil, 0o600); err != nil {
			return dbfleet.ConnectionConfig{}, err
		}
		return dbfleet.ConnectionConfig{Database: file, ReadHosts: []string{replica}, Pool: dbfleet.PoolConfig{AcquireTimeout: time.Minute}}, nil
	}
	require.NoError(t, r.AddTenants("shops", config))
	return r
}

func write(t *testing.T, r *dbfleet.Registry, tenant string) {
	t.Helper()
	_, err := r.DB("shops").ExecContext(dbfleet.WithTenant(t.Context(), tenant), "CREATE TABLE IF NOT EXISTS notes (id INTEGER)")
	require.NoError(t, err)
}

// Thousands of tenants come and go: there are as many series of all of them as of a few,
// their counters count on when a tenant is closed, and gauges are those of the open ones.
func TestCollector_TellsTenantsByTheNameOfTheirGroup(t *testing.T) {
	t.Parallel()
	r := shops(t, dbfleet.TenantsConfig{MaxTenants: 2, MaxOpen: 50})
	reg := register(t, r)
	require.Contains(t, gather(t, reg), "dbfleet_tenants{connection=shops}")
	var series int
	last := map[string]float64{}
	for i := range 30 {
		tenant := fmt.Sprint("t", i%10)
		write(t, r, tenant)
		ctx := dbfleet.WithTenant(t.Context(), tenant)
		_, err := r.DB("shops").ExecContext(ctx, "SELEC")
		require.Error(t, err)
		require.NoError(t, r.DB("shops").Read().QueryRowContext(ctx, "SELECT 1").Scan(new(int)))
		got := gather(t, reg)
		for name, value := range got {
			require.NotContains(t, name, tenant+" ")
			require.NotContains(t, name, tenant+"}")
			if counts := strings.Contains(name, "_total{") || strings.Contains(name, "_duration_"); counts {
				require.GreaterOrEqual(t, value, last[name], name)
			}
		}
		for name := range last {
			require.Contains(t, got, name)
		}
		if last = got; i == 0 {
			series = len(got)
		}
		require.Len(t, got, series)
		require.LessOrEqual(t, got["dbfleet_tenants{connection=shops}"], 2.0)
	}
	const primary, replicas = "connection=shops node=shops", "connection=shops node=shops/replicas"
	require.Equal(t, 60.0, last["dbfleet_query_duration_seconds{"+primary+" operation=exec role=primary shard=}"])
	require.Equal(t, 30.0, last["dbfleet_query_duration_seconds{"+replicas+" operation=query role=replica shard=}"])
	require.Equal(t, 30.0, last["dbfleet_query_errors_total{class=other "+primary+" operation=exec role=primary shard=}"])
	require.Equal(t, 2.0, last["dbfleet_tenants{connection=shops}"])
	require.Equal(t, 50.0, last["dbfleet_pool_max_connections{"+primary+" role=primary}"])
	require.NotContains(t, last, "dbfleet_replica_up{"+replicas+"}")

	require.NoError(t, r.Remove(t.Context(), "shops"))
	for name := range gather(t, reg) {
		require.NotContains(t, name, "shops")
	}
}

// What tenants' pools have counted stays when they are closed, and the wait for the
// connections that all share is among it.
func TestCollector_CountsWaitsOfTenantsThatAreClosed(t *testing.T) {
	t.Parallel()
	r := shops(t, dbfleet.TenantsConfig{MaxTenants: 1, MaxOpen: 1})
	reg := register(t, r)
	write(t, r, "acme")
	done := make(chan error, 1)
	require.NoError(t, r.Transaction(dbfleet.WithTenant(t.Context(), "acme"), "shops", func(context.Context, *dbfleet.Tx) error {
		go func() {
			_, err := r.DB("shops").ExecContext(dbfleet.WithTenant(t.Context(), "zeta"), "SELECT 1")
			done <- err
		}()
		require.Eventually(t, func() bool { return gather(t, reg)["dbfleet_tenants_waiting{connection=shops}"] == 1 }, time.Minute, time.Millisecond)
		got := gather(t, reg)
		require.Equal(t, 1.0, got["dbfleet_transactions{connection=shops node=shops}"])
		require.Equal(t, 1.0, got["dbfleet_pool_connections{connection=shops node=shops role=primary state=in_use}"])
		return nil
	}))
	require.NoError(t, <-done)
	const waits, waited = "dbfleet_pool_waits_total{connection=shops node=shops role=primary}", "dbfleet_pool_wait_seconds_total{connection=shops node=shops role=primary}"
	before := gather(t, reg)
	require.Equal(t, 1.0, before[waits])
	require.Positive(t, before[waited])
	for _, tenant := range []string{"acme", "zeta", "acme"} { // each closes the one before
		write(t, r, tenant)
		got := gather(t, reg)
		require.GreaterOrEqual(t, got[waits], before[waits])
		require.GreaterOrEqual(t, got[waited], before[waited])
		before = got
	}
	require.Zero(t, before["dbfleet_transactions{connection=shops node=shops}"])
	require.Equal(t, 1.0, before["dbfleet_pool_connections{connection=shops node=shops role=primary state=idle}"])
}
