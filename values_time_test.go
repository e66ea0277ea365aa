package dbfleet_test

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
	onEach(t, func(t *testing.T, fl fleet) {
		ctx := t.Context()
		fl.create(t, eventsTable(fl.db.Dialect))
		m := model[event](t, fl.Registry, dbfleet.ModelConfig{Table: "events", Timestamps: true})
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
			}[fl.db.Dialect]
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
			for _, from := range []*sql.DB{fl.DB("main").Primary(), fl.DB("main").Replica()} {
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
			_, err = fl.DB("main").ExecContext(ctx, map[string]string{"postgres": "UPDATE events SET at = $1, wall = $2 WHERE id = $3"}[fl.db.Dialect]+
				map[string]string{"sqlite": "UPDATE events SET at = ?, wall = ? WHERE id = ?", "mysql": "UPDATE events SET at = ?, wall = ? WHERE id = ?"}[fl.db.Dialect],
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
	onEach(t, func(t *testing.T, fl fleet) {
		ctx := t.Context()
		fl.create(t, eventsTable(fl.db.Dialect))
		m := model[event](t, fl.Registry, dbfleet.ModelConfig{Table: "events", Timestamps: true})
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
	onEach(t, func(t *testing.T, fl fleet) {
		ctx := t.Context()
		coarse := map[string]string{"sqlite": "DATETIME", "postgres": "TIMESTAMPTZ(0)", "mysql": "DATETIME"}[fl.db.Dialect]
		fl.create(t, strings.ReplaceAll(`CREATE TABLE coarse (id {id}, note {text}, at {coarse}, updated_at {coarse}, created_at {coarse})`, "{coarse}", coarse))
		m := model[row](t, fl.Registry, dbfleet.ModelConfig{Table: "coarse", Timestamps: true, TimePrecision: time.Second})
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

// hazard 36
func TestTimes_TheZeroTimeIsNull(t *testing.T) {
	t.Parallel()
	type row struct {
		ID  int64
		At  *time.Time
		Due sql.NullTime
	}
	type must struct {
		ID int64
		At time.Time
	}
	onEach(t, func(t *testing.T, fl fleet) {
		ctx := t.Context()
		fl.create(t, `CREATE TABLE zeros (id {id}, at {time}, due {time})`, `CREATE TABLE musts (id {id}, at {time} NOT NULL)`)
		m := model[row](t, fl.Registry, dbfleet.ModelConfig{Table: "zeros"})
		r := row{At: &time.Time{}, Due: sql.NullTime{Valid: true}}
		require.NoError(t, m.Create(ctx, &r))
		got, err := m.Find(ctx, r.ID)
		require.NoError(t, err)
		require.Equal(t, row{ID: r.ID}, got)
		_, err = fl.DB("main").Table("zeros").Insert(ctx, dbfleet.Row{"at": time.Time{}})
		require.NoError(t, err)
		n, err := m.Query().WhereNull("at").Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 2, n)

		// No column of times is read as the zero time, so it is an error where
		// NULL is not allowed; on every database.
		strict := model[must](t, fl.Registry, dbfleet.ModelConfig{Table: "musts"})
		require.ErrorIs(t, strict.Create(ctx, &must{}), dbfleet.ErrNotNull)
		require.NoError(t, strict.Create(ctx, &must{At: time.Now()}))
		_, err = strict.Query().AllRows().Update(ctx, dbfleet.Row{"at": time.Time{}})
		require.ErrorIs(t, err, dbfleet.ErrNotNull)
		loose := model[must](t, fl.Registry, dbfleet.ModelConfig{Table: "zeros"})
		_, err = loose.Find(ctx, r.ID)
		require.ErrorIs(t, err, dbfleet.ErrNull)

		// Compared with, it is the first instant that there is: no filter.
		n, err = strict.Where("at", ">", time.Time{}).Where("at", ">=", &time.Time{}).WhereBetween("at", time.Time{}, time.Now().Add(time.Hour)).Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		n, err = strict.Where("at", "<", time.Time{}).Count(ctx)
		require.NoError(t, err)
		require.Zero(t, n)

		if fl.db.Dialect == "mysql" {
			_, err = fl.DB("main").Primary().ExecContext(ctx, "INSERT INTO zeros (at) VALUES (?)", time.Time{})
			require.Error(t, err, "0000-00-00 is no date, through the pool itself either")
			// One that another program has stored is told, not read as a time.
			fl.create(t, "SET STATEMENT sql_mode='' FOR INSERT INTO zeros (id, at) VALUES (99, '0000-00-00 00:00:00')")
			_, err = m.Find(ctx, 99)
			require.ErrorIs(t, err, dbfleet.ErrRange)
			require.ErrorContains(t, err, `"at"`)
			_, err = fl.DB("main").Table("zeros").Find(ctx, 99)
			require.ErrorIs(t, err, dbfleet.ErrRange)
			_, err = dbfleet.Pluck[*time.Time](ctx, m.Where("id", "=", 99), "at")
			require.ErrorIs(t, err, dbfleet.ErrRange)
		}
	})
}

// hazard 39
func TestTimes_OutOfRange(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
		ctx := t.Context()
		fl.create(t, `CREATE TABLE ends (id {id}, at {time})`)
		type row struct {
			ID int64
			At time.Time
		}
		m := model[row](t, fl.Registry, dbfleet.ModelConfig{Table: "ends"})
		for _, at := range []time.Time{
			time.Date(1, 1, 1, 0, 0, 0, 1000, time.UTC), time.Date(1000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(1582, 10, 10, 0, 0, 0, 0, time.UTC),
			time.Date(1883, 11, 18, 12, 0, 0, 0, zone(t, "America/New_York")), time.Date(1969, 12, 31, 23, 59, 59, 999999000, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC),
		} {
			r := row{At: at}
			require.NoError(t, m.Create(ctx, &r))
			got, err := m.Find(ctx, r.ID)
			require.NoError(t, err)
			require.Equal(t, r, got)
			require.True(t, got.At.Equal(at.Truncate(time.Microsecond)))
		}
		before, err := m.Count(ctx)
		require.NoError(t, err)
		for _, at := range []time.Time{
			time.Date(0, 12, 31, 0, 0, 0, 0, time.UTC), time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC),
			time.Date(9999, 12, 31, 20, 0, 0, 0, zone(t, "America/New_York")), time.Unix(1<<60, 0), time.Date(292277, 1, 1, 0, 0, 0, 0, time.UTC),
		} {
			for name, err := range map[string]error{
				"create": m.Create(ctx, &row{At: at}),
				"many":   m.CreateMany(ctx, []row{{At: time.Now()}, {At: at}}),
				"where":  func() error { _, err := m.Where("at", "<", at).Get(ctx); return err }(),
				"in":     func() error { _, err := m.WhereIn("at", []time.Time{at}).Get(ctx); return err }(),
				"update": func() error { _, err := m.Query().AllRows().Update(ctx, dbfleet.Row{"at": at}); return err }(),
				"insert": func() error { _, err := fl.DB("main").Table("ends").Insert(ctx, dbfleet.Row{"at": at}); return err }(),
			} {
				require.ErrorIs(t, err, dbfleet.ErrRange, "%s of %d", name, at.Year())
				require.ErrorContains(t, err, `"at"`)
			}
		}
		after, err := m.Count(ctx)
		require.NoError(t, err)
		require.Equal(t, before, after)
		if fl.db.Dialect == "sqlite" {
			_, err = fl.DB("main").ExecContext(ctx, "INSERT INTO ends (at) VALUES (?)", time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC))
			require.Error(t, err, "its text would not sort")
		}
		if fl.db.Dialect != "postgres" {
			return
		}
		for i, text := range []string{"infinity", "-infinity", "0044-03-15 12:00:00 BC", "12024-01-01"} {
			_, err := fl.DB("main").ExecContext(ctx, "INSERT INTO ends (id, at) VALUES ($1, $2::text::timestamptz)", 100+i, text)
			require.NoError(t, err)
			_, err = m.Find(ctx, 100+i)
			require.ErrorIs(t, err, dbfleet.ErrRange, text)
			require.ErrorContains(t, err, `"at"`)
			_, err = dbfleet.Pluck[time.Time](ctx, m.Where("id", "=", 100+i), "at")
			require.ErrorIs(t, err, dbfleet.ErrRange, text)
		}
		row0, err := fl.DB("main").Table("ends").Find(ctx, 100)
		require.NoError(t, err)
		require.Equal(t, "infinity", row0["at"], "a value of its own where any type may come")
		var at time.Time
		require.Error(t, fl.DB("main").QueryRowContext(ctx, "SELECT at FROM ends WHERE id = 100").Scan(&at))
	})
}

// hazard 44
func TestTimes_ComputedColumnsAreTimes(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
		ctx := t.Context()
		fl.create(t, eventsTable(fl.db.Dialect))
		m := model[event](t, fl.Registry, dbfleet.ModelConfig{Table: "events", Timestamps: true})
		first, last := instants(t)[5], instants(t)[7]
		require.NoError(t, m.CreateMany(ctx, []event{{At: first}, {At: last}, {At: instants(t)[0]}}))
		first, last = first.UTC().Truncate(time.Microsecond), last.UTC().Truncate(time.Microsecond)

		v, err := m.Query().Max(ctx, "at")
		require.NoError(t, err)
		require.Equal(t, last, v)
		v, err = m.Query().Min(ctx, "at")
		require.NoError(t, err)
		require.Equal(t, first, v)
		typed, err := dbfleet.Max[time.Time](ctx, m, "at")
		require.NoError(t, err)
		require.Equal(t, last, typed)
		ptrs, err := dbfleet.Min[*time.Time](ctx, fl.DB("main").Table("events"), "at")
		require.NoError(t, err)
		require.Equal(t, first, *ptrs)
		none, err := dbfleet.Max[*time.Time](ctx, m.Where("id", "=", -1), "at")
		require.NoError(t, err)
		require.Nil(t, none)
		null, err := dbfleet.Max[sql.NullTime](ctx, m, "maybe")
		require.NoError(t, err)
		require.False(t, null.Valid)
		_, err = dbfleet.Max[time.Time](ctx, m, "maybe")
		require.ErrorIs(t, err, dbfleet.ErrNull)
		row, err := fl.DB("main").Table("events").Max(ctx, "at")
		require.NoError(t, err)
		if fl.db.Dialect != "sqlite" { // which has no type for times but the column's
			require.Equal(t, last, row)
		}

		for name, q := range map[string]*dbfleet.Query[event]{
			"max":       m.Query().SelectRaw("MAX(at) AS at"),
			"coalesce":  m.Query().SelectRaw("COALESCE(maybe, at) AS at").Where("at", "=", last),
			"subselect": m.Query().SelectRaw("(SELECT MAX(at) FROM events) AS at"),
			"sub":       m.Query().SelectSub(m.Query().SelectRaw("MAX(at)"), "at"),
			"case":      m.Query().SelectRaw("CASE WHEN id > 0 THEN at END AS at").Where("at", ">=", last),
			"group":     m.Query().SelectRaw("MAX(at) AS at").GroupBy("wall"),
		} {
			got, err := q.First(ctx)
			require.NoError(t, err, name)
			require.Equal(t, last, got.At, name)
		}
	})
}

// hazard 45
func TestTimes_TextThatIsNoTimeNamesTheColumn(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
		if fl.db.Dialect != "sqlite" {
			return // have types
		}
		ctx := t.Context()
		fl.create(t, `CREATE TABLE loose (id {id}, at DATETIME)`)
		type row struct {
			ID int64
			At time.Time
		}
		m := model[row](t, fl.Registry, dbfleet.ModelConfig{Table: "loose"})
		for i, text := range []string{`'garbage'`, `'2024-02-30'`, `'2024-13-01 00:00:00'`, `''`, `'0000-00-00'`, `'24:00'`, `'2024-01-01 25:00:00'`, `1710054489`, `1.5`, `x'00'`, `'2024-01-01 00:00:00 Mars'`} {
			fl.create(t, fmt.Sprintf("INSERT INTO loose VALUES (%d, %s)", i+1, text))
			_, err := m.Find(ctx, i+1)
			require.Error(t, err, text)
			var ce *dbfleet.ColumnError
			require.ErrorAs(t, err, &ce)
			require.Equal(t, "at", ce.Column)
			_, err = dbfleet.Max[time.Time](ctx, m.Where("id", "=", i+1), "at")
			require.Error(t, err, text)
		}
		for text, want := range map[string]time.Time{
			"2024-03-10": time.Date(2024, 3, 10, 0, 0, 0, 0, time.UTC), "2024-03-10T07:08:09Z": time.Date(2024, 3, 10, 7, 8, 9, 0, time.UTC),
			"2024-03-10 07:08:09.5+05:30": time.Date(2024, 3, 10, 1, 38, 9, 500000000, time.UTC), "2024-03-10 07:08": time.Date(2024, 3, 10, 7, 8, 0, 0, time.UTC),
			"2024-03-10 07:08:09.123456789 -0500 EST m=+0.1": time.Date(2024, 3, 10, 12, 8, 9, 123456789, time.UTC),
		} {
			fl.create(t, "INSERT INTO loose VALUES (100, '"+text+"')")
			got, err := m.Find(ctx, 100)
			require.NoError(t, err)
			require.Equal(t, want, got.At, text)
			row, err := fl.DB("main").Table("loose").Find(ctx, 100)
			require.NoError(t, err)
			require.Equal(t, want, row["at"], text)
			fl.create(t, "DELETE FROM loose WHERE id = 100")
		}
		fl.create(t, "INSERT INTO loose VALUES (101, CURRENT_TIMESTAMP)")
		now, err := m.Find(ctx, 101)
		require.NoError(t, err)
		require.WithinDuration(t, time.Now(), now.At, time.Minute)
	})
}

