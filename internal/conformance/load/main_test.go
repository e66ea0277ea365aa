package load

import (
	"testing"

	"github.com/dbfleet/dbfleet/internal/dbtest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }
