package config

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDialect_KnowsAliasesInAnyCase(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"postgres": "postgres", "PostgreSQL": "postgres", "PG": "postgres", "MARIADB": "mysql", "SQLite3": "sqlite",
	} {
		d, ok := Dialect(name)
		require.True(t, ok, name)
		require.Equal(t, want, d.Name)
	}
	_, ok := Dialect("oracle")
	require.False(t, ok)
	require.ErrorContains(t, UnknownDriver("oracle"), `is "oracle", which is not a driver`)
	require.ErrorContains(t, UnknownDriver(""), "is missing")
}

func TestWellKnownPort_TellsTheDriver(t *testing.T) {
	t.Parallel()
	for driver, port := range map[string]int{"postgres": 5432, "mysql": 3306} {
		require.Equal(t, port, WellKnownPort(driver))
		require.Equal(t, driver, driverOfPort(port))
	}
	require.Zero(t, WellKnownPort("sqlite"))
	require.Empty(t, driverOfPort(0))
	require.Empty(t, driverOfPort(6432))
}
