package engines

import (
	"os"
	"strconv"
	"testing"

	"github.com/dbfleet/dbfleet/internal/dbtest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// rounds is how often a story is told: short in make test, DBFLEET_TORTURE times in make
// torture, but no more than long.
func rounds(short, long int) int {
	n, err := strconv.Atoi(os.Getenv("DBFLEET_TORTURE"))
	if err != nil {
		return short
	}
	return min(max(n, short), long)
}
