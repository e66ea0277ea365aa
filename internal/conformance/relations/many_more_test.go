package relations

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

type label struct {
	ID       int64
	Name     string
	Articles []shown
	Films    []shown
}

type shown struct {
	ID     int64
	Title  string
	Labels []label
}

type labelling struct {
	ID          int64
	LabelID     int64
	SubjectType string
	SubjectID   int64
	DeletedAt   *time.Time
}

// labels are of articles and of films, tied by one pivot with a type, whose rows stay
// when they are deleted.
type labels struct {
	labels          *dbfleet.Model[label]
	articles, films *dbfleet.Model[shown]
	rows            *dbfleet.Model[labelling]
}

func newLabels(t *testing.T, fl conformance.Fleet, soft string) labels {
	t.Helper()
	fl.Create(t, `CREATE TABLE labels (id {id}, name {text} NOT NULL)`, `CREATE TABLE articles (id {id}, title {text} NOT NULL)`, `CREATE TABLE films (id {id}, title {text} NOT NULL)`,
		`CREATE TABLE labellings (id {id}, label_id {bigint} NOT NULL, subject_type {text} NOT NULL, subject_id {bigint} NOT NULL, deleted_at {time}, UNIQUE (label_id, subject_type, subject_id))`)
	l := labels{
		conformance.Model[label](t, fl.Registry, dbfleet.ModelConfig{Table: "labels"}),
		conformance.Model[shown](t, fl.Registry, dbfleet.ModelConfig{Table: "articles"}),
		conformance.Model[shown](t, fl.Registry, dbfleet.ModelConfig{Table: "films"}),
		conformance.Model[labelling](t, fl.Registry, dbfleet.ModelConfig{Table: "labellings", SoftDelete: soft}),
	}
	ctx := t.Context()
	require.NoError(t, l.labels.CreateMany(ctx, []label{{ID: 1, Name: "new"}, {ID: 2, Name: "old"}}))
	require.NoError(t, l.articles.CreateMany(ctx, []shown{{ID: 1, Title: "a1"}, {ID: 2, Title: "a2"}}))
	require.NoError(t, l.films.CreateMany(ctx, []shown{{ID: 1, Title: "f1"}, {ID: 2, Title: "f2"}}))
	return l
}

func (l labels) of(of *dbfleet.Model[shown], kind string) dbfleet.ToManyPivot[shown, label, labelling] {
	return dbfleet.ManyToMany(of, l.labels, l.rows, dbfleet.OnType("subject_type", kind).And("subject_id"), dbfleet.On("label_id"), func(s *shown) *[]label { return &s.Labels }).
		Scope(func(q *dbfleet.Query[label]) *dbfleet.Query[label] { return q.OrderBy("id", "asc") })
}

// One pivot for parents of several types, from both of its sides.
func TestManyToMany_OfSeveralTypes(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		l := newLabels(t, fl, "")
		ofArticle, ofFilm := l.of(l.articles, "article"), l.of(l.films, "film")
		articlesOf := dbfleet.ManyToMany(l.labels, l.articles, l.rows, dbfleet.On("label_id"), dbfleet.OnType("subject_type", "article").And("subject_id"), func(l *label) *[]shown { return &l.Articles })
		filmsOf := dbfleet.ManyToMany(l.labels, l.films, l.rows, dbfleet.On("label_id"), dbfleet.OnType("subject_type", "film").And("subject_id"), func(l *label) *[]shown { return &l.Films })
		one := shown{ID: 1}
		n, err := ofArticle.Attach(ctx, &one, label{ID: 1}, label{ID: 2})
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		n, err = ofFilm.Attach(ctx, &one, label{ID: 2})
		require.NoError(t, err)
		require.EqualValues(t, 1, n, "the article's row is not the film's")
		n, err = filmsOf.Attach(ctx, &label{ID: 1}, shown{ID: 2})
		require.NoError(t, err)
		require.EqualValues(t, 1, n, "from the other side")

		list, err := l.films.With(ofFilm).OrderBy("id", "asc").Get(ctx)
		require.NoError(t, err)
		require.Equal(t, []label{{ID: 2, Name: "old"}}, list[0].Labels)
		require.Equal(t, []label{{ID: 1, Name: "new"}}, list[1].Labels)
		back, err := l.labels.With(articlesOf, filmsOf).OrderBy("id", "asc").Get(ctx)
		require.NoError(t, err)
		require.Equal(t, []shown{{ID: 1, Title: "a1"}}, back[0].Articles)
		require.Equal(t, []shown{{ID: 2, Title: "f2"}}, back[0].Films)
		require.Equal(t, []shown{{ID: 1, Title: "f1"}}, back[1].Films)
		lazy, err := filmsOf.For(&back[1]).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, back[1].Films, lazy)
		some, err := l.labels.Filter(filmsOf.Has(dbfleet.Col[string]("title").Eq("f1"))).Get(ctx)
		require.NoError(t, err)
		require.Len(t, some, 1)

		done, err := ofFilm.Sync(ctx, &one, nil)
		require.NoError(t, err)
		require.Len(t, done.Detached, 1)
		left, err := l.rows.Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 3, left, "of articles nothing is gone")
	})
}

