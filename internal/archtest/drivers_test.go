package archtest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// hazard 357: the drivers are those in which known holes are closed.
func TestHazard_DriversAreNewEnough(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(moduleRoot(t), "go.mod"))
	require.NoError(t, err)
	for module, least := range map[string][3]int{
		"github.com/jackc/pgx/v5":        {5, 12, 0},
		"github.com/go-sql-driver/mysql": {1, 10, 1},
		"modernc.org/sqlite":             {1, 61, 1},
	} {
		_, rest, ok := strings.Cut(string(text), module+" v")
		require.True(t, ok, module)
		var version [3]int
		_, err := fmt.Sscanf(rest, "%d.%d.%d", &version[0], &version[1], &version[2])
		require.NoError(t, err)
		require.GreaterOrEqual(t, slices.Compare(version[:], least[:]), 0, "%s %v", module, version)
	}
}
