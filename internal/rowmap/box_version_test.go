//go:build !dbfleet_plain

package rowmap

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// A Go version that the tests of box.go have not seen takes the plain way. When
// this fails, put that version's successor into the build constraints of box.go
// and box_plain.go, and run the tests of this package and the budgets.
func TestBoxes_ServeThisGoVersion(t *testing.T) {
	t.Parallel()
	require.True(t, shared, "box.go has not been tried with %s", runtime.Version())
}
