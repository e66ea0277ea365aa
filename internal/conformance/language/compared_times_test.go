package language

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// truth 428
func TestCompare_FindsATimeOfOthersByAnExpression(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		m := newAmounts(t, fl)
		texts := []string{"2024-01-01 00:00:00", "2024-01-01 00:00:00.5", "2024-01-02 03:04:05.123"}
		if fl.Database.Dialect == "sqlite" {
			texts = append(texts, "2024-01-01", "2024-01-01 00:00:00+00:00", "2024-01-01 00:00:00.500000+00:00", "2024-01-02 03:04:05.123000", "2024-01-02 03:04:05.123000001")
		}
		for _, text := range texts {
			fl.Create(t, "INSERT INTO amounts (at) VALUES ('"+text+"')")
		}
		day := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
		sameRows(t, m, "at", day, day.Add(500*time.Millisecond), time.Date(2024, 1, 2, 3, 4, 5, 123000000, time.UTC), day.Add(time.Hour))
		column := dbfleet.Col[time.Time]("at")
		want, err := m.Filter(column.Eq(day)).Count(t.Context())
		require.NoError(t, err)
		for claim, q := range map[string]*dbfleet.Query[amount]{
			"Where of a Value": m.Where("at", "=", dbfleet.Value(day)), "IN of a Value": m.Where("at", "IN", dbfleet.Value(day)), "IN of a list": m.Where("at", "IN", dbfleet.Value([]time.Time{day})),
		} {
			n, err := q.Count(t.Context())
			require.NoError(t, err, claim)
			require.Equal(t, want, n, claim)
		}
		n, err := fl.DB("main").Table("amounts").Where("at", "=", dbfleet.Value(day)).Count(t.Context())
		require.NoError(t, err)
		require.Equal(t, want, n, "without a model")
		first := dbfleet.Coalesce[time.Time](column, dbfleet.Value(day))
		for claim, c := range map[string]dbfleet.Cond{
			"MinOf beside a Value": dbfleet.MinOf[time.Time](first).Eq(day), "no less than a Value": dbfleet.MinOf[time.Time](first).LtEq(day),
			"MinOf": dbfleet.MinOf[time.Time](column).Eq(day), "of Coalesce": dbfleet.MinOf[time.Time](dbfleet.Coalesce[time.Time](dbfleet.Col[time.Time]("never_at"), column)).In(day, day.Add(time.Hour)),
		} {
			got, err := dbfleet.Pluck[int64](t.Context(), m.Query().SelectValue(dbfleet.Case[int64]().When(c, 1).Else(0), "holds"), "holds")
			require.NoError(t, err, claim)
			require.Equal(t, []int64{1}, got, claim)
		}
	})
}
