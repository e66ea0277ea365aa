package tenants

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

type author struct {
	ID       int64
	TenantID string
	Name     string
	Books    []book
	Tags     []tag
}

type book struct {
	ID       int64
	TenantID string
	AuthorID int64
	Title    string
	Author   *author
}

type tag struct {
	ID       int64
	TenantID string
	Name     string
}

type authorTag struct {
	AuthorID int64
	TagID    int64
	TenantID string
}

// library are the same tables, by one of the ways to keep tenants apart.
type library struct {
	*dbfleet.Registry
	authors  *dbfleet.Model[author]
	books    *dbfleet.Model[book]
	tags     *dbfleet.Model[tag]
	ties     *dbfleet.Model[authorTag]
	booksOf  dbfleet.ToMany[author, book]
	authorOf dbfleet.ToOne[book, author]
	tagsOf   dbfleet.ToManyPivot[author, tag, authorTag]
	theirs   view // what zeta has, before acme does anything
}

// view is all that a tenant has.
type view struct {
	authors []author
	books   []book
	tags    []tag
	ties    []authorTag
}

// onKinds runs f for each way to keep tenants apart, on each database that has it. zeta has
// an author with a book and a tag, and acme nothing.
func onKinds(t *testing.T, f func(t *testing.T, l *library)) {
	t.Helper()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		db := fl.Database
		for _, kind := range []string{"rows", "schemas", "databases"} {
			if kind == "schemas" && db.Dialect == "sqlite" {
				continue // which has none
			}
			t.Run(kind, func(t *testing.T) { f(t, libraryOn(t, db, kind)) })
		}
	})
}

func libraryOn(t *testing.T, db dbtest.Database, kind string) *library {
	t.Helper()
	config, prefix := conformance.ConnectionTo(db), strings.ToLower(db.Name)+"_"
	l, rule := &library{}, dbfleet.TenantByColumn("tenant_id")
	switch kind {
	case "schemas":
		rule = dbfleet.TenantBySchema(prefix)
		makeSchema(t, db, prefix+"acme")
		makeSchema(t, db, prefix+"zeta")
	case "databases":
		config, rule = templateOf(t, db, "acme", "zeta"), nil
	}
	l.Registry = conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config})
	l.authors = conformance.Model[author](t, l.Registry, dbfleet.ModelConfig{Table: "authors", Tenant: rule})
	l.books = conformance.Model[book](t, l.Registry, dbfleet.ModelConfig{Table: "books", Tenant: rule})
	l.tags = conformance.Model[tag](t, l.Registry, dbfleet.ModelConfig{Table: "tags", Tenant: rule})
	l.ties = conformance.Model[authorTag](t, l.Registry, dbfleet.ModelConfig{Table: "author_tags", Tenant: rule, PrimaryKey: []string{"author_id", "tag_id"}})
	l.booksOf = dbfleet.HasMany(l.authors, l.books, dbfleet.On("author_id"), func(a *author) *[]book { return &a.Books })
	l.authorOf = dbfleet.BelongsTo(l.books, l.authors, dbfleet.On("author_id"), func(b *book) **author { return &b.Author })
	l.tagsOf = dbfleet.ManyToMany(l.authors, l.tags, l.ties, dbfleet.On("author_id"), dbfleet.On("tag_id"), func(a *author) *[]tag { return &a.Tags }).
		Scope(func(q *dbfleet.Query[tag]) *dbfleet.Query[tag] { return q.OrderBy("id", dbfleet.Asc) })
	for i, ctx := range []context.Context{zeta(t), acme(t)} {
		if i == 1 && kind == "rows" {
			break // one table is everybody's
		}
		require.NoError(t, dbfleet.CreateTable(ctx, l.authors))
		require.NoError(t, dbfleet.CreateTable(ctx, l.books))
		require.NoError(t, dbfleet.CreateTable(ctx, l.tags))
		require.NoError(t, dbfleet.CreateTable(ctx, l.ties))
	}
	a, one := author{Name: "of zeta"}, tag{Name: "of zeta"}
	require.NoError(t, l.authors.Create(zeta(t), &a))
	require.NoError(t, l.books.Create(zeta(t), &book{AuthorID: a.ID, Title: "of zeta"}))
	require.NoError(t, l.tags.Create(zeta(t), &one))
	n, err := l.tagsOf.Attach(zeta(t), &a, one)
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
	l.theirs = l.view(t, zeta(t))
	require.Len(t, l.theirs.ties, 1)
	t.Cleanup(func() {
		if !t.Failed() {
			require.Equal(t, l.theirs, l.view(t, dbfleet.WithTenant(context.Background(), "zeta")), "what acme has done changed zeta's")
		}
	})
	return l
}

