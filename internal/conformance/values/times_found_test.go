package values

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// A row is looked for by its time as the column keeps it: by the time of the record none
// was found, and another was created, or refused by the unique constraint.
func TestTimes_ARowIsFoundByATimeFinerThanItsColumn(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		type slot struct {
			ID   int64
			At   time.Time
			Name string
		}
		fl.Create(t, "CREATE TABLE slots (id {id}, at {time} NOT NULL, name {text} NOT NULL)")
		m := conformance.Model[slot](t, fl.Registry, dbfleet.ModelConfig{Table: "slots", TimePrecision: time.Second})
		at := time.Date(2026, 2, 3, 4, 5, 6, 700_000_000, time.UTC)
		first := slot{At: at, Name: "first"}
		created, err := m.FirstOrCreate(t.Context(), &first, "at")
		require.NoError(t, err)
		require.True(t, created)
		found := slot{At: at, Name: "second"}
		created, err = m.FirstOrCreate(t.Context(), &found, "at")
		require.NoError(t, err)
		require.False(t, created)
		require.Equal(t, first, found)
		saved := slot{At: at, Name: "third"}
		created, err = m.UpdateOrCreate(t.Context(), &saved, "at")
		require.NoError(t, err)
		require.False(t, created)
		require.Equal(t, slot{ID: first.ID, At: at.Truncate(time.Second), Name: "third"}, saved)
		n, err := m.Count(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
	})
}
