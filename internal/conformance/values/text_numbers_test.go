package values

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// truth 413
// A column of texts in a field for numbers: MySQL would hold 1 for equal to '01' and
// '1abc', and 0 to 'a'.
func TestTexts_InAFieldForNumbersAreFoundByTheirText(t *testing.T) {
	t.Parallel()
	type setting struct {
		ID   int64
		V    int64
		Flag bool
	}
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		on := "'1'"
		if fl.Database.Dialect == "postgres" {
			on = "'true'"
		}
		fl.Create(t, "CREATE TABLE settings (id {id}, v VARCHAR(20), flag VARCHAR(5))")
		for _, v := range []string{"1", "01", "1abc", "a", "", "-7"} {
			fl.Create(t, "INSERT INTO settings (v, flag) VALUES ('"+v+"', "+on+")")
		}
		m := conformance.Model[setting](t, fl.Registry, dbfleet.ModelConfig{Table: "settings"})
		got, err := m.Find(ctx, 1)
		require.NoError(t, err)
		require.Equal(t, setting{1, 1, true}, got)
		for id := 2; id <= 5; id++ {
			_, err := m.Find(ctx, id)
			var column *dbfleet.ColumnError
			require.ErrorAs(t, err, &column, "%d", id)
			require.Equal(t, "v", column.Column)
		}
		if fl.Database.Dialect == "postgres" { // which compares no number with a text
			_, err := m.Where("v", "=", 1).Delete(ctx)
			require.ErrorContains(t, err, "cannot be sent as TEXT")
			return
		}
		others, err := m.Where("v", "<>", 0).Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 6, others)
		others, err = m.Where("v", "IS NOT", 1).Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 5, others, "all but '1', as <> finds them")
		n, err := m.Where("v", "=", 0).Delete(ctx)
		require.NoError(t, err)
		require.Zero(t, n, "neither 'a' nor ''")
		n, err = m.WhereIn("v", []int64{1, -7}).Delete(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 2, n, "neither '01' nor '1abc'")
	})
}
