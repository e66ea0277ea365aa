package dbfleetprometheus_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var metricLine = regexp.MustCompile(`(?m)^//\t(dbfleet_\w+) +(?:histogram|counter|gauge) +(.+)$`)

// documentedMetrics are the lines of the package's documentation: names, and labels
// with commas between them.
func documentedMetrics(t testing.TB) map[string]string {
	t.Helper()
	text, err := os.ReadFile("collector.go")
	require.NoError(t, err)
	out := map[string]string{}
	for _, m := range metricLine.FindAllStringSubmatch(string(text), -1) {
		out[m[1]] = strings.ReplaceAll(m[2], " ", "")
	}
	require.NotEmpty(t, out)
	return out
}
