package values

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	require.NoError(t, err)
	return loc
}

// instants are times as users have them: with nanoseconds, in any zone.
func instants(t *testing.T) []time.Time {
	ny, kolkata := zone(t, "America/New_York"), zone(t, "Asia/Kolkata")
	return []time.Time{
		time.Date(2024, 3, 10, 7, 8, 9, 123456789, time.UTC),
		time.Date(2024, 3, 10, 23, 59, 59, 999999999, ny), // another day in UTC
		time.Date(2024, 11, 3, 1, 30, 0, 0, ny),           // twice on this day
		time.Date(2024, 11, 3, 1, 30, 0, 0, ny).Add(time.Hour),
		time.Date(2024, 1, 1, 0, 30, 0, 1000, kolkata), // last year in UTC
		time.Date(1970, 1, 2, 0, 0, 0, 0, time.FixedZone("", -12*3600-34*60)),
		time.Date(1999, 12, 31, 23, 59, 59, 500000000, time.FixedZone("odd", 14*3600)),
		time.Date(2037, 6, 15, 12, 0, 0, 999, time.Local),
		time.Now(), // with a monotonic reading
	}
}

type event struct {
	ID        int64
	At        time.Time
	Maybe     *time.Time
	Null      sql.NullTime `db:"null_at"`
	Stamp     time.Time
	Wall      time.Time
	CreatedAt time.Time
	UpdatedAt *time.Time
}

// eventsTable has a column of each type for instants: of the zone's own kind
// and of the other.
func eventsTable(dialect string) string {
	stamp, wall := map[string]string{"sqlite": "TIMESTAMP", "postgres": "TIMESTAMPTZ", "mysql": "TIMESTAMP(6) NULL"}[dialect],
		map[string]string{"sqlite": "TEXT", "postgres": "TIMESTAMP", "mysql": "DATETIME(6)"}[dialect]
	return fmt.Sprintf(`CREATE TABLE events (id {id}, at {time}, maybe {time}, null_at {time}, stamp %s, wall %s, created_at {time}, updated_at {time})`, stamp, wall)
}

