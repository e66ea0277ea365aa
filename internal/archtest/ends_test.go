package archtest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// truth 906
// The end of rows is io.EOF itself. A connection that breaks wraps it, so that errors.Is
// takes a short result for a whole one; beside io.ErrUnexpectedEOF it asks what has broken.
func TestEnds_NoWrappedErrorIsTakenForTheEnd(t *testing.T) {
	t.Parallel()
	root, looked := filepath.Join("..", ".."), 0
	require.NoError(t, filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		looked++
		for i, line := range strings.Split(string(text), "\n") {
			if strings.Contains(line, "errors.Is(err, io.EOF)") && !strings.Contains(line, "io.ErrUnexpectedEOF") {
				t.Errorf("%s:%d: %s", path, i+1, strings.TrimSpace(line))
			}
		}
		return err
	}))
	require.Greater(t, looked, 300)
}
