package relations

import (
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// A join with a table that a model has on another connection is refused before anything is
// sent, in words that name both.
func TestJoin_IsRefusedAcrossConnections(t *testing.T) {
	t.Parallel()
	onLayouts(t, func(t *testing.T, s *shelf, _ *rand.Rand) {
		sent := conformance.Statements(t, s.Registry)
		join := s.writers.Query().Join("essays", "essays.writer_ref", "=", "writers.ref")
		for _, q := range []*dbfleet.Query[writer]{join, s.writers.Query().LeftJoin("essays AS e", "e.writer_ref", "=", "writers.ref"), s.writers.WhereIn("id", join.Select("writers.id"))} {
			_, err := q.Get(t.Context())
			if _, apart := s.Stats()["level1"]; !apart {
				require.NoError(t, err)
				continue
			}
			var fault *dbfleet.StatementError
			require.ErrorAs(t, err, &fault)
			require.ErrorContains(t, err, `table "writers": join: table "essays" has a model on connection "level1" and none on "level0"`)
			require.Empty(t, sent())
		}
		if _, apart := s.Stats()["level1"]; !apart {
			return
		}
		// With a model of that name here, the database says what there is.
		type other struct{ ID int64 }
		here := conformance.Model[other](t, s.Registry, dbfleet.ModelConfig{Table: "essays", Connection: "level0"})
		_, err := join.Get(t.Context())
		var sentOne *dbfleet.QueryError
		require.ErrorAs(t, err, &sentOne, "there is no such table")
		runtime.KeepAlive(here)
	})
}
