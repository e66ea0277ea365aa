package dbtest

import (
	"slices"
	"strings"
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

func TestAvailable_EnginesGoWithTheirDialects(t *testing.T) { // not parallel: it sets the environment
	for _, dialects := range []string{"sqlite", "sqlite,mysql", "sqlite,postgres"} {
		t.Setenv(dialectsEnv, dialects)
		for engine, beside := range besides {
			wanted := slices.ContainsFunc(beside.dialects, func(d string) bool { return strings.Contains(dialects, d) })
			require.Equal(t, wanted, selected(engine), "%s with %s", engine, dialects)
			if !wanted {
				var unwanted *unwantedError
				require.ErrorAs(t, available(engine), &unwanted)
			}
		}
	}
}

func TestStart_SkipsOrFailsWithoutTheEngine(t *testing.T) { // not parallel: it sets the environment
	t.Setenv(dialectsEnv, "sqlite")
	for engine, start := range map[string]func(t testing.TB){
		"haproxy":   func(t testing.TB) { StartHAProxy(t, HAProxyConfig{}) },
		"pgbouncer": func(t testing.TB) { StartPgBouncer(t, nil, PgBouncerConfig{}) },
		"patroni":   func(t testing.TB) { StartPatroni(t, 1) },
		"galera":    func(t testing.TB) { StartGalera(t, 1) },
	} {
		t.Cleanup(func() { delete(leftOut, engine) }) // Main is not to tell it
		t.Setenv(requireEnv, "postgres")
		r := record(t, start)
		require.Empty(t, r.errors)
		require.Len(t, r.skips, 1)
		t.Setenv(requireEnv, engine)
		r = record(t, start)
		require.Empty(t, r.skips)
		require.Contains(t, r.String(), engine)
	}
}
