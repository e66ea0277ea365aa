package dbfleet

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/config"
)

// envVariables are the ends of all variables' names, sorted.
func envVariables() []string {
	var names []string
	for _, key := range configKeys {
		names = append(names, config.EnvSuffix(key.Name))
	}
	slices.Sort(names)
	return names
}

// withReadPool replaces a name that ends in "…" by those of the read pool.
func withReadPool(names []string) []string {
	var out []string
	for _, name := range names {
		if name != "READ_POOL_…" {
			out = append(out, name)
			continue
		}
		for _, pool := range names {
			if strings.HasPrefix(pool, "POOL_") {
				out = append(out, "READ_"+pool)
			}
		}
	}
	slices.Sort(out)
	return out
}

func TestReadme_ConfigurationTableHasEveryKey(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	_, section, found := strings.Cut(string(readme), "\n## Configuration\n")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n## ")
	variable := regexp.MustCompile("`([A-Z_]+…?)`")
	var names []string
	for line := range strings.Lines(section) {
		cells := strings.Split(line, " | ")
		if !strings.HasPrefix(line, "| `") || len(cells) != 3 {
			continue
		}
		for _, m := range variable.FindAllStringSubmatch(cells[1], -1) {
			names = append(names, m[1])
		}
	}
	require.Equal(t, envVariables(), withReadPool(names))
}

func TestConfigFromEnv_ItsCommentNamesEveryVariable(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "config_env.go", nil, parser.ParseComments)
	require.NoError(t, err)
	var doc string
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Name.Name == "ConfigFromEnv" {
			doc = f.Doc.Text()
		}
	}
	_, list, found := strings.Cut(doc, "The variables of a connection are ")
	require.True(t, found)
	list, _, found = strings.Cut(list, ";")
	require.True(t, found)
	list = strings.ReplaceAll(list, "the same with READ_POOL_", "READ_POOL_…")
	require.Equal(t, envVariables(), withReadPool(regexp.MustCompile(`[A-Z_]{3,}…?`).FindAllString(list, -1)))
}