func (l *library) view(t *testing.T, ctx context.Context) (v view) {
	t.Helper()
	var errs [4]error
	v.authors, errs[0] = l.authors.Query().OrderBy("id", dbfleet.Asc).Get(ctx)
	v.books, errs[1] = l.books.Query().OrderBy("id", dbfleet.Asc).Get(ctx)
	v.tags, errs[2] = l.tags.Query().OrderBy("id", dbfleet.Asc).Get(ctx)
	v.ties, errs[3] = l.ties.Query().OrderBy("author_id", dbfleet.Asc).OrderBy("tag_id", dbfleet.Asc).Get(ctx)
	require.NoError(t, errors.Join(errs[:]...))
	return v
}

// author makes one of the context's tenant, with so many books and tags.
func (l *library) author(t *testing.T, ctx context.Context, books, tags int) (author, []tag) {
	t.Helper()
	a := author{Name: "of " + dbfleet.TenantOf(ctx)}
	require.NoError(t, l.authors.Create(ctx, &a))
	for i := range books {
		require.NoError(t, l.books.Create(ctx, &book{AuthorID: a.ID, Title: fmt.Sprint("book ", i)}))
	}
	list := make([]tag, tags)
	for i := range list {
		list[i].Name = fmt.Sprint("tag ", i)
		require.NoError(t, l.tags.Create(ctx, &list[i]))
	}
	return a, list
}

func names(list []tag) (out []string) {
	for _, one := range list {
		out = append(out, one.Name)
	}
	return out
}

func TestKinds_RelationsFindTheTenantsRecords(t *testing.T) {
	t.Parallel()
	onKinds(t, func(t *testing.T, l *library) {
		ctx := acme(t)
		a, tags := l.author(t, ctx, 2, 3)
		n, err := l.tagsOf.Attach(ctx, &a, tags[0], tags[2])
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		list, err := l.authors.With(l.booksOf, l.tagsOf).Get(ctx)
		require.NoError(t, err)
		require.Len(t, list, 1)
		require.Len(t, list[0].Books, 2)
		require.Equal(t, []string{"tag 0", "tag 2"}, names(list[0].Tags))
		books, err := l.books.With(l.authorOf).OrderBy("id", dbfleet.Asc).Get(ctx)
		require.NoError(t, err)
		require.Len(t, books, 2)
		require.Equal(t, "of acme", books[1].Author.Name)
		has, err := l.authors.Query().Filter(l.tagsOf.Has(dbfleet.Col[string]("name").Eq("tag 2"))).Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, has)
		has, err = l.authors.Query().Filter(l.booksOf.Has(dbfleet.Col[string]("title").Eq("of zeta"))).Count(ctx)
		require.NoError(t, err)
		require.Zero(t, has)
		_, err = l.authors.With(l.booksOf).Get(t.Context())
		require.ErrorIs(t, err, dbfleet.ErrNoTenant)
	})
}

func TestKinds_PivotsAreTheTenants(t *testing.T) {
	t.Parallel()
	onKinds(t, func(t *testing.T, l *library) {
		ctx := acme(t)
		a, tags := l.author(t, ctx, 0, 3)
		has := func(want ...string) {
			t.Helper()
			got, err := l.tagsOf.For(&a).Get(ctx)
			require.NoError(t, err)
			require.Equal(t, want, names(got))
		}
		n, err := l.tagsOf.Attach(ctx, &a, tags[0], tags[1])
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		n, err = l.tagsOf.Attach(ctx, &a, tags...)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		has("tag 0", "tag 1", "tag 2")
		n, err = l.tagsOf.Detach(ctx, &a, tags[1])
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		has("tag 0", "tag 2")
		done, err := l.tagsOf.Sync(ctx, &a, tags[1:])
		require.NoError(t, err)
		require.Equal(t, []string{"tag 1"}, names(done.Attached))
		require.Len(t, done.Detached, 1)
		has("tag 1", "tag 2")
		_, err = l.tagsOf.Toggle(ctx, &a, tags[0], tags[1])
		require.NoError(t, err)
		has("tag 0", "tag 2")
		n, err = l.tagsOf.DetachAll(ctx, &a)
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		has()
		_, err = l.tagsOf.Attach(t.Context(), &a, tags[0])
		require.ErrorIs(t, err, dbfleet.ErrNoTenant)
		_, err = l.tagsOf.DetachAll(dbfleet.WithTenant(ctx, "zeta"), &a)
		require.ErrorIs(t, err, dbfleet.ErrOtherTenant)
	})
}