// hazard 47
func TestTimes_DatesAreCivilDays(t *testing.T) {
	t.Parallel()
	type person struct {
		ID   int64
		Born dbfleet.Date
		Died *dbfleet.Date
		Met  sql.Null[dbfleet.Date]
	}
	onEach(t, func(t *testing.T, fl fleet) {
		ctx := t.Context()
		fl.create(t, `CREATE TABLE people (id {id}, born {date}, died {date}, met {date})`)
		m := model[person](t, fl.Registry, dbfleet.ModelConfig{Table: "people"})
		west, east := zone(t, "America/New_York"), zone(t, "Pacific/Kiritimati")
		for _, at := range []time.Time{
			time.Date(2024, 3, 10, 22, 0, 0, 0, west), time.Date(2024, 3, 10, 1, 0, 0, 0, east), time.Date(2024, 2, 29, 0, 0, 0, 0, west),
			time.Date(2024, 2, 29, 23, 59, 59, 999999999, time.UTC), time.Date(1, 1, 1, 0, 0, 0, 0, west), time.Date(9999, 12, 31, 23, 0, 0, 0, west),
		} {
			if fl.db.Dialect == "mysql" && at.Year() == 1 {
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
				map[string]string{"sqlite": "TEXT", "postgres": "TEXT", "mysql": "CHAR"}[fl.db.Dialect], p.ID)).Scan(&text))
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
		for _, bad := range []dbfleet.Date{{2023, 2, 29}, {2024, 13, 1}, {2024, 0, 1}, {0, 1, 1}, {-5, 1, 1}, {10000, 1, 1}, {2024, 1, 0}, {2024, 4, 31}} {
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
	onEach(t, func(t *testing.T, fl fleet) {
		ctx := t.Context()
		fl.create(t, `CREATE TABLE shifts (id {id}, starts TIME, ends TIME)`)
		m := model[shift](t, fl.Registry, dbfleet.ModelConfig{Table: "shifts"})
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

// Times in a transaction are those outside it.
func TestTimes_InTransactions(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
		fl.create(t, eventsTable(fl.db.Dialect))
		m := model[event](t, fl.Registry, dbfleet.ModelConfig{Table: "events", Timestamps: true})
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
