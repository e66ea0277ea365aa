package relations

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

type toldUser struct {
	ID        int64
	TenantID  int64
	Name      string
	DeletedAt *time.Time
	Posts     []toldPost
	Newest    *toldPost
	Notes     []toldNote
	Words     []toldWord
}

type toldPost struct {
	ID       int64
	UserID   int64
	TenantID int64
	User     *toldUser
	Tags     []toldTag
	Notes    []toldNote
}

type toldNote struct {
	ID          int64
	SubjectType string
	SubjectID   int64
	Post        *toldPost
}

type toldTag struct {
	ID    int64
	Label string
}

type toldWord = toldTag

type toldPostTag struct {
	PostID, TagID int64
}

// told are models on fresh tables without an index but those of the keys.
type told struct {
	conformance.Fleet
	users    *dbfleet.Model[toldUser]
	posts    *dbfleet.Model[toldPost]
	notes    *dbfleet.Model[toldNote]
	tags     *dbfleet.Model[toldTag]
	postTags *dbfleet.Model[toldPostTag]
}

func newTold(t *testing.T, fl conformance.Fleet, more ...string) told {
	t.Helper()
	fl.Create(t, append([]string{
		"CREATE TABLE users (id {id}, tenant_id {bigint} NOT NULL, name {text} NOT NULL, deleted_at {time} NULL)",
		"CREATE TABLE posts (id {id}, user_id {bigint} NOT NULL, tenant_id {bigint} NOT NULL)",
		"CREATE TABLE notes (id {id}, subject_type {text} NOT NULL, subject_id {bigint} NOT NULL)",
		"CREATE TABLE tags (id {id}, label {text} NOT NULL)",
		"CREATE TABLE post_tags (post_id {bigint} NOT NULL, tag_id {bigint} NOT NULL)",
	}, more...)...)
	return told{
		Fleet:    fl,
		users:    conformance.Model[toldUser](t, fl.Registry, dbfleet.ModelConfig{Table: "users", SoftDelete: "deleted_at"}),
		posts:    conformance.Model[toldPost](t, fl.Registry, dbfleet.ModelConfig{Table: "posts"}),
		notes:    conformance.Model[toldNote](t, fl.Registry, dbfleet.ModelConfig{Table: "notes"}),
		tags:     conformance.Model[toldTag](t, fl.Registry, dbfleet.ModelConfig{Table: "tags"}),
		postTags: conformance.Model[toldPostTag](t, fl.Registry, dbfleet.ModelConfig{Table: "post_tags", PrimaryKey: []string{"post_id", "tag_id"}}),
	}
}

// relate makes relations of all kinds, as a request of tenant n may.
func (w told) relate(n int) {
	postsOf := dbfleet.HasMany(w.users, w.posts, dbfleet.On("user_id"), func(u *toldUser) *[]toldPost { return &u.Posts })
	ofPost := dbfleet.OnType("subject_type", fmt.Sprint("post", n)).And("subject_id")
	notesOf := dbfleet.HasMany(w.posts, w.notes, ofPost, func(p *toldPost) *[]toldNote { return &p.Notes })
	dbfleet.BelongsTo(w.notes, w.posts, ofPost, func(x *toldNote) **toldPost { return &x.Post })
	dbfleet.BelongsTo(w.posts, w.users, dbfleet.On("user_id"), func(p *toldPost) **toldUser { return &p.User })
	dbfleet.HasOne(w.users, w.posts, dbfleet.On("user_id", "id").And("tenant_id", "tenant_id"), func(u *toldUser) **toldPost { return &u.Newest })
	dbfleet.HasManyThrough(postsOf, notesOf, func(u *toldUser) *[]toldNote { return &u.Notes })
	tagsOf := dbfleet.ManyToMany(w.posts, w.tags, w.postTags, dbfleet.On("post_id"), dbfleet.On("tag_id"), func(p *toldPost) *[]toldTag { return &p.Tags })
	dbfleet.HasManyThrough(postsOf, tagsOf, func(u *toldUser) *[]toldWord { return &u.Words })
	dbfleet.HasMany(w.users, w.posts, dbfleet.On("nothing"), func(u *toldUser) *[]toldPost { return &u.Posts }) // which is none
}

func (w told) relations(t *testing.T, table string) []dbfleet.RelationDescription {
	t.Helper()
	for _, m := range w.Describe() {
		if m.Table == table {
			return m.Relations
		}
	}
	require.Fail(t, "no model", table)
	return nil
}

