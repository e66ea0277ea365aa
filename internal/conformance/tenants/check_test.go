package tenants

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
)

func TestCheck_LooksInTheSchemaOfTheContextsTenant(t *testing.T) {
	t.Parallel()
	onOffices(t, func(t *testing.T, s office) {
		fine, err := s.Check(acme(t))
		require.NoError(t, err)
		for _, f := range fine {
			require.Equal(t, dbfleet.SeverityNotice, f.Severity, f.String())
		}
		_, err = s.DB("main").ExecContext(t.Context(), "ALTER TABLE "+s.prefix+"zeta.invoices DROP COLUMN total")
		require.NoError(t, err)
		fine, err = s.Check(acme(t))
		require.NoError(t, err)
		for _, f := range fine {
			require.Equal(t, dbfleet.SeverityNotice, f.Severity, f.String())
		}
		found, err := s.Check(zeta(t))
		require.NoError(t, err)
		told := false
		for _, f := range found {
			told = told || f.Severity == dbfleet.SeverityError && f.Table == s.prefix+"zeta.invoices" && f.Column == "total"
		}
		require.True(t, told, "%v", found)
		found, err = s.Check(dbfleet.WithTenant(t.Context(), "nobody"))
		require.NoError(t, err)
		require.NotEmpty(t, found)
		require.Contains(t, found[0].String(), s.prefix+"nobody.")
		_, err = s.Check(t.Context())
		require.ErrorIs(t, err, dbfleet.ErrNoTenant)
		require.ErrorContains(t, err, "invoices")
	})
}

func TestCheck_LooksInTheDatabaseOfTheContextsTenant(t *testing.T) {
	t.Parallel()
	s := newEstate(t, dbfleet.TenantsConfig{})
	ctx := s.open(t, "acme")
	_, err := s.notes.Query().Count(ctx)
	require.NoError(t, err)
	found, err := s.Check(ctx)
	require.NoError(t, err)
	require.Empty(t, found)
	found, err = s.Check(zeta(t))
	require.NoError(t, err)
	require.Len(t, found, 1)
	require.Equal(t, "shops/zeta", found[0].Connection)
	require.Equal(t, "notes", found[0].Table)
	_, err = s.Check(t.Context())
	require.ErrorIs(t, err, dbfleet.ErrNoTenant)
}

// Another connection and a tenant's database begin together only where that can be finished.
func TestTenants_NoAtomicOfSeveralConnections(t *testing.T) {
	t.Parallel()
	s := newEstate(t, dbfleet.TenantsConfig{})
	require.NoError(t, s.Add("main", dbfleet.ConnectionConfig{Driver: dbfleet.SQLite, Database: filepath.Join(t.TempDir(), "main.db")}))
	ctx := s.open(t, "acme")
	ran := false
	nothing := func(context.Context) error { ran = true; return nil }
	require.ErrorContains(t, s.Atomic(ctx, []string{"shops", "main"}, nothing), "takes part in no Atomic")
	require.ErrorContains(t, s.Atomic(ctx, []string{"shops/acme", "main"}, nothing), "takes part in no Atomic")
	require.ErrorContains(t, s.Atomic(ctx, []string{"shops/acme", "shops/zeta"}, nothing), "takes part in no Atomic")
	require.False(t, ran)
	err := s.Atomic(ctx, []string{"shops/zeta"}, nothing)
	require.ErrorIs(t, err, dbfleet.ErrOtherTenant)
	require.False(t, ran)
}

func TestTenants_NoMoreStayOpenThanAllowed(t *testing.T) {
	t.Parallel()
	s := newEstate(t, dbfleet.TenantsConfig{MaxTenants: 3})
	first := s.open(t, "first")
	for i := range 10 {
		s.open(t, fmt.Sprint("t", i))
		_, err := s.notes.Query().Get(first)
		require.NoError(t, err)
		require.LessOrEqual(t, s.stats(t).Tenants, 3)
	}
	require.EqualValues(t, 11, s.asked.Load(), "the one that is used stays")
}
