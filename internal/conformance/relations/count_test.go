package relations

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// tallies are the aggregates of a writer's essays.
func tallies(essays dbfleet.Relation[writer]) []dbfleet.Relation[writer] {
	return []dbfleet.Relation[writer]{
		dbfleet.CountRelated(essays, func(w *writer) *int64 { return &w.Total }),
		dbfleet.ExistsRelated(essays, func(w *writer) *bool { return &w.Some }),
		dbfleet.SumRelated(essays, "views", func(w *writer) **int64 { return &w.Sum }),
		dbfleet.MaxRelated(essays, "views", func(w *writer) **int64 { return &w.Most }),
		dbfleet.MinRelated(essays, "views", func(w *writer) **int64 { return &w.Least }),
		dbfleet.AvgRelated(essays, "views", func(w *writer) **float64 { return &w.Mean }),
	}
}

// tallied is the writer with what Go makes of essays.
func tallied(w writer, essays []essay) writer {
	w.Total, w.Some = int64(len(essays)), len(essays) > 0
	var sum int64
	for _, e := range essays {
		sum += e.Views
		if w.Least == nil || e.Views < *w.Least {
			w.Least = at(e.Views)
		}
		if w.Most == nil || e.Views > *w.Most {
			w.Most = at(e.Views)
		}
	}
	if len(essays) > 0 {
		w.Sum, w.Mean = &sum, at(float64(sum)/float64(len(essays)))
	}
	return w
}

// Aggregates of related records are those of the same rows in Go, one statement each.
func TestCountRelated_TellsWhatGoCounts(t *testing.T) {
	t.Parallel()
	onLayouts(t, func(t *testing.T, s *shelf, random *rand.Rand) {
		sent := conformance.Statements(t, s.Registry)
		for range 10 {
			c := s.aboutEssay(random, 0)
			scope := func(q *dbfleet.Query[essay]) *dbfleet.Query[essay] { return q.Filter(c.cond).OrderBy("id", "desc") }
			sent()
			list, err := s.writers.With(tallies(s.essaysOf.Scope(scope))...).OrderBy("id", "asc").Get(t.Context())
			require.NoError(t, err)
			require.Equal(t, map[string]int{"select": 7}, sent())
			pairs, err := s.writers.With(tallies(s.byTenant.Scope(scope))...).OrderBy("id", "asc").Get(t.Context())
			require.NoError(t, err)
			require.Equal(t, map[string]int{"select": 7}, sent())
			for i, w := range s.allWriters {
				mine := picked(s.essaysBy(w), c.says)
				require.Equal(t, tallied(w, mine), list[i], "%s of %d", c.text, w.ID)
				require.Equal(t, tallied(w, picked(mine, func(e essay) bool { return same(e.Tenant, &w.Tenant) })), pairs[i], "%s of %d", c.text, w.ID)
			}
		}
	})
}

// Also where a condition about records of a third database narrows what is counted, and
// of the only parent.
func TestCountRelated_TakesConditionsOfOtherDatabases(t *testing.T) {
	t.Parallel()
	onLayouts(t, func(t *testing.T, s *shelf, random *rand.Rand) {
		c := s.aboutEssay(random, 1)
		narrowed := s.essaysOf.Scope(func(q *dbfleet.Query[essay]) *dbfleet.Query[essay] { return q.Filter(c.cond) })
		for _, w := range s.allWriters {
			one, err := s.writers.With(tallies(narrowed)...).Find(t.Context(), w.ID)
			require.NoError(t, err)
			require.Equal(t, tallied(w, picked(s.essaysBy(w), c.says)), one, c.text)
		}
	})
}

type tag struct {
	ID     int64
	Code   string
	Uses   int64  `db:"-"`
	Longer string `db:"-"`
}

type use struct {
	ID   int64
	Code string
}

// Which keys are equal is the related database's affair, as for With.
func TestCountRelated_KeysThatOnlyTheDatabaseTellsApart(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		folded := map[string]string{"sqlite": "TEXT COLLATE NOCASE", "postgres": "CITEXT", "mysql": "VARCHAR(20) COLLATE utf8mb4_general_ci"}[fl.Database.Dialect]
		exact := map[string]string{"sqlite": "TEXT", "postgres": "TEXT", "mysql": "VARCHAR(20) COLLATE utf8mb4_bin"}[fl.Database.Dialect]
		if fl.Database.Dialect == "postgres" {
			_, err := fl.DB("main").ExecContext(t.Context(), "CREATE EXTENSION citext")
			require.NoError(t, err)
		}
		fl.Create(t, "CREATE TABLE tags (id {id}, code "+exact+")", "CREATE TABLE uses (id {id}, code "+folded+")")
		tags := conformance.Model[tag](t, fl.Registry, dbfleet.ModelConfig{Table: "tags"})
		uses := conformance.Model[use](t, fl.Registry, dbfleet.ModelConfig{Table: "uses"})
		require.NoError(t, tags.CreateMany(t.Context(), []tag{{Code: "ada"}, {Code: "ADA"}, {Code: "bob"}, {Code: "éa"}, {Code: "none"}}))
		require.NoError(t, uses.CreateMany(t.Context(), []use{{Code: "Ada"}, {Code: "ada"}, {Code: "BOB"}, {Code: "éa"}}))
		usesOf := dbfleet.HasMany(tags, uses, dbfleet.On("code", "code"), func(*tag) *[]use { return new([]use) })
		list, err := tags.With(dbfleet.CountRelated(usesOf, func(g *tag) *int64 { return &g.Uses }), dbfleet.MaxRelated(usesOf, "code", func(g *tag) *string { return &g.Longer })).OrderBy("id", "asc").Get(t.Context())
		require.NoError(t, err)
		for _, g := range list {
			n, err := usesOf.For(&g).Count(t.Context())
			require.NoError(t, err)
			require.Equal(t, n, g.Uses, g.Code)
			require.Equal(t, n > 0, g.Longer != "", g.Code)
		}
		require.Equal(t, []int64{2, 2, 1, 1, 0}, []int64{list[0].Uses, list[1].Uses, list[2].Uses, list[3].Uses, list[4].Uses})
	})
}
