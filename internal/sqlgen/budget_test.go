//go:build !race && !dbfleet_plain

package sqlgen

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A chain of conditions costs one list, its text one string and one slice.
func TestBudget_AQueryAndItsText(t *testing.T) {
	var name, city, list any = "Ann%", "Rome", []int64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}
	var q Query
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() { q = benchQuery(name, city, list) }), 2.0)
	for _, d := range dialects {
		env := &Env{Dialect: d, Values: benchValues{}, Table: newBenchTable(d)}
		require.LessOrEqual(t, testing.AllocsPerRun(100, func() {
			if _, _, err := Select(&q, env); err != nil {
				t.Fatal(err)
			}
		}), 2.0, d.Name)
	}
}
