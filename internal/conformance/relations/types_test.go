package relations

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// article and film are what remarks are about.
type article struct {
	ID      int64
	Title   string
	Remarks []remark
	Latest  *remark
}

type film struct {
	ID      int64
	Title   string
	Remarks []remark
}

type remark struct {
	ID          int64
	SubjectType *string
	SubjectID   *int64
	Body        string
	Article     *article
	Film        *film
}

// A record that refers to several tables: from each of them its own, and back to one
// owner by the field of its type.
func TestOnType_RelatesRecordsOfOneTypeAlone(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE articles (id {id}, title {text} NOT NULL)`, `CREATE TABLE films (id {id}, title {text} NOT NULL)`,
			`CREATE TABLE remarks (id {id}, subject_type {text}, subject_id {bigint}, body {text} NOT NULL)`)
		articles := conformance.Model[article](t, fl.Registry, dbfleet.ModelConfig{Table: "articles"})
		films := conformance.Model[film](t, fl.Registry, dbfleet.ModelConfig{Table: "films"})
		remarks := conformance.Model[remark](t, fl.Registry, dbfleet.ModelConfig{Table: "remarks"})
		require.NoError(t, articles.CreateMany(ctx, []article{{ID: 1, Title: "a1"}, {ID: 2, Title: "a2"}}))
		require.NoError(t, films.CreateMany(ctx, []film{{ID: 1, Title: "f1"}, {ID: 2, Title: "f2"}}))
		kind := func(s string) *string { return &s }
		id := func(n int64) *int64 { return &n }
		require.NoError(t, remarks.CreateMany(ctx, []remark{
			{ID: 1, SubjectType: kind("article"), SubjectID: id(1), Body: "on a1"},
			{ID: 2, SubjectType: kind("film"), SubjectID: id(1), Body: "on f1"},
			{ID: 3, SubjectType: kind("article"), SubjectID: id(1), Body: "on a1 too"},
			{ID: 4, SubjectType: kind("film"), SubjectID: id(2), Body: "on f2"},
			{ID: 5, SubjectID: id(1), Body: "on nothing"},
			{ID: 6, SubjectType: kind("article"), SubjectID: id(9), Body: "on what is gone"},
		}))
		ofArticle := dbfleet.OnType("subject_type", "article").And("subject_id")
		ofFilm := dbfleet.OnType("subject_type", "film").And("subject_id")
		byID := func(q *dbfleet.Query[remark]) *dbfleet.Query[remark] { return q.OrderBy("id", "asc") }
		remarksOf := dbfleet.HasMany(articles, remarks, ofArticle, func(a *article) *[]remark { return &a.Remarks }).Scope(byID)
		latestOf := dbfleet.HasOne(articles, remarks, ofArticle, func(a *article) **remark { return &a.Latest }).
			Scope(func(q *dbfleet.Query[remark]) *dbfleet.Query[remark] { return q.OrderBy("id", "desc") })
		remarksOn := dbfleet.HasMany(films, remarks, ofFilm, func(f *film) *[]remark { return &f.Remarks }).Scope(byID)
		articleOf := dbfleet.BelongsTo(remarks, articles, ofArticle, func(r *remark) **article { return &r.Article })
		filmOf := dbfleet.BelongsTo(remarks, films, ofFilm, func(r *remark) **film { return &r.Film })
		bodies := func(list []remark) (out []string) {
			for _, r := range list {
				out = append(out, r.Body)
			}
			return out
		}

		list, err := articles.With(remarksOf, latestOf).OrderBy("id", "asc").Get(ctx)
		require.NoError(t, err)
		require.Equal(t, []string{"on a1", "on a1 too"}, bodies(list[0].Remarks))
		require.Equal(t, "on a1 too", list[0].Latest.Body)
		require.Empty(t, list[1].Remarks)
		require.Nil(t, list[1].Latest)
		lazy, err := remarksOf.For(&list[0]).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, list[0].Remarks, lazy)
		seen, err := films.With(remarksOn).OrderBy("id", "asc").Get(ctx)
		require.NoError(t, err)
		require.Equal(t, []string{"on f1"}, bodies(seen[0].Remarks))
		require.Equal(t, []string{"on f2"}, bodies(seen[1].Remarks))

		// Back, also with a select list that lacks the columns.
		all, err := remarks.Select("body").With(articleOf, filmOf).OrderBy("id", "asc").Get(ctx)
		require.NoError(t, err)
		var owners []string
		for _, r := range all {
			owner := "-"
			if r.Article != nil {
				owner = r.Article.Title
			}
			if r.Film != nil {
				owner += r.Film.Title
			}
			owners = append(owners, owner)
		}
		require.Equal(t, []string{"a1", "-f1", "a1", "-f2", "-", "-"}, owners)
		_, err = filmOf.For(&all[0]).First(ctx)
		require.ErrorIs(t, err, dbfleet.ErrNotFound, "id 1 is an article's")

		// As conditions, and their contrary, which is never NULL.
		count := func(c dbfleet.Cond) int64 {
			n, err := remarks.Filter(c).Count(ctx)
			require.NoError(t, err)
			return n
		}
		require.EqualValues(t, 2, count(articleOf.Has()))
		require.EqualValues(t, 4, count(articleOf.HasNone()))
		require.EqualValues(t, 4, count(dbfleet.Not(articleOf.Has())))
		require.EqualValues(t, 2, count(filmOf.Has()))
		n, err := articles.Filter(remarksOf.Has()).Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)

		// Only the database could tell whether this is the type.
		require.NoError(t, remarks.Create(ctx, &remark{ID: 7, SubjectType: kind("Article"), SubjectID: id(1), Body: "in upper case"}))
		_, err = remarks.With(articleOf).Get(ctx)
		var fault *dbfleet.ColumnError
		require.ErrorAs(t, err, &fault)
		require.Equal(t, "subject_type", fault.Column)
		_, err = remarks.With(filmOf).Get(ctx)
		require.NoError(t, err)
	})
}

// What is wrong with a type is told before anything is sent.
func TestOnType_FaultsAreToldWhenUsed(t *testing.T) {
	t.Parallel()
	fl := conformance.OnSQLite(t)
	articles := conformance.Model[article](t, fl.Registry, dbfleet.ModelConfig{Table: "articles"})
	remarks := conformance.Model[remark](t, fl.Registry, dbfleet.ModelConfig{Table: "remarks"})
	for says, link := range map[string]dbfleet.Link{
		"names no column":           dbfleet.OnType("subject_type", "article"),
		"nope":                      dbfleet.OnType("nope", "article").And("subject_id"),
		`"subject_type" is nil`:     dbfleet.OnType("subject_type", nil).And("subject_id"),
		`its column "subject_id"`:   dbfleet.OnType("subject_id", 1).And("subject_id"),
		`its column "subject_type"`: dbfleet.OnType("subject_type", "a").AndType("subject_type", "b").And("subject_id"),
		"a []string is a list":      dbfleet.OnType("subject_type", []string{"a"}).And("subject_id"),
		"not one value":             dbfleet.OnType("subject_type", articles.Select("title")).And("subject_id"),
		"subject_id":                dbfleet.OnType("subject_id", "no number").And("subject_type"),
	} {
		_, err := remarks.With(dbfleet.BelongsTo(remarks, articles, link, func(r *remark) **article { return &r.Article })).Get(t.Context())
		require.ErrorContains(t, err, says)
		_, err = articles.With(dbfleet.HasMany(articles, remarks, link, func(a *article) *[]remark { return &a.Remarks })).Get(t.Context())
		require.ErrorContains(t, err, says)
	}
}