func TestKinds_PagesAndPiecesAreTheTenants(t *testing.T) {
	t.Parallel()
	onKinds(t, func(t *testing.T, l *library) {
		ctx := acme(t)
		l.author(t, ctx, 7, 0)
		require.NoError(t, l.books.Create(zeta(t), &book{AuthorID: l.theirs.authors[0].ID, Title: "behind all of acme's"}))
		l.theirs = l.view(t, zeta(t))
		query := l.books.Query().OrderBy("title", dbfleet.Desc)
		var read []string
		at := dbfleet.Cursor{Size: 3}
		for range 3 {
			page, err := dbfleet.CursorPage(ctx, query, at)
			require.NoError(t, err)
			for _, b := range page.Items {
				read = append(read, b.Title)
			}
			at.After = page.Next
		}
		require.Equal(t, []string{"book 6", "book 5", "book 4", "book 3", "book 2", "book 1", "book 0"}, read)
		numbered, err := dbfleet.PageOf(ctx, query, 2, 5)
		require.NoError(t, err)
		require.Len(t, numbered.Items, 2)
		require.EqualValues(t, 7, numbered.Total)
		n := 0
		require.NoError(t, dbfleet.Chunk(ctx, l.books.Query(), 2, func(_ context.Context, list []book) error { n += len(list); return nil }))
		require.Equal(t, 7, n)
		n = 0
		for b, err := range l.books.Query().Iter(ctx) {
			require.NoError(t, err)
			require.Contains(t, b.Title, "book ")
			n++
		}
		require.Equal(t, 7, n)
		_, err = dbfleet.CursorPage(t.Context(), query, dbfleet.Cursor{Size: 3})
		require.ErrorIs(t, err, dbfleet.ErrNoTenant)
	})
}

func TestKinds_SessionsAndTransactionsAreTheTenants(t *testing.T) {
	t.Parallel()
	onKinds(t, func(t *testing.T, l *library) {
		session := dbfleet.WithSession(acme(t))
		a, tags := l.author(t, session, 1, 1)
		_, err := l.authors.Find(session, a.ID)
		require.NoError(t, err, "a session reads what it has written")
		_, err = l.authors.Find(session, -1)
		require.ErrorIs(t, err, dbfleet.ErrNotFound)

		undo := errors.New("undo")
		for _, end := range []error{undo, nil} {
			err := l.Transaction(session, "main", func(ctx context.Context, tx *dbfleet.Tx) error {
				require.Equal(t, "acme", dbfleet.TenantOf(ctx))
				require.NoError(t, l.books.Create(ctx, &book{AuthorID: a.ID, Title: "in it"}))
				n, err := l.tagsOf.Attach(ctx, &a, tags[0])
				require.NoError(t, err)
				require.EqualValues(t, 1, n)
				list, err := l.authors.With(l.booksOf, l.tagsOf).Get(ctx)
				require.NoError(t, err)
				require.Len(t, list, 1)
				require.Len(t, list[0].Books, 2)
				require.Len(t, list[0].Tags, 1)
				_, err = l.books.Using(tx).Query().Get(zeta(t))
				require.ErrorIs(t, err, dbfleet.ErrOtherTenant)
				require.ErrorIs(t, l.books.Using(tx).Create(zeta(t), &book{Title: "never"}), dbfleet.ErrOtherTenant)
				_, err = tx.ExecContext(zeta(t), "SELECT 1")
				require.ErrorIs(t, err, dbfleet.ErrOtherTenant)
				require.NoError(t, tx.AfterCommit(func(ctx context.Context) {
					if dbfleet.TenantOf(ctx) != "acme" {
						t.Error("AfterCommit has no tenant")
					}
				}))
				return end
			})
			require.ErrorIs(t, err, end)
			n, err := l.books.Where("title", "=", "in it").Count(session)
			require.NoError(t, err)
			require.Equal(t, end == nil, n == 1)
			n, err = l.ties.Query().Count(session)
			require.NoError(t, err)
			require.Equal(t, end == nil, n == 1)
		}
		require.NoError(t, l.DB("main").Conn(acme(t), func(_ context.Context, c *dbfleet.Conn) error {
			_, err := c.ExecContext(zeta(t), "SELECT 1")
			require.ErrorIs(t, err, dbfleet.ErrOtherTenant)
			return nil
		}))
		err = l.Transaction(dbfleet.WithTenant(session, "zeta"), "main", func(context.Context, *dbfleet.Tx) error { return nil })
		require.ErrorIs(t, err, dbfleet.ErrOtherTenant)
	})
}
