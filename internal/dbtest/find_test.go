package dbtest

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNew_SkipsWhatIsNotSelected(t *testing.T) { // not parallel: it sets the environment
	t.Cleanup(func() { delete(leftOut, "mysql") }) // Main is not to tell it
	t.Setenv(requireEnv, "")
	t.Setenv(dialectsEnv, "sqlite, postgres")
	require.NoError(t, available("sqlite"))
	r := record(t, func(t testing.TB) { New(t, "mysql") })
	require.Empty(t, r.errors)
	require.Equal(t, []string{"dbtest: mysql is not among DBFLEET_TEST_DIALECTS=sqlite, postgres"}, r.skips)

	t.Setenv(requireEnv, "mysql")
	r = record(t, func(t testing.TB) { New(t, "mysql") })
	require.Len(t, r.errors, 1, "one that is required is not skipped")

	t.Setenv(dialectsEnv, "postgres")
	require.Error(t, available("sqlite"))
	t.Setenv(dialectsEnv, "")
	require.NoError(t, available("sqlite"), "none selected means all")
}
