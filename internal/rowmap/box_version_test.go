//go:build go1.27 && !dbfleet_plain

package rowmap

import (
	"runtime"
	"testing"
)

// The tests of box.go have not seen this Go version, so box_plain.go serves. Take
// the version out of the build constraints of both files and of this one, run
// the tests of this package and the budgets, and put its successor there.
func TestBoxes_ServeThisGoVersion(t *testing.T) {
	t.Parallel()
	t.Fatalf("box.go has not been tried with %s", runtime.Version())
}