// A pivot that keeps deleted rows: they tie nothing, and come back.
func TestManyToMany_BringsDeletedRowsBack(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		l := newLabels(t, fl, "deleted_at")
		ofArticle := l.of(l.articles, "article")
		one := shown{ID: 1}
		_, err := ofArticle.Attach(ctx, &one, label{ID: 1}, label{ID: 2})
		require.NoError(t, err)
		n, err := ofArticle.Detach(ctx, &one, label{ID: 1})
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		names := func() (out []string) {
			found, err := l.articles.With(ofArticle).Find(ctx, 1)
			require.NoError(t, err)
			lazy, err := ofArticle.For(&one).Get(ctx)
			require.NoError(t, err)
			require.Equal(t, found.Labels, lazy)
			for _, x := range lazy {
				out = append(out, x.Name)
			}
			return out
		}
		require.Equal(t, []string{"old"}, names())
		done, err := ofArticle.Sync(ctx, &one, []label{{ID: 1}})
		require.NoError(t, err)
		require.Len(t, done.Attached, 1)
		require.Len(t, done.Detached, 1)
		require.Equal(t, []string{"new"}, names())
		all, err := l.rows.Query().WithDeleted().Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 2, all, "no row was inserted for one that was there")
	})
}

// Who attaches the same at once leaves one row, and no error.
func TestManyToMany_AttachesOnceAtOnce(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		l := newLabels(t, fl, "")
		ofFilm := l.of(l.films, "film")
		var all sync.WaitGroup
		errs := make([]error, 8)
		for i := range errs {
			all.Go(func() { _, errs[i] = ofFilm.Attach(t.Context(), &shown{ID: 1}, label{ID: 1}, label{ID: 2}) })
		}
		all.Wait()
		for _, err := range errs {
			require.NoError(t, err)
		}
		n, err := l.rows.Count(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
	})
}

