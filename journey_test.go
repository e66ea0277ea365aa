package dbfleet

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The page names functions and types, each with its file: "`a` and `T.b` in `f.go`".
func TestJourney_NamesWhatIsThere(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("docs/journey.md")
	require.NoError(t, err)
	prose := regexp.MustCompile("(?s)```.*?```").ReplaceAllString(string(text), "")
	prose = strings.Join(strings.Fields(prose), " ")
	named := regexp.MustCompile("((?:`[A-Za-z.]+`(?:, | and | or )?)+) in `([a-z_/]+\\.go)`").FindAllStringSubmatch(prose, -1)
	require.Greater(t, len(named), 30, "the page was not understood")
	for _, m := range named {
		file := filepath.FromSlash(m[2])
		source, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, name := range regexp.MustCompile("`([A-Za-z.]+)`").FindAllStringSubmatch(m[1], -1) {
			require.Regexp(t, declaration(name[1]), string(source), "%s is not in %s", name[1], file)
		}
	}
}

// declaration matches the declaration of a function, a method (T.m) or a type.
func declaration(name string) *regexp.Regexp {
	typ, method, isMethod := strings.Cut(name, ".")
	if isMethod {
		return regexp.MustCompile(`(?m)^func \(\w+ \*?` + typ + `(\[\w+\])?\) ` + method + `\(`)
	}
	return regexp.MustCompile(`(?m)^(func ` + name + `[\[(]|type ` + name + ` |\t` + name + ` .*struct)`)
}
