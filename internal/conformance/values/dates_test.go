package values

import (
	"database/sql"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// hazard 47
func TestTimes_DatesAreCivilDays(t *testing.T) {
	t.Parallel()
	type person struct {
		ID   int64
		Born dbfleet.Date
		Died *dbfleet.Date
		Met  sql.Null[dbfleet.Date]
	}
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE people (id {id}, born {date}, died {date}, met {date})`)
		m := conformance.Model[person](t, fl.Registry, dbfleet.ModelConfig{Table: "people"})
		west, east := zone(t, "America/New_York"), zone(t, "Pacific/Kiritimati")
		for _, at := range []time.Time{
			time.Date(2024, 3, 10, 22, 0, 0, 0, west), time.Date(2024, 3, 10, 1, 0, 0, 0, east), time.Date(2024, 2, 29, 0, 0, 0, 0, west),
			time.Date(2024, 2, 29, 23, 59, 59, 999999999, time.UTC), time.Date(1, 1, 1, 0, 0, 0, 0, west), time.Date(9999, 12, 31, 23, 0, 0, 0, west),
		} {
			if fl.Database.Dialect == "mysql" && at.Year() == 1 {
				at = at.AddDate(999, 0, 0) // MySQL's dates begin in 1000; the first of the year 1 is how its driver tells 0000-00-00
			}
			day := dbfleet.DateOf(at)
			p := person{Born: day, Died: &day, Met: sql.Null[dbfleet.Date]{V: day, Valid: true}}
			require.NoError(t, m.Create(ctx, &p))
			got, err := m.Find(ctx, p.ID)
			require.NoError(t, err)
			require.Equal(t, p, got)
			var text string
			require.NoError(t, fl.DB("main").QueryRowContext(ctx, fmt.Sprintf("SELECT CAST(born AS %s) FROM people WHERE id = %d",
				map[string]string{"sqlite": "TEXT", "postgres": "TEXT", "mysql": "CHAR"}[fl.Database.Dialect], p.ID)).Scan(&text))
			require.Equal(t, at.Format(time.DateOnly), text, "the caller's civil day")
			row, err := fl.DB("main").Table("people").Find(ctx, p.ID)
			require.NoError(t, err)
			require.Equal(t, day.Time(time.UTC), row["born"])
			one := m.Where("id", "=", p.ID)
			for name, q := range map[string]*dbfleet.Query[person]{
				"date": one.Where("born", "=", day), "pointer": one.Where("died", "=", &day), "text": one.Where("born", "=", day.String()), "in": one.WhereIn("born", []dbfleet.Date{day}),
				"between": one.WhereBetween("born", day, day), "from": one.Where("born", ">=", day), "typed": one.Filter(dbfleet.Col[dbfleet.Date]("born").LtEq(day)),
				"a time's own day": one.Where("born", "=", at), "times": one.WhereIn("born", []time.Time{at}), "between times": one.WhereBetween("met", at, at), "time pointer": one.Where("met", "=", &at),
			} {
				n, err := q.Count(ctx)
				require.NoError(t, err, name)
				require.EqualValues(t, 1, n, "%s of %s", name, at)
			}
			top, err := dbfleet.Max[dbfleet.Date](ctx, one, "born")
			require.NoError(t, err)
			require.Equal(t, day, top)
			v, err := one.Max(ctx, "born")
			require.NoError(t, err)
			require.Equal(t, day, v)
			n, err := one.Update(ctx, dbfleet.Row{"met": at.Add(0), "died": nil})
			require.NoError(t, err)
			require.EqualValues(t, 1, n)
			got, err = m.Find(ctx, p.ID)
			require.NoError(t, err)
			require.Equal(t, day, got.Met.V)
			require.Nil(t, got.Died)
		}
		none := person{}
		require.NoError(t, m.Create(ctx, &none))
		got, err := m.Find(ctx, none.ID)
		require.NoError(t, err)
		require.Equal(t, none, got)
		n, err := m.Query().WhereNull("born").Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		for _, bad := range []dbfleet.Date{
			{Year: 2023, Month: 2, Day: 29}, {Year: 2024, Month: 13, Day: 1}, {Year: 2024, Month: 0, Day: 1}, {Year: 0, Month: 1, Day: 1},
			{Year: -5, Month: 1, Day: 1}, {Year: 10000, Month: 1, Day: 1}, {Year: 2024, Month: 1, Day: 0}, {Year: 2024, Month: 4, Day: 31},
		} {
			require.ErrorIs(t, m.Create(ctx, &person{Born: bad}), dbfleet.ErrRange)
			_, err := m.Where("born", "=", bad).Get(ctx)
			require.ErrorIs(t, err, dbfleet.ErrRange)
			require.ErrorContains(t, err, `"born"`)
		}
	})
}

// Columns that hold a time of day, or a span of time, are text.
func TestTimes_TimesOfDayAreText(t *testing.T) {
	t.Parallel()
	type shift struct {
		ID     int64
		Starts string
		Ends   *string
	}
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE shifts (id {id}, starts TIME, ends TIME)`)
		m := conformance.Model[shift](t, fl.Registry, dbfleet.ModelConfig{Table: "shifts"})
		s := shift{Starts: "07:30:00", Ends: ptr("23:59:59")}
		require.NoError(t, m.Create(ctx, &s))
		got, err := m.Find(ctx, s.ID)
		require.NoError(t, err)
		require.Equal(t, s, got)
		row, err := fl.DB("main").Table("shifts").First(ctx)
		require.NoError(t, err)
		require.Equal(t, dbfleet.Row{"id": s.ID, "starts": "07:30:00", "ends": "23:59:59"}, row)
		n, err := m.Where("starts", "<", "08:00:00").Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
	})
}
