package queries

import (
	"database/sql"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// hazard 84, 92: a table that changes under a running program: columns are
// found by name, and one that the struct does not have is no trouble.
func TestQuery_SurvivesChangesOfItsTable(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		l := newLibrary(t, fl)
		ctx := t.Context()
		ask := func() {
			t.Helper()
			var wg sync.WaitGroup
			for range 4 { // on several warm connections
				wg.Go(func() {
					for range 3 {
						got, err := l.people.Where("id", "=", 1).First(ctx)
						if err != nil || got.Name != "ada" || *got.Age != 36 {
							t.Errorf("%v %v", got, err)
						}
						row, err := fl.DB("main").Table("people").Where("id", "=", 1).First(ctx)
						if err != nil || row["name"] != "ada" || fmt.Sprint(row["age"]) != "36" {
							t.Errorf("%v %v", row, err)
						}
						list, err := l.people.Select("*").OrderBy("id", dbfleet.Asc).Limit(2).Get(ctx)
						if err != nil || len(list) != 2 || list[1].Name != "bob" {
							t.Errorf("%v %v", list, err)
						}
					}
				})
			}
			wg.Wait()
		}
		ask()
		fl.Create(t, `ALTER TABLE people ADD COLUMN extra {text}`)
		ask()
		fl.Create(t, `ALTER TABLE people ADD COLUMN age2 {bigint}`, `UPDATE people SET age2 = age`, `ALTER TABLE people DROP COLUMN age`, `ALTER TABLE people RENAME COLUMN age2 TO age`)
		ask()
		row, err := fl.DB("main").Table("people").Where("id", "=", 1).First(ctx)
		require.NoError(t, err)
		require.Contains(t, row, "extra")
		idle(t, fl.Registry, "main")
	})
}

// hazard 118: a query of a table that is not there leaves nothing behind.
func TestQuery_MissingTableIsAnErrorEverywhere(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		nowhere := conformance.Model[person](t, fl.Registry, dbfleet.ModelConfig{Table: "nowhere"})
		for claim, f := range map[string]func() error{
			"get":    func() error { _, err := nowhere.Get(ctx); return err },
			"first":  func() error { _, err := nowhere.First(ctx); return err },
			"find":   func() error { _, err := nowhere.Find(ctx, 1); return err },
			"count":  func() error { _, err := nowhere.Count(ctx); return err },
			"exists": func() error { _, err := nowhere.Query().Exists(ctx); return err },
			"sum":    func() error { _, err := nowhere.Query().Sum(ctx, "age"); return err },
			"max":    func() error { _, err := nowhere.Query().Max(ctx, "age"); return err },
			"pluck":  func() error { _, err := dbfleet.Pluck[int](ctx, nowhere, "age"); return err },
			"loose":  func() error { _, err := nowhere.Query().Pluck(ctx, "age"); return err },
			"iter": func() error {
				for _, err := range nowhere.Query().Iter(ctx) {
					return err
				}
				return nil
			},
			"update": func() error {
				_, err := nowhere.Where("id", "=", 1).Update(ctx, map[string]any{"name": "x"})
				return err
			},
			"delete": func() error { _, err := nowhere.Where("id", "=", 1).Delete(ctx); return err },
			"table":  func() error { _, err := fl.DB("main").Table("nowhere").Get(ctx); return err },
			"column": func() error {
				fl.Create(t, `CREATE TABLE IF NOT EXISTS here (id {id})`)
				_, err := fl.DB("main").Table("here").Where("nope", "=", "nope").Get(ctx)
				return err
			},
			"order": func() error {
				fl.Create(t, `CREATE TABLE IF NOT EXISTS here (id {id})`)
				_, err := fl.DB("main").Table("here").OrderBy("nope", "asc").Get(ctx)
				return err
			},
			"grouped": func() error { _, err := nowhere.Query().GroupBy("id").Count(ctx); return err },
		} {
			err := f()
			var told *dbfleet.QueryError
			require.ErrorAs(t, err, &told, claim)
			if fl.Database.Dialect != "sqlite" { // which has no code for it
				require.ErrorIs(t, err, dbfleet.ErrUndefined, claim)
			}
			require.NotErrorIs(t, err, sql.ErrNoRows, claim)
			idle(t, fl.Registry, "main")
		}
	})
}