func TestDescribe_TellsRelationsOnceHoweverOftenTheyAreMade(t *testing.T) {
	t.Parallel()
	fl := conformance.OnSQLite(t)
	w := newTold(t, fl)
	require.Empty(t, w.relations(t, "users"))
	for n := range 100 {
		w.relate(n)
	}
	model := func(name string) string { return "relations.told" + name }
	require.Equal(t, []dbfleet.RelationDescription{
		{Kind: "has many", Model: model("Post"), Table: "posts", Connection: "main", Columns: []string{"id"}, RelatedColumns: []string{"user_id"}},
		{Kind: "has many through", Model: model("Note"), Table: "notes", Connection: "main", Through: []string{"posts"}, Columns: []string{"id"}, RelatedColumns: []string{"subject_id"}},
		{Kind: "has many through", Model: model("Tag"), Table: "tags", Connection: "main", Through: []string{"posts", "post_tags"}, Columns: []string{"id"}, RelatedColumns: []string{"id"}},
		{Kind: "has one", Model: model("Post"), Table: "posts", Connection: "main", Columns: []string{"id", "tenant_id"}, RelatedColumns: []string{"user_id", "tenant_id"}},
	}, w.relations(t, "users"))
	require.Equal(t, []dbfleet.RelationDescription{
		{Kind: "belongs to", Model: model("User"), Table: "users", Connection: "main", Columns: []string{"user_id"}, RelatedColumns: []string{"id"}},
		{Kind: "has many", Model: model("Note"), Table: "notes", Connection: "main", Columns: []string{"id"}, RelatedColumns: []string{"subject_id"}, TypeColumns: []string{"subject_type"}},
		{Kind: "many to many", Model: model("Tag"), Table: "tags", Connection: "main", Through: []string{"post_tags"}, Columns: []string{"id"}, RelatedColumns: []string{"id"}},
	}, w.relations(t, "posts"))
	require.Equal(t, []dbfleet.RelationDescription{
		{Kind: "belongs to", Model: model("Post"), Table: "posts", Connection: "main", Columns: []string{"subject_id"}, RelatedColumns: []string{"id"}, TypeColumns: []string{"subject_type"}},
	}, w.relations(t, "notes"))

	list := w.relations(t, "posts")
	list[0].Columns[0] = "changed"
	require.Equal(t, "user_id", w.relations(t, "posts")[0].Columns[0], "what Describe gives is the caller's")
	require.NoError(t, fl.Add("other", dbfleet.ConnectionConfig{Driver: dbfleet.SQLite, Database: ":memory:"}))
	dbfleet.HasMany(w.users, w.posts.DB("other"), dbfleet.On("user_id"), func(u *toldUser) *[]toldPost { return &u.Posts })
	require.Len(t, w.relations(t, "users"), 5, "the records of another connection are others")
	runtime.KeepAlive(w)
}

// A relation keeps neither of its models.
func TestDescribe_KeepsNoModelsByTheirRelations(t *testing.T) {
	t.Parallel()
	fl := conformance.OnSQLite(t)
	w := newTold(t, fl)
	before := len(fl.Describe())
	for range 50 {
		posts := conformance.Model[toldPost](t, fl.Registry, dbfleet.ModelConfig{Table: "posts"})
		dbfleet.HasMany(w.users, posts, dbfleet.On("user_id"), func(u *toldUser) *[]toldPost { return &u.Posts })
		dbfleet.BelongsTo(posts, w.users, dbfleet.On("user_id"), func(p *toldPost) **toldUser { return &p.User })
	}
	require.Len(t, w.relations(t, "users"), 1)
	require.Eventually(t, func() bool {
		runtime.GC()
		return len(fl.Describe()) == before
	}, 20*time.Second, 10*time.Millisecond)
	runtime.KeepAlive(w)
}

// missing is what Check says, as "table.column: severity: the beginning of the problem".
func missing(t *testing.T, r *dbfleet.Registry) []string {
	t.Helper()
	findings, err := r.Check(t.Context())
	require.NoError(t, err)
	list := []string{}
	for _, f := range findings {
		require.Contains(t, f.Model, "relations.told")
		for _, rest := range []string{", by which", " alone, which", ", which keeps", " holds deleted", "; the model's"} {
			f.Problem, _, _ = strings.Cut(f.Problem, rest)
		}
		list = append(list, fmt.Sprintf("%s.%s: %s: %s", f.Table, f.Column, f.Severity, f.Problem))
	}
	return list
}