// hazards 32, 38, 41
func TestTimes_AreInstantsWhoeverWritesAndReadsThem(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, eventsTable(fl.Database.Dialect))
		m := conformance.Model[event](t, fl.Registry, dbfleet.ModelConfig{Table: "events", Timestamps: true})
		for _, at := range instants(t) {
			given := at
			e := event{At: at, Maybe: &given, Null: sql.NullTime{Time: at, Valid: true}, Stamp: at, Wall: at, CreatedAt: at}
			require.NoError(t, m.Create(ctx, &e))
			require.Equal(t, at, given, "the caller's own time is left alone")
			require.True(t, e.At.Equal(at.Truncate(time.Microsecond)))

			got, err := m.Find(ctx, e.ID)
			require.NoError(t, err)
			require.Equal(t, e, got, "a record just created is the one that is read")
			require.Equal(t, time.UTC, got.At.Location())
			for _, x := range []time.Time{got.At, *got.Maybe, got.Null.Time, got.Stamp, got.Wall, got.CreatedAt} {
				require.True(t, x.Equal(at.Truncate(time.Microsecond)), "%s", x)
			}
			text, err := json.Marshal(got.At)
			require.NoError(t, err)
			require.True(t, strings.HasSuffix(string(text), `Z"`))

			// The server's own clock agrees.
			epoch := map[string]string{
				"sqlite":   "SELECT unixepoch(at), unixepoch(stamp), unixepoch(wall) FROM events WHERE id = ?",
				"postgres": "SELECT floor(extract(epoch FROM at)), floor(extract(epoch FROM stamp)), floor(extract(epoch FROM wall)) FROM events WHERE id = $1",
				"mysql":    "SELECT FLOOR(UNIX_TIMESTAMP(at)), FLOOR(UNIX_TIMESTAMP(stamp)), FLOOR(UNIX_TIMESTAMP(wall)) FROM events WHERE id = ?",
			}[fl.Database.Dialect]
			var a, b, c int64
			require.NoError(t, fl.DB("main").QueryRowContext(ctx, epoch, e.ID).Scan(&a, &b, &c))
			require.Equal(t, []int64{at.Unix(), at.Unix(), at.Unix()}, []int64{a, b, c})

			// Every reader gives the same instant in UTC.
			row, err := fl.DB("main").Table("events").Find(ctx, e.ID)
			require.NoError(t, err)
			require.Equal(t, e.At, row["at"])
			require.Equal(t, e.At, row["stamp"])
			one := m.Where("id", "=", e.ID)
			plucked, err := dbfleet.Pluck[time.Time](ctx, one, "stamp")
			require.NoError(t, err)
			require.Equal(t, []time.Time{e.At}, plucked)
			var raw time.Time
			for _, from := range []*sql.DB{fl.DB("main").Pool(), fl.DB("main").ReplicaPool()} {
				require.NoError(t, from.QueryRowContext(ctx, fmt.Sprintf("SELECT at FROM events WHERE id = %d", e.ID)).Scan(&raw))
				require.Equal(t, e.At, raw)
			}

			// Every way of asking finds it, in whatever zone the question is.
			for _, loc := range []*time.Location{time.UTC, zone(t, "America/New_York"), zone(t, "Asia/Tokyo")} {
				x := at.In(loc)
				for name, q := range map[string]*dbfleet.Query[event]{
					"equal": one.Where("at", "=", x), "text": one.Where("stamp", "=", at.UTC().Format(time.RFC3339Nano)), "in": one.WhereIn("at", []time.Time{x}),
					"pointer": one.Where("at", "=", &x), "between": one.WhereBetween("at", x, x), "between list": one.Where("stamp", "BETWEEN", []time.Time{x, x}),
					"from": one.Where("at", ">=", x), "until": one.Where("stamp", "<=", x), "wall": one.Where("wall", "=", x), "typed": one.Filter(dbfleet.Col[time.Time]("at").Between(x, x)),
					"raw": one.WhereRaw("at = ?", x), "raw nil": one.WhereRaw("stamp = ?", &x), "two types": one.WhereRaw("at = ? AND wall = ?", x, x), // hazard 40
				} {
					n, err := q.Count(ctx)
					require.NoError(t, err, name)
					require.EqualValues(t, 1, n, "%s of %s", name, x)
				}
				for name, q := range map[string]*dbfleet.Query[event]{
					"after": one.Where("at", ">", x), "before": one.Where("stamp", "<", x), "not": one.Where("at", "<>", x), "not in": one.WhereNotIn("at", []time.Time{x}),
					"between later": one.WhereBetween("at", x.Add(time.Microsecond), x.Add(time.Hour)), "between earlier": one.WhereBetween("at", x.Add(-time.Hour), x.Add(-time.Microsecond)),
				} {
					n, err := q.Count(ctx)
					require.NoError(t, err, name)
					require.Zero(t, n, "%s of %s", name, x)
				}
			}
			// Written through the pool itself, in another zone.
			_, err = fl.DB("main").ExecContext(ctx, map[string]string{"postgres": "UPDATE events SET at = $1, wall = $2 WHERE id = $3"}[fl.Database.Dialect]+
				map[string]string{"sqlite": "UPDATE events SET at = ?, wall = ? WHERE id = ?", "mysql": "UPDATE events SET at = ?, wall = ? WHERE id = ?"}[fl.Database.Dialect],
				at.In(zone(t, "Asia/Tokyo")), at.In(zone(t, "Asia/Tokyo")), e.ID)
			require.NoError(t, err)
			again, err := m.Find(ctx, e.ID)
			require.NoError(t, err)
			require.Equal(t, got, again)
		}
		// Times sort as instants, not as texts.
		sorted, err := m.OrderBy("at", dbfleet.Asc).Get(ctx)
		require.NoError(t, err)
		for i := 1; i < len(sorted); i++ {
			require.False(t, sorted[i].At.Before(sorted[i-1].At))
		}
	})
}

// hazard 38
func TestTimes_EveryWriteLeavesWhatWasStored(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, eventsTable(fl.Database.Dialect))
		m := conformance.Model[event](t, fl.Registry, dbfleet.ModelConfig{Table: "events", Timestamps: true})
		var many []event
		for _, at := range instants(t) {
			many = append(many, event{At: at, Stamp: at, Wall: at})
		}
		require.NoError(t, m.CreateMany(ctx, many))
		got, err := m.OrderBy("id", dbfleet.Asc).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, many, got)
		for i, e := range got {
			require.WithinDuration(t, time.Now(), e.CreatedAt, time.Minute)
			require.Equal(t, e.CreatedAt, *e.UpdatedAt)
			e.At, e.Maybe = instants(t)[(i+1)%len(got)], ptr(time.Now())
			require.NoError(t, m.Save(ctx, &e))
			saved, err := m.Find(ctx, e.ID)
			require.NoError(t, err)
			require.Equal(t, e, saved)
			require.Equal(t, got[i].CreatedAt, saved.CreatedAt)

			e.At = time.Now().In(zone(t, "Asia/Tokyo"))
			require.NoError(t, m.SaveColumns(ctx, &e, "at"))
			saved, err = m.Find(ctx, e.ID)
			require.NoError(t, err)
			require.Equal(t, e, saved)

			e.Wall = time.Now().In(zone(t, "Asia/Tokyo"))
			require.NoError(t, m.Upsert(ctx, &e, dbfleet.Conflict{}))
			saved, err = m.Find(ctx, e.ID)
			require.NoError(t, err)
			require.Equal(t, e, saved)
		}
		n, err := m.Where("id", "=", got[0].ID).Update(ctx, dbfleet.Row{"at": instants(t)[1], "maybe": time.Time{}, "null_at": nil})
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		updated, err := m.Find(ctx, got[0].ID)
		require.NoError(t, err)
		require.True(t, updated.At.Equal(instants(t)[1].Truncate(time.Microsecond)))
		require.Nil(t, updated.Maybe, "the zero time is NULL")
		require.True(t, updated.UpdatedAt.After(*got[0].UpdatedAt))
		// A stamp that was read finds its row: what optimistic locks need.
		n, err = m.Where("id", "=", updated.ID).Where("updated_at", "=", updated.UpdatedAt).Update(ctx, dbfleet.Row{"at": time.Now()})
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		n, err = m.Where("id", "=", updated.ID).Where("updated_at", "=", updated.UpdatedAt).Update(ctx, dbfleet.Row{"at": time.Now()})
		require.NoError(t, err)
		require.Zero(t, n)
	})
}