// The pivot and the children on shards, found by the key of the parents; where a key
// does not tell the shard, nothing is guessed.
func TestManyToMany_OnShards(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		connections := map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(fl.Database)}
		for i := range 2 {
			connections[fmt.Sprint("shard_", i)] = conformance.ConnectionTo(dbtest.New(t, fl.Database.Dialect))
		}
		r := conformance.Open(t, connections)
		fl.Create(t, `CREATE TABLE users (id {id})`, `CREATE TABLE skills (id {id}, name {text} NOT NULL)`)
		for i := range 2 {
			for _, ddl := range []string{`CREATE TABLE user_skills (user_id {bigint} NOT NULL, skill_id {bigint} NOT NULL, PRIMARY KEY (user_id, skill_id))`,
				`CREATE TABLE files (user_id {bigint} NOT NULL, id {bigint} NOT NULL, PRIMARY KEY (user_id, id))`} {
				_, err := r.DB(fmt.Sprint("shard_", i)).ExecContext(ctx, conformance.DDL(fl.Database.Dialect, ddl))
				require.NoError(t, err)
			}
		}
		type skill struct {
			ID   int64
			Name string
		}
		type file struct{ UserID, ID int64 }
		type user struct {
			ID     int64
			Skills []skill
			Files  []file
		}
		type userSkill struct{ UserID, SkillID int64 }
		rule := func() dbfleet.ShardRule {
			return dbfleet.ShardBy("user_id", func(id int64) string { return fmt.Sprint("shard_", id%2) })
		}
		users := conformance.Model[user](t, r, dbfleet.ModelConfig{Table: "users"})
		skills := conformance.Model[skill](t, r, dbfleet.ModelConfig{Table: "skills"})
		rows := conformance.Model[userSkill](t, r, dbfleet.ModelConfig{Table: "user_skills", PrimaryKey: []string{"user_id", "skill_id"}, Shard: rule()})
		files := conformance.Model[file](t, r, dbfleet.ModelConfig{Table: "files", PrimaryKey: []string{"user_id", "id"}, Shard: rule()})
		require.NoError(t, users.CreateMany(ctx, []user{{ID: 1}, {ID: 2}, {ID: 3}}))
		require.NoError(t, skills.CreateMany(ctx, []skill{{ID: 1, Name: "go"}, {ID: 2, Name: "sql"}}))
		skillsOf := dbfleet.ManyToMany(users, skills, rows, dbfleet.On("user_id"), dbfleet.On("skill_id"), func(u *user) *[]skill { return &u.Skills }).
			Scope(func(q *dbfleet.Query[skill]) *dbfleet.Query[skill] { return q.OrderBy("id", "asc") })
		for id := int64(1); id <= 3; id++ {
			_, err := skillsOf.Attach(ctx, &user{ID: id}, skill{ID: 1}, skill{ID: 2})
			require.NoError(t, err)
			require.NoError(t, files.Create(ctx, &file{UserID: id, ID: 1}))
		}
		done, err := skillsOf.Sync(ctx, &user{ID: 2}, []skill{{ID: 2}})
		require.NoError(t, err)
		require.Equal(t, []userSkill{{2, 1}}, done.Detached)
		n, err := skillsOf.Detach(ctx, &user{ID: 3}, skill{ID: 2})
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		list, err := users.With(skillsOf).OrderBy("id", "asc").Get(ctx)
		require.NoError(t, err)
		want := [][]skill{{{1, "go"}, {2, "sql"}}, {{2, "sql"}}, {{1, "go"}}}
		for i := range list {
			require.Equal(t, want[i], list[i].Skills)
			lazy, err := skillsOf.For(&list[i]).Get(ctx)
			require.NoError(t, err)
			require.Equal(t, want[i], lazy)
		}

		// Children on shards, through rows that name the shard.
		rowsOf := dbfleet.HasMany(users, rows, dbfleet.On("user_id"), func(*user) *[]userSkill { return new([]userSkill) })
		filesOf := dbfleet.HasMany(rows, files, dbfleet.On("user_id", "user_id"), func(*userSkill) *[]file { return new([]file) })
		through := dbfleet.HasManyThrough(rowsOf, filesOf, func(u *user) *[]file { return &u.Files })
		list, err = users.With(through, skillsOf.Scope(func(q *dbfleet.Query[skill]) *dbfleet.Query[skill] { return q.Limit(1) })).OrderBy("id", "asc").Get(ctx)
		require.NoError(t, err)
		for i := range list {
			require.Equal(t, []file{{list[i].ID, 1}}, list[i].Files)
			require.Equal(t, want[i][:1], list[i].Skills)
		}

		// From the other side no key tells the shard of the pivot.
		usersOf := dbfleet.ManyToMany(skills, users, rows, dbfleet.On("skill_id"), dbfleet.On("user_id"), func(*skill) *[]user { return new([]user) })
		var fault *dbfleet.StatementError
		_, err = skills.With(usersOf).Get(ctx)
		require.ErrorAs(t, err, &fault)
		_, err = usersOf.For(&skill{ID: 1}).Get(ctx)
		require.ErrorIs(t, err, dbfleet.ErrMissingShardKey)
		_, err = usersOf.Attach(ctx, &skill{ID: 1}, user{ID: 1})
		require.ErrorIs(t, err, dbfleet.ErrMissingShardKey)
	})
}
