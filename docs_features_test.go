package dbfleet_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	citedTest = regexp.MustCompile(`\[(Test\w+)\]\(([^)]+_test\.go)\)`)
	codeCell  = regexp.MustCompile("`([^`]+)`")
	codeName  = regexp.MustCompile(`[A-Za-z_]\w*`)
)

// The last two columns of docs/features.md are what is here: names that the package
// has, and tests that stand in the file that the link leads to.
func TestDocs_FeaturesNameWhatIsThere(t *testing.T) {
	t.Parallel()
	api, err := os.ReadFile("testdata/api.txt")
	require.NoError(t, err)
	names := map[string]bool{}
	for _, name := range codeName.FindAllString(string(api), -1) {
		names[name] = true
	}
	page, err := os.ReadFile("docs/features.md")
	require.NoError(t, err)
	rows := 0
	for line := range strings.Lines(string(page)) {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| feature ") {
			continue
		}
		rows++
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		require.Len(t, cells, 8, line)
		for _, code := range codeCell.FindAllStringSubmatch(cells[6], -1) {
			for _, name := range codeName.FindAllString(code[1], -1) {
				require.True(t, names[name], "there is no %s: %s", name, line)
			}
		}
		cited := citedTest.FindAllStringSubmatch(cells[7], -1)
		require.NotEmpty(t, cited, "no test is cited: %s", line)
		for _, c := range cited {
			text, err := os.ReadFile(filepath.Join("docs", c[2]))
			require.NoError(t, err)
			require.Contains(t, string(text), "func "+c[1]+"(", line)
		}
	}
	require.NotZero(t, rows)
}
