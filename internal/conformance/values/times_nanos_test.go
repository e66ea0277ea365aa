package values

import (
	"database/sql"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// truth 415
// Other drivers store all digits of a time, as time.Now gives them.
func TestTimes_OfNanosecondsThatOthersWroteAreFound(t *testing.T) {
	t.Parallel()
	type entry struct {
		ID      int64
		At      time.Time
		Entries []entry `db:"-"`
	}
	fl := conformance.OnSQLite(t)
	ctx := t.Context()
	fl.Create(t, `CREATE TABLE log (id {id}, at DATETIME)`, `CREATE INDEX log_at ON log (at)`, `INSERT INTO log (id, at) VALUES
		(1, '2024-05-06 07:08:09.123456789'), (2, '2024-05-06 07:08:09.123456789+00:00'), (3, '2024-05-06 07:08:09.1234567'), (4, '2024-05-06 07:08:09.123456700+00:00'),
		(5, '2024-05-06 07:08:09.123457'), (6, '2024-05-06 07:08:09.123455999'), (7, '2024-05-06 07:08:09.123456')`)
	m := conformance.Model[entry](t, fl.Registry, dbfleet.ModelConfig{Table: "log"})
	related := dbfleet.HasMany(m, m, dbfleet.On("at", "at"), func(e *entry) *[]entry { return &e.Entries })
	table := fl.DB("main").Table("log")
	one, err := m.Find(ctx, 1)
	require.NoError(t, err)
	at, three := one.At, one.At.Add(-89)
	require.Equal(t, 123456789, at.Nanosecond())
	for name, c := range map[string]struct {
		q    *dbfleet.Query[entry]
		want []int64
	}{
		"=":             {m.Where("at", "=", at), []int64{1, 2, 7}}, // 7 is how it is written here
		"= pointer":     {m.Where("at", "=", &three), []int64{3, 4, 7}},
		"= null":        {m.Where("at", "=", sql.NullTime{Time: at, Valid: true}), []int64{1, 2, 7}},
		"= any":         {m.Filter(dbfleet.Col[any]("at").Eq(at)), []int64{1, 2, 7}},
		"= text":        {m.Where("at", "=", "2024-05-06 07:08:09.123456789"), []int64{1, 2, 7}},
		"= microsecond": {m.Where("at", "=", at.Truncate(time.Microsecond)), []int64{7}},
		"col":           {m.Filter(dbfleet.Col[time.Time]("at").Eq(at)), []int64{1, 2, 7}},
		"<>":            {m.Where("at", "<>", at), []int64{3, 4, 5, 6}},
		"in":            {m.WhereIn("at", []time.Time{at, three}), []int64{1, 2, 3, 4, 7}},
		"in pointers":   {m.WhereIn("at", []*time.Time{nil, &at}), []int64{1, 2, 7}},
		"in any":        {m.WhereIn("at", []any{nil, at, "2024-05-06 07:08:09.123457"}), []int64{1, 2, 5, 7}},
		"not in":        {m.Query().WhereNotIn("at", []time.Time{at, three}), []int64{5, 6}},
		"<":             {m.Where("at", "<", at), []int64{6}},
		">=":            {m.Where("at", ">=", at), []int64{1, 2, 3, 4, 5, 7}},
		"<=":            {m.Where("at", "<=", at), []int64{1, 2, 3, 4, 6, 7}},
		">":             {m.Where("at", ">", at), []int64{5}},
		"between":       {m.Query().WhereBetween("at", at, at), []int64{1, 2, 3, 4, 7}},
		"relation":      {related.For(&one), []int64{1, 2, 7}},
	} {
		got, err := dbfleet.Pluck[int64](ctx, c.q.OrderBy("id", dbfleet.Asc), "id")
		require.NoError(t, err, name)
		require.Equal(t, c.want, got, name)
	}
	n, err := table.Where("at", "=", at).Count(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 3, n)
	n, err = table.WhereIn("at", []time.Time{at, three}).Count(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 5, n)
	with, err := m.Where("id", "=", 1).With(related).First(ctx)
	require.NoError(t, err)
	require.Len(t, with.Entries, 3)
	plan, err := dbfleet.Explain(ctx, m.Where("at", "=", at))
	require.NoError(t, err)
	require.Contains(t, plan.Text, "log_at")

	fl.Create(t, `CREATE TABLE ticks (at DATETIME PRIMARY KEY, n {bigint})`)
	for _, text := range []string{"2024-05-06 07:08:09.123456789", "2024-05-06 07:08:09.1234567+00:00"} {
		fl.Create(t, `INSERT INTO ticks VALUES ('`+text+`', 1)`)
		tickOfNanos(t, fl)
	}
}

// tickOfNanos finds, saves and deletes the one record by its key.
func tickOfNanos(t *testing.T, fl conformance.Fleet) {
	t.Helper()
	type tick struct {
		At time.Time
		N  int64
	}
	ctx := t.Context()
	m := conformance.Model[tick](t, fl.Registry, dbfleet.ModelConfig{Table: "ticks", PrimaryKey: []string{"at"}})
	x, err := m.First(ctx)
	require.NoError(t, err)
	x, err = m.Find(ctx, x.At)
	require.NoError(t, err)
	x.N = 2
	require.NoError(t, m.Save(ctx, &x))
	x, err = m.Find(ctx, x.At)
	require.NoError(t, err)
	require.EqualValues(t, 2, x.N)
	require.NoError(t, m.Delete(ctx, &x))
	n, err := m.Count(ctx)
	require.NoError(t, err)
	require.Zero(t, n)
}
