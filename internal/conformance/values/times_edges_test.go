package values

import (
	"database/sql"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// truth 404
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
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE zeros (id {id}, at {time}, due {time})`, `CREATE TABLE musts (id {id}, at {time} NOT NULL)`)
		m := conformance.Model[row](t, fl.Registry, dbfleet.ModelConfig{Table: "zeros"})
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
		strict := conformance.Model[must](t, fl.Registry, dbfleet.ModelConfig{Table: "musts"})
		require.ErrorIs(t, strict.Create(ctx, &must{}), dbfleet.ErrNotNull)
		require.NoError(t, strict.Create(ctx, &must{At: time.Now()}))
		_, err = strict.Query().AllRows().Update(ctx, dbfleet.Row{"at": time.Time{}})
		require.ErrorIs(t, err, dbfleet.ErrNotNull)
		loose := conformance.Model[must](t, fl.Registry, dbfleet.ModelConfig{Table: "zeros"})
		_, err = loose.Find(ctx, r.ID)
		require.ErrorIs(t, err, dbfleet.ErrNull)

		if fl.Database.Dialect == "mysql" {
			_, err = fl.DB("main").Pool().ExecContext(ctx, "INSERT INTO zeros (at) VALUES (?)", time.Time{})
			require.Error(t, err, "0000-00-00 is no date, through the pool itself either")
			// One that another program has stored is told, not read as a time.
			fl.Create(t, "SET STATEMENT sql_mode='' FOR INSERT INTO zeros (id, at) VALUES (99, '0000-00-00 00:00:00')")
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
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE ends (id {id}, at {time})`)
		type row struct {
			ID int64
			At time.Time
		}
		m := conformance.Model[row](t, fl.Registry, dbfleet.ModelConfig{Table: "ends"})
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
		if fl.Database.Dialect == "sqlite" {
			_, err = fl.DB("main").ExecContext(ctx, "INSERT INTO ends (at) VALUES (?)", time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC))
			require.Error(t, err, "its text would not sort")
		}
		if fl.Database.Dialect != "postgres" {
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

// truth 522
// hazard 44
func TestTimes_ComputedColumnsAreTimes(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, eventsTable(fl.Database.Dialect))
		m := conformance.Model[event](t, fl.Registry, dbfleet.ModelConfig{Table: "events", Timestamps: true})
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
		require.ErrorIs(t, err, dbfleet.ErrNotFound)
		row, err := fl.DB("main").Table("events").Max(ctx, "at")
		require.NoError(t, err)
		require.Equal(t, last, row)

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
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		if fl.Database.Dialect != "sqlite" {
			return // have types
		}
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE loose (id {id}, at DATETIME)`)
		type row struct {
			ID int64
			At time.Time
		}
		m := conformance.Model[row](t, fl.Registry, dbfleet.ModelConfig{Table: "loose"})
		for i, text := range []string{`'garbage'`, `'2024-02-30'`, `'2024-13-01 00:00:00'`, `''`, `'0000-00-00'`, `'24:00'`, `'2024-01-01 25:00:00'`, `1710054489`, `1.5`, `x'00'`, `'2024-01-01 00:00:00 Mars'`} {
			fl.Create(t, fmt.Sprintf("INSERT INTO loose VALUES (%d, %s)", i+1, text))
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
			fl.Create(t, "INSERT INTO loose VALUES (100, '"+text+"')")
			got, err := m.Find(ctx, 100)
			require.NoError(t, err)
			require.Equal(t, want, got.At, text)
			row, err := fl.DB("main").Table("loose").Find(ctx, 100)
			require.NoError(t, err)
			require.Equal(t, want, row["at"], text)
			fl.Create(t, "DELETE FROM loose WHERE id = 100")
		}
		fl.Create(t, "INSERT INTO loose VALUES (101, CURRENT_TIMESTAMP)")
		now, err := m.Find(ctx, 101)
		require.NoError(t, err)
		require.WithinDuration(t, time.Now(), now.At, time.Minute)
	})
}

// truth 408
func TestTimes_ThatOthersWroteInUTCAreFoundByAnIndex(t *testing.T) {
	t.Parallel()
	type entry struct {
		ID int64
		At time.Time
	}
	fl := conformance.OnSQLite(t)
	ctx := t.Context()
	fl.Create(t, `CREATE TABLE log (id {id}, at DATETIME)`, `CREATE INDEX log_at ON log (at)`, `INSERT INTO log (id, at) VALUES
		(1, '2024-05-06 07:08:08.999999+00:00'),
		(2, '2024-05-06 07:08:09'), (3, '2024-05-06 07:08:09+00:00'), (4, '2024-05-06 07:08:09.000'), (5, '2024-05-06 07:08:09.000000'), (6, '2024-05-06 07:08:09.000000+00:00'),
		(7, '2024-05-06 07:08:09.000001'), (8, '2024-05-06 07:08:09.5+00:00'), (9, '2024-05-06 07:08:09.500'), (10, '2024-05-06 07:08:10+00:00')`)
	m := conformance.Model[entry](t, fl.Registry, dbfleet.ModelConfig{Table: "log"})
	at := time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)
	half := at.Add(time.Second / 2)
	many := []time.Time{at, half}
	for i := range 9000 { // whose forms are more than a statement has room for
		many = append(many, at.AddDate(1, 0, i))
	}
	table := fl.DB("main").Table("log")
	for name, c := range map[string]struct {
		q    *dbfleet.Query[entry]
		want []int64
	}{
		"=":           {m.Where("at", "=", at), []int64{2, 3, 4, 5, 6}},
		"= pointer":   {m.Where("at", "=", &half), []int64{8, 9}},
		"= null":      {m.Where("at", "=", sql.NullTime{Time: half, Valid: true}), []int64{8, 9}},
		"col":         {m.Filter(dbfleet.Col[time.Time]("at").Eq(half)), []int64{8, 9}},
		"<>":          {m.Where("at", "<>", at), []int64{1, 7, 8, 9, 10}},
		"<":           {m.Where("at", "<", at), []int64{1}},
		"<=":          {m.Where("at", "<=", at), []int64{1, 2, 3, 4, 5, 6}},
		">":           {m.Where("at", ">", at), []int64{7, 8, 9, 10}},
		">=":          {m.Where("at", ">=", at), []int64{2, 3, 4, 5, 6, 7, 8, 9, 10}},
		"between":     {m.Query().WhereBetween("at", at, half), []int64{2, 3, 4, 5, 6, 7, 8, 9}},
		"not between": {m.Filter(dbfleet.Col[time.Time]("at").NotBetween(at, half)), []int64{1, 10}},
		"in":          {m.WhereIn("at", []time.Time{half, at}), []int64{2, 3, 4, 5, 6, 8, 9}},
		"in any":      {m.WhereIn("at", []any{half, nil}), []int64{8, 9}},
		"in many":     {m.WhereIn("at", many), []int64{2, 3, 4, 5, 6, 8, 9}},
		"not in":      {m.Query().WhereNotIn("at", []time.Time{half, at}), []int64{1, 7, 10}},
		"not in many": {m.Query().WhereNotIn("at", many), []int64{1, 7, 10}},
	} {
		got, err := dbfleet.Pluck[int64](ctx, c.q.OrderBy("id", dbfleet.Asc), "id")
		require.NoError(t, err, name)
		require.Equal(t, c.want, got, name)
	}
	n, err := table.Where("at", "=", half).Count(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 2, n)
	n, err = table.WhereBetween("at", half, half).Count(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 2, n)
	sorted, err := dbfleet.Pluck[time.Time](ctx, m.OrderBy("at", dbfleet.Asc), "at")
	require.NoError(t, err)
	require.True(t, slices.IsSortedFunc(sorted, time.Time.Compare), "%v", sorted)

	for name, q := range map[string]*dbfleet.Query[entry]{
		"=": m.Where("at", "=", at), "in": m.WhereIn("at", []time.Time{at, half}), ">": m.Where("at", ">", at), "between": m.Query().WhereBetween("at", at, half),
	} {
		plan, err := dbfleet.Explain(ctx, q)
		require.NoError(t, err, name)
		require.Contains(t, plan.Text, "log_at", name)
	}

	e, err := m.Find(ctx, 8)
	require.NoError(t, err)
	require.Equal(t, half, e.At)
	changed, err := m.Where("at", "=", e.At).Update(ctx, dbfleet.Row{"at": at})
	require.NoError(t, err)
	require.EqualValues(t, 2, changed)
}

// truth 408
func TestTimes_ThatOthersWroteAreKeys(t *testing.T) {
	t.Parallel()
	fl := conformance.OnSQLite(t)
	fl.Create(t, `CREATE TABLE ticks (at DATETIME PRIMARY KEY, n {bigint})`)
	findTicks[time.Time](t, fl)
	findTicks[sql.NullTime](t, fl)
	findTicks[moment](t, fl)
}

// findTicks finds, saves and deletes a record whose key is a time.
func findTicks[V any](t *testing.T, fl conformance.Fleet) {
	t.Helper()
	type tick struct {
		At V
		N  int64
	}
	ctx := t.Context()
	m := conformance.Model[tick](t, fl.Registry, dbfleet.ModelConfig{Table: "ticks", PrimaryKey: []string{"at"}})
	for _, text := range []string{"2024-05-06 07:08:09.5+00:00", "2024-05-06", "2024-05-06 07:08:09"} {
		fl.Create(t, `INSERT INTO ticks VALUES ('`+text+`', 1)`)
		x, err := m.First(ctx)
		require.NoError(t, err, text)
		x, err = m.Find(ctx, x.At)
		require.NoError(t, err, text)
		x.N = 2
		require.NoError(t, m.Save(ctx, &x), text)
		x, err = m.Find(ctx, x.At)
		require.NoError(t, err, text)
		require.EqualValues(t, 2, x.N, text)
		require.NoError(t, m.Delete(ctx, &x), text)
		n, err := m.Count(ctx)
		require.NoError(t, err)
		require.Zero(t, n, text)
	}
}
