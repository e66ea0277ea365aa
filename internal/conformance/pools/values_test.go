package pools

import (
	"database/sql"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/conformance"
)

// These are all the values that docs/pools.md lists: the driver's answer and the pool's.
var otherValues = map[string][]struct {
	query        string
	args         []any
	driver, pool any
}{
	"postgres": {
		{"SELECT 0.1::real", nil, float64(float32(0.1)), 0.1},
		// The instant, where the driver writes the clock of the time's own zone.
		{"SELECT $1::timestamp", []any{instant}, time.Date(2024, 5, 6, 7, 8, 9, 123456000, time.UTC), instant.UTC()},
	},
	"mysql": {
		{"SELECT CAST(18446744073709551615 AS UNSIGNED) + ?", []any{0}, []byte("18446744073709551615"), uint64(18446744073709551615)},
		{"SELECT CAST(0.1 AS FLOAT)", nil, float32(0.1), 0.1},
	},
	"sqlite": {
		{"SELECT ?", []any{instant}, instant.String(), "2024-05-06 05:08:09.123456"},
	},
}

func TestValues_ThatAreOtherThanTheDrivers(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		for _, o := range otherValues[fl.Database.Dialect] {
			for name, want := range map[string]any{"driver": o.driver, "pool": o.pool} {
				var got any
				require.NoError(t, map[string]*sql.DB{"driver": plain(t, fl.Database), "pool": fl.DB("main").Pool()}[name].
					QueryRowContext(t.Context(), o.query, o.args...).Scan(&got))
				if at, ok := got.(time.Time); ok {
					got = at.UTC()
				}
				require.Equal(t, want, got, "%s: %s", name, o.query)
			}
		}
	})
}
