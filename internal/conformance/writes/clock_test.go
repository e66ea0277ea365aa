package writes

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

type clocked struct {
	dbfleet.Snapshot
	ID      int64
	Code    string
	N       int
	Made    time.Time
	Changed *time.Time
	Gone    *time.Time
	Rev     int64
}

// longAgo is what the clocks of the servers of a test say.
var longAgo = time.Date(2001, 9, 9, 1, 46, 40, 0, time.UTC)

// withOtherClock is a fleet whose servers have another clock than the program. SQLite's is
// the machine's own, which it reads to the millisecond.
func withOtherClock(t *testing.T, db dbtest.Database) conformance.Fleet {
	t.Helper()
	config := conformance.ConnectionTo(db)
	switch db.Dialect {
	case "postgres":
		before := conformance.Fleet{Database: db, Registry: conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config})}
		before.Create(t, `CREATE SCHEMA other`, `CREATE FUNCTION other.statement_timestamp() RETURNS TIMESTAMPTZ LANGUAGE sql AS $$ SELECT TIMESTAMPTZ '2001-09-09 01:46:40Z' $$`)
		config.Params = map[string]string{"search_path": "other,pg_catalog,public"}
	case "mysql":
		config.Params = map[string]string{"timestamp": "1000000000"}
	}
	return conformance.Fleet{Database: db, Registry: conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config})}
}

func TestDatabaseClock_SetsEachTime(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
		fl, ctx := withOtherClock(t, db), t.Context()
		at := func(got *time.Time) {
			t.Helper()
			require.NotNil(t, got)
			if db.Dialect == "sqlite" {
				require.Zero(t, got.Nanosecond()%int(time.Millisecond), "%s", got)
				require.WithinDuration(t, time.Now(), *got, time.Hour)
				return
			}
			require.Equal(t, longAgo, *got)
		}
		schema := map[string]string{"postgres": "public."}[db.Dialect]
		fl.Create(t, `CREATE TABLE `+schema+`clocked (id {id}, code VARCHAR(20) NOT NULL UNIQUE, n {int} NOT NULL, made {time} NOT NULL, changed {time}, gone {time}, rev {bigint} NOT NULL)`)
		m := conformance.Model[clocked](t, fl.Registry, dbfleet.ModelConfig{
			Table: schema + "clocked", Timestamps: true, CreatedAt: "made", UpdatedAt: "changed", SoftDelete: "gone", Version: "rev", DatabaseClock: true,
		})
		spoil := func() {
			t.Helper()
			fl.Create(t, `UPDATE `+schema+`clocked SET changed = NULL, made = '2020-01-01 00:00:00.000001'`)
		}
		changed := func(code string) clocked {
			t.Helper()
			r, err := m.Query().WithDeleted().Where("code", "=", code).First(ctx)
			require.NoError(t, err)
			at(r.Changed)
			return r
		}
		a := clocked{Code: "a"}
		require.NoError(t, m.Create(ctx, &a))
		at(&a.Made)
		at(a.Changed)
		require.Equal(t, a, changed("a"), "the record is the row")
		list := []clocked{{Code: "b"}, {Code: "c"}}
		require.NoError(t, m.CreateMany(ctx, list))
		at(&list[1].Made)
		require.Equal(t, list[0].Made, list[1].Made, "one time for a call")
		require.Equal(t, list[1], changed("c"))

		for name, write := range map[string]func() error{
			"Save":        func() error { a.N++; return m.Save(ctx, &a) },
			"SaveColumns": func() error { a.N++; return m.SaveColumns(ctx, &a, "n") },
			"SaveChanges": func() error { a.N++; return dbfleet.SaveChanges(ctx, m, &a) },
			"SaveMany":    func() error { return m.SaveMany(ctx, []clocked{a}) },
			"Touch":       func() error { return dbfleet.Touch(ctx, m, &a) },
			"TouchRows":   func() error { _, err := dbfleet.TouchRows(ctx, m.Where("code", "=", "a")); return err },
			"Update": func() error {
				_, err := m.Where("code", "=", "a").Update(ctx, dbfleet.Row{"n": 5})
				return err
			},
			"Increment": func() error { _, err := m.Where("code", "=", "a").Increment(ctx, "n", 5); return err },
			"Upsert":    func() error { return m.Upsert(ctx, &clocked{Code: "a"}, dbfleet.Conflict{Key: byCode}) },
			"UpsertMany": func() error {
				return m.UpsertMany(ctx, []clocked{{Code: "a"}, {Code: "b"}}, dbfleet.Conflict{Key: byCode})
			},
			"UpdateOrCreate": func() error { _, err := m.UpdateOrCreate(ctx, &clocked{Code: "a"}, "code"); return err },
			"in a transaction": func() error {
				return fl.Transaction(ctx, "main", func(ctx context.Context, _ *dbfleet.Tx) error { return m.Save(ctx, &a) })
			},
		} {
			spoil()
			require.NoError(t, write(), name)
			require.NotEmpty(t, changed("a").Made, name)
			require.NoError(t, m.Refresh(ctx, &a))
		}
		_, err := m.Query().Insert(ctx, dbfleet.Row{"code": "d", "n": 1}, dbfleet.Row{"code": "e", "n": 1})
		require.NoError(t, err)
		require.NoError(t, m.Query().Upsert(ctx, dbfleet.Row{"code": "f", "n": 1}, dbfleet.Conflict{Key: byCode}))
		_, err = m.Load(ctx, slices.Values([]clocked{{Code: "g"}, {Code: "h"}}))
		require.NoError(t, err)
		_, err = dbfleet.InsertFrom(ctx, m, []string{"code", "n"}, m.Where("code", "=", "g").SelectValue(dbfleet.Value("i"), "code").Select("n"))
		require.NoError(t, err)
		for _, code := range []string{"d", "e", "f", "g", "h", "i"} {
			r := changed(code)
			at(&r.Made)
		}

		require.NoError(t, m.Delete(ctx, &a))
		at(a.Gone)
		at(a.Changed)
		require.Equal(t, a.Gone, changed("a").Gone)
		spoil()
		require.NoError(t, m.Refresh(ctx, &list[1]))
		_, err = m.Where("code", "=", "c").Delete(ctx)
		require.NoError(t, err)
		at(changed("c").Gone)
		spoil()
		n, err := dbfleet.RestoreRows(ctx, m.Where("code", "=", "c"))
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		require.Nil(t, changed("c").Gone)
	})
}