func TestCheck_FindsTheIndexesThatRelationsMiss(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		w := newTold(t, fl)
		noKey := "post_tags.: notice: has no primary key"
		require.Equal(t, []string{noKey}, missing(t, fl.Registry), "no relation was made")
		w.relate(1)
		w.relate(2)
		problems := []string{
			noKey,
			`notes.subject_id: notice: no index begins with "subject_id", "subject_type"`,
			`posts.user_id: notice: no index begins with "user_id"`,
			`posts.user_id: notice: no index begins with "user_id", "tenant_id"`,
			`post_tags.post_id: notice: no index begins with "post_id"`,
			`post_tags.post_id: warning: no unique index is on "post_id", "tag_id"`,
		}
		require.ElementsMatch(t, problems, missing(t, fl.Registry))
		on := " ON "
		fl.Create(t, "CREATE INDEX a"+on+"notes (subject_type)", "CREATE INDEX b"+on+"posts (tenant_id, user_id)", "CREATE UNIQUE INDEX c"+on+"post_tags (tag_id, post_id)")
		require.ElementsMatch(t, []string{noKey, problems[1], problems[2], problems[4]}, missing(t, fl.Registry),
			"an index on the type alone, or that begins otherwise, finds too much")
		fl.Create(t, "CREATE INDEX d"+on+"notes (subject_type, subject_id)", "CREATE INDEX e"+on+"posts (user_id)", "CREATE INDEX f"+on+"post_tags (post_id)")
		require.Equal(t, []string{noKey}, missing(t, fl.Registry))
		runtime.KeepAlive(w)
	})
}

func TestCheck_TakesNoPartialIndexForOneOfAllRows(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		if fl.Database.Dialect == "mysql" {
			return // which has no such indexes
		}
		w := newTold(t, fl, "CREATE INDEX part ON posts (user_id) WHERE tenant_id = 1", "CREATE INDEX lowered ON posts ((user_id + 1), user_id)", "ALTER TABLE post_tags RENAME TO other_tags", "CREATE VIEW post_tags AS SELECT * FROM other_tags")
		dbfleet.HasMany(w.users, w.posts, dbfleet.On("user_id"), func(u *toldUser) *[]toldPost { return &u.Posts })
		dbfleet.ManyToMany(w.posts, w.tags, w.postTags, dbfleet.On("post_id"), dbfleet.On("tag_id"), func(p *toldPost) *[]toldTag { return &p.Tags })
		found := missing(t, fl.Registry)
		require.Contains(t, found, `posts.user_id: notice: no index begins with "user_id"`)
		for _, f := range found {
			require.NotContains(t, f, `"post_id"`, "a view has no indexes")
		}
		runtime.KeepAlive(w)
	})
}

func TestCheck_FindsUniqueIndexesThatHoldDeletedRows(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		w := newTold(t, fl, "CREATE UNIQUE INDEX names ON users (name)", "CREATE UNIQUE INDEX marks ON users (tenant_id, deleted_at)", "CREATE UNIQUE INDEX labels ON tags (label)")
		found := missing(t, fl.Registry)
		require.Contains(t, found, `users.name: notice: the unique index "names"`)
		require.Contains(t, found, `users.deleted_at: warning: is part of the unique index "marks"`)
		require.Len(t, found, 3, "tags do not keep deleted rows")
		drop := map[string]string{"mysql": " ON users"}[fl.Database.Dialect]
		fl.Create(t, "DROP INDEX names"+drop, "DROP INDEX marks"+drop)
		if fl.Database.Dialect == "mysql" {
			fl.Create(t, "ALTER TABLE users ADD COLUMN there TINYINT AS (CASE WHEN deleted_at IS NULL THEN 1 END) STORED", "CREATE UNIQUE INDEX names ON users (name, there)")
		} else {
			fl.Create(t, "CREATE UNIQUE INDEX names ON users (name) WHERE deleted_at IS NULL")
		}
		require.Len(t, missing(t, fl.Registry), 1)
		runtime.KeepAlive(w)
	})
}

func TestCheck_FindsShardKeysWithoutAnIndex(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		require.NoError(t, fl.Add("second", dbfleet.ConnectionConfig{Driver: dbfleet.SQLite, Database: ":memory:"}))
		newTold(t, fl)
		m := conformance.Model[toldPost](t, fl.Registry, dbfleet.ModelConfig{Table: "posts", Shard: dbfleet.ShardBy("user_id", func(int64) string { return "main" })})
		require.Contains(t, missing(t, fl.Registry), `posts.user_id: notice: no index begins with "user_id"`)
		fl.Create(t, "CREATE INDEX a ON posts (user_id, id)")
		for _, f := range missing(t, fl.Registry) {
			require.NotContains(t, f, "posts.user_id")
		}
		runtime.KeepAlive(m)
	})
}
