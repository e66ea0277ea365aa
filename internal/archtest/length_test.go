package archtest

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// maxLines is how long a file of production code may be. A file has one subject;
// most have 100 to 200 lines.
const maxLines = 400

// long are the files that are longer, each with the reason.
var long = map[string]string{}

func TestFiles_AreShort(t *testing.T) {
	t.Parallel()
	root := moduleRoot(t)
	for _, f := range sourceFiles(t) {
		if f.test {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(f.path)))
		require.NoError(t, err)
		lines := bytes.Count(text, []byte("\n"))
		if reason, known := long[f.path]; known {
			require.Greater(t, lines, maxLines, "%s is short again; take it out of the list (%s)", f.path, reason)
			continue
		}
		require.LessOrEqual(t, lines, maxLines, "%s has more than one subject, or needs a reason in this test's list", f.path)
	}
}

// sendingPlaces are the files that call the hooks of a statement: the one road, the
// load, whose one statement takes rows until the caller has no more, and the read that
// up to two nodes are asked, whose hooks run where it was called.
var sendingPlaces = []string{"load.go", "replica_hedge.go", "statement.go"}

func TestStatements_TakeOneRoad(t *testing.T) {
	t.Parallel()
	root := moduleRoot(t)
	var found []string
	for _, f := range sourceFiles(t) {
		if f.test || f.pkg != "." {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(f.path)))
		require.NoError(t, err)
		if bytes.Contains(text, []byte(".callHooks(")) {
			found = append(found, f.path)
		}
	}
	require.ElementsMatch(t, sendingPlaces, found)
}