// A transaction that is undone leaves the record as it was, and each call asks the clock once.
func TestDatabaseClock_AsksOnceForACall(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		fl.Create(t, `CREATE TABLE clocked (id {id}, code VARCHAR(20) NOT NULL UNIQUE, n {int} NOT NULL, made {time} NOT NULL, changed {time}, gone {time}, rev {bigint} NOT NULL)`)
		m := conformance.Model[clocked](t, fl.Registry, dbfleet.ModelConfig{
			Table: "clocked", Timestamps: true, CreatedAt: "made", UpdatedAt: "changed", DatabaseClock: true,
		})
		questions := 0
		fl.DB("main").OnAfterQuery(func(_ context.Context, e dbfleet.QueryEvent) {
			if e.Op == "select" {
				questions++
			}
		})
		ctx, undo := t.Context(), errors.New("undo")
		r := clocked{Code: "a"}
		require.ErrorIs(t, fl.Transaction(ctx, "main", func(ctx context.Context, _ *dbfleet.Tx) error {
			require.NoError(t, m.Create(ctx, &r))
			require.False(t, r.Made.IsZero())
			return undo
		}), undo)
		require.True(t, r.Made.IsZero())
		require.Equal(t, 1, questions)
		many := make([]clocked, 1500)
		for i := range many {
			many[i].Code = time.Duration(i).String()
		}
		require.NoError(t, m.CreateMany(ctx, many))
		require.Equal(t, 2, questions)
		_, err := m.Where("n", "=", 0).Update(ctx, dbfleet.Row{"n": 1})
		require.NoError(t, err)
		require.Equal(t, 3, questions)
	})
}

func TestDatabaseClock_NeedsATimeToSet(t *testing.T) {
	t.Parallel()
	fl := conformance.OnSQLite(t)
	_, err := dbfleet.NewModel[clocked](fl.Registry, dbfleet.ModelConfig{Table: "clocked", DatabaseClock: true})
	require.ErrorContains(t, err, "DatabaseClock")
}
