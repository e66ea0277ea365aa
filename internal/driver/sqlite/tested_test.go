//go:build !dbfleet_no_sqlite

package sqlite

import (
	"os"
	"regexp"
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"
	sqlite3 "modernc.org/sqlite/lib"
)

// If this fails after an upgrade of the driver, the driver is left alone. See
// tested.go for what to do.
func TestTested_KnowsTheVersionInUse(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../go.mod")
	require.NoError(t, err)
	m := regexp.MustCompile(`(?m)^\s*modernc\.org/sqlite (\S+)`).FindSubmatch(text)
	require.Len(t, m, 2)
	require.Contains(t, testedModules, string(m[1]))
	require.Contains(t, testedLibraries, sqlite3.SQLITE_VERSION)
	require.Equal(t, inside, untested() == "")
	require.Equal(t, inside, Database.Fallback() == "")
}

func TestTested_LeavesOtherVersionsAlone(t *testing.T) {
	t.Parallel()
	library, version := testedLibraries[0], testedModules[0]
	known := &debug.Module{Path: driverModule, Version: version}
	require.Empty(t, untestedDriver(true, library, known))
	require.Empty(t, untestedDriver(true, library, nil), "a build that does not tell")
	require.Contains(t, untestedDriver(false, library, known), "dbfleet_plain_sqlite")
	require.Contains(t, untestedDriver(true, "9.9.9", nil), "9.9.9")
	require.Contains(t, untestedDriver(true, library, &debug.Module{Path: driverModule, Version: "v1.999.0"}), "v1.999.0")
	require.Contains(t, untestedDriver(true, library, &debug.Module{Path: driverModule, Version: version, Replace: &debug.Module{Path: "../fork"}}), "../fork")
}
