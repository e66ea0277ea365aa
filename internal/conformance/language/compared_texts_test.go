package language

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

func TestCoalesce_OfAmountsIsFewTexts(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		m := newAmounts(t, fl)
		texts := map[string]bool{}
		for _, v := range []string{"0.50", "7.25", "-12.00", "1234.56", "1234567.89"} {
			sql, _, err := m.Query().SelectValue(dbfleet.Coalesce[string](dbfleet.Col[string]("price"), dbfleet.Value(v)), "e").SQL(t.Context())
			require.NoError(t, err)
			texts[sql] = true
		}
		require.Len(t, texts, 1)
	})
}

func TestUpdate_OfATextColumnToATimeAmongOthersIsFoundByTheTime(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		if fl.Database.Dialect == "postgres" {
			return // which takes no time for a text
		}
		fl.Create(t, "CREATE TABLE notes (id {id}, seen {text})", "INSERT INTO notes (id, seen) VALUES (1, '2024-03-05 10:20:30'), (2, NULL), (3, NULL)")
		notes := fl.DB("main").Table("notes")
		for _, when := range []time.Time{time.Date(2024, 3, 5, 10, 20, 30, 0, time.UTC), time.Date(2024, 3, 5, 10, 20, 30, 250_000_000, time.UTC), time.Date(2024, 3, 5, 10, 20, 30, 1000, time.UTC)} {
			seen := dbfleet.Case[time.Time]().When(dbfleet.Col[int64]("id").Eq(2), when).ElseOf(dbfleet.Col[time.Time]("seen"))
			_, err := notes.Where("id", ">", 0).Update(t.Context(), map[string]any{"seen": seen})
			require.NoError(t, err)
			ids, err := dbfleet.Pluck[int64](t.Context(), notes.Where("seen", "=", when).Where("id", "=", 2), "id")
			require.NoError(t, err)
			require.Equal(t, []int64{2}, ids, when)
		}
	})
}
