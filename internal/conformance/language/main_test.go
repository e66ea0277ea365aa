package language

import (
	"testing"

	"github.com/dbfleet/dbfleet/internal/dbtest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

func at[V any](v V) *V { return &v }