// hazard 34: columns that keep no fraction.
func TestTimes_ColumnsOfLessPrecision(t *testing.T) {
	t.Parallel()
	type row struct {
		ID        int64
		Note      string
		At        *time.Time
		UpdatedAt time.Time
		CreatedAt time.Time
	}
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		coarse := map[string]string{"sqlite": "DATETIME", "postgres": "TIMESTAMPTZ(0)", "mysql": "DATETIME"}[fl.Database.Dialect]
		fl.Create(t, strings.ReplaceAll(`CREATE TABLE coarse (id {id}, note {text}, at {coarse}, updated_at {coarse}, created_at {coarse})`, "{coarse}", coarse))
		m := conformance.Model[row](t, fl.Registry, dbfleet.ModelConfig{Table: "coarse", Timestamps: true, TimePrecision: time.Second})
		late := time.Date(2024, 3, 10, 7, 8, 9, 987654321, zone(t, "Asia/Tokyo")) // would be rounded up
		r := row{At: &late}
		require.NoError(t, m.Create(ctx, &r))
		got, err := m.Find(ctx, r.ID)
		require.NoError(t, err)
		require.Equal(t, r, got)
		require.Equal(t, late.Truncate(time.Second).UTC(), *got.At)
		many := []row{{At: &late}, {}}
		require.NoError(t, m.CreateMany(ctx, many))
		for _, r := range many {
			got, err := m.Find(ctx, r.ID)
			require.NoError(t, err)
			require.Equal(t, r, got)
			got.At, got.Note = ptr(time.Now()), "x"
			require.NoError(t, m.Save(ctx, &got))
			saved, err := m.Find(ctx, r.ID)
			require.NoError(t, err)
			require.Equal(t, got, saved)
			n, err := m.Where("id", "=", r.ID).Where("updated_at", "=", got.UpdatedAt).Count(ctx)
			require.NoError(t, err)
			require.EqualValues(t, 1, n)
		}
		_, err = m.Where("id", "=", r.ID).Update(ctx, dbfleet.Row{"note": "y"})
		require.NoError(t, err)
		got, err = m.Find(ctx, r.ID)
		require.NoError(t, err)
		require.Zero(t, got.UpdatedAt.Nanosecond())

		_, err = dbfleet.NewModel[row](fl.Registry, dbfleet.ModelConfig{Table: "coarse", TimePrecision: time.Nanosecond})
		var me *dbfleet.ModelError
		require.ErrorAs(t, err, &me)
		require.Equal(t, "TimePrecision", me.Key)
	})
}

// Times in a transaction are those outside it.
func TestTimes_InTransactions(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		fl.Create(t, eventsTable(fl.Database.Dialect))
		m := conformance.Model[event](t, fl.Registry, dbfleet.ModelConfig{Table: "events", Timestamps: true})
		e := event{At: instants(t)[1], Wall: instants(t)[1], Stamp: instants(t)[1]}
		require.NoError(t, fl.Transaction(t.Context(), "main", func(ctx context.Context, tx *dbfleet.Tx) error {
			if err := m.Create(ctx, &e); err != nil {
				return err
			}
			got, err := m.Find(ctx, e.ID)
			require.NoError(t, err)
			require.Equal(t, e, got)
			var at time.Time
			require.NoError(t, tx.QueryRowContext(ctx, fmt.Sprintf("SELECT stamp FROM events WHERE id = %d", e.ID)).Scan(&at))
			require.Equal(t, e.Stamp, at)
			return nil
		}))
		got, err := m.Find(t.Context(), e.ID)
		require.NoError(t, err)
		require.Equal(t, e, got)
	})
}
