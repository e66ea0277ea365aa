package archtest

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// drivers are the build tags that leave a driver out, with the module that is
// then not linked.
var drivers = []struct{ tag, module string }{
	{"dbfleet_no_sqlite", "modernc.org/sqlite"},
	{"dbfleet_no_postgres", "github.com/jackc/pgx"},
	{"dbfleet_no_mysql", "github.com/go-sql-driver/mysql"},
}

// That each set compiles, with its tests, make vet-without tells.
func TestBuildTags_EachLeavesItsDriverOut(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("no go command")
	}
	// Each subset of the drivers that are left in, but the empty one.
	for out := range 1<<len(drivers) - 1 {
		var tags []string
		for i, d := range drivers {
			if out&(1<<i) != 0 {
				tags = append(tags, d.tag)
			}
		}
		name := strings.Join(tags, ",")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			deps := strings.Fields(gocmd(t, "list", "-deps", "-tags", name, "."))
			for i, d := range drivers {
				linked := false
				for _, dep := range deps {
					linked = linked || dep == d.module || strings.HasPrefix(dep, d.module+"/")
				}
				require.Equal(t, out&(1<<i) == 0, linked, "%s is linked: %v", d.module, linked)
			}
		})
	}
}

// gocmd runs the go command in the module's root and returns what it printed.
func gocmd(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = moduleRoot(t)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, "go %s:\n%s", strings.Join(args, " "), stderr.String())
	return string(out)
}
