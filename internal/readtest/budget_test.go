//go:build !race && !dbfleet_plain

package readtest

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/rowmap"
)

// Hand-written code on the databases' own drivers needs 41 to 61 allocations for
// one of these rows and 1460 to 2280 for a hundred.
func TestBudget_Reading(t *testing.T) {
	for dialect, most := range map[string]struct{ one, hundred float64 }{
		"postgres": {12, 30}, "mysql": {27, 1120}, "sqlite": {34, 50},
	} {
		t.Run(dialect, func(t *testing.T) {
			p, _ := newWide(t, dialect, 100)
			plan, err := rowmap.Of[wide]()
			require.NoError(t, err)
			ctx, text, args := context.Background(), byKey(dialect), []any{int64(1055)}
			one := testing.AllocsPerRun(200, func() {
				if w, err := find(ctx, p, plan, text, args); err != nil || w.Age == nil {
					t.Fatal(err)
				}
			})
			require.LessOrEqual(t, one, most.one)
			hundred := testing.AllocsPerRun(50, func() {
				if all, err := list(ctx, p, plan, 100); err != nil || len(all) != 100 {
					t.Fatal(err)
				}
			})
			require.LessOrEqual(t, hundred, most.hundred)
			t.Logf("one row %v, a hundred %v", one, hundred)
		})
	}
}
