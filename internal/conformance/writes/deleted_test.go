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
)

// author is a record whose row stays when it is deleted.
type author struct {
	ID        int64
	Name      string
	Age       int
	UpdatedAt time.Time
	DeletedAt *time.Time
	Books     []book
}

// book is another one, of an author.
type book struct {
	ID, AuthorID int64
	Title        string
	DeletedAt    *time.Time
	Author       *author
}

func library(t *testing.T, fl conformance.Fleet) (*dbfleet.Model[author], *dbfleet.Model[book]) {
	t.Helper()
	fl.Create(t,
		`CREATE TABLE authors (id {id}, name {text} NOT NULL UNIQUE, age {int} NOT NULL, updated_at {time} NOT NULL, deleted_at {time} NULL)`,
		`CREATE TABLE books (id {id}, author_id {bigint} NOT NULL, title {text} NOT NULL, deleted_at {time} NULL)`)
	return conformance.Model[author](t, fl.Registry, dbfleet.ModelConfig{Table: "authors", Timestamps: true, SoftDelete: "deleted_at"}),
		conformance.Model[book](t, fl.Registry, dbfleet.ModelConfig{Table: "books", SoftDelete: "deleted_at"})
}

// writers are three authors, of whom Bob is deleted.
func writers(t *testing.T, authors *dbfleet.Model[author]) (ann, bob, cid author) {
	t.Helper()
	list := []author{{Name: "Ann", Age: 30}, {Name: "Bob", Age: 40}, {Name: "Cid", Age: 50}}
	require.NoError(t, authors.CreateMany(t.Context(), list))
	require.NoError(t, authors.Delete(t.Context(), &list[1]))
	return list[0], list[1], list[2]
}

func TestSoftDelete_MarksTheRowAndTheRecord(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		authors, _ := library(t, fl)
		ann := author{Name: "Ann"}
		require.NoError(t, authors.Create(ctx, &ann))
		require.Nil(t, ann.DeletedAt)

		before := ann.UpdatedAt
		require.NoError(t, authors.Delete(ctx, &ann))
		require.NotNil(t, ann.DeletedAt)
		require.WithinDuration(t, time.Now(), *ann.DeletedAt, time.Minute)
		require.False(t, ann.UpdatedAt.Before(before))
		_, err := authors.Find(ctx, ann.ID)
		require.ErrorIs(t, err, dbfleet.ErrNotFound)
		got, err := authors.Query().WithDeleted().Find(ctx, ann.ID)
		require.NoError(t, err)
		require.Equal(t, ann, got)

		was := ann
		require.ErrorIs(t, authors.Delete(ctx, &ann), dbfleet.ErrNotFound, "it is deleted already")
		require.ErrorIs(t, authors.Save(ctx, &ann), dbfleet.ErrNotFound)
		require.ErrorIs(t, authors.SaveColumns(ctx, &ann, "name"), dbfleet.ErrNotFound)
		require.Equal(t, was, ann)
		require.ErrorContains(t, authors.SaveColumns(ctx, &ann, "deleted_at"), "Delete and Restore")

		require.NoError(t, authors.Restore(ctx, &ann))
		require.Nil(t, ann.DeletedAt)
		got, err = authors.Find(ctx, ann.ID)
		require.NoError(t, err)
		require.Equal(t, ann, got)
		require.ErrorIs(t, authors.Restore(ctx, &ann), dbfleet.ErrNotFound, "it is not deleted")

		at := time.Now()
		ann.DeletedAt = &at
		require.NoError(t, authors.Save(ctx, &ann))
		_, err = authors.Find(ctx, ann.ID)
		require.NoError(t, err, "a save deletes nothing")

		require.NoError(t, authors.ForceDelete(ctx, &ann))
		n, err := authors.Query().WithDeleted().Count(ctx)
		require.NoError(t, err)
		require.Zero(t, n)
		require.ErrorIs(t, authors.ForceDelete(ctx, &ann), dbfleet.ErrNotFound)
	})
}

func TestSoftDelete_LeavesDeletedRowsOutOfEveryRead(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		authors, books := library(t, fl)
		ann, bob, cid := writers(t, authors)
		names := func(q *dbfleet.Query[author]) []string {
			t.Helper()
			list, err := dbfleet.Pluck[string](ctx, q.OrderBy("name", dbfleet.Asc), "name")
			require.NoError(t, err)
			return list
		}
		require.Equal(t, []string{"Ann", "Cid"}, names(authors.Query()))
		require.Equal(t, []string{"Ann", "Bob", "Cid"}, names(authors.Query().WithDeleted()))
		require.Equal(t, []string{"Bob"}, names(authors.Query().OnlyDeleted()))
		require.Equal(t, []string{"Ann", "Cid"}, names(authors.Where("name", "=", "Ann").OrWhere("age", ">", 1)), "OR does not get around it")
		require.Equal(t, []string{"Bob"}, names(authors.Where("name", "=", "Ann").OrWhere("age", ">", 1).OnlyDeleted()))
		require.Equal(t, []string{"Ann", "Cid"}, names(authors.Filter(dbfleet.Raw("1 = 2 OR 1 = 1"))))
		require.Equal(t, []string{"Cid"}, names(authors.Query().As("a").WhereNot(func(q *dbfleet.Query[author]) *dbfleet.Query[author] { return q.Where("a.name", "=", "Ann") })))
		require.Empty(t, names(authors.WhereIn("id", []int64{bob.ID})))

		found, err := authors.FindMany(ctx, ann.ID, bob.ID, cid.ID)
		require.NoError(t, err)
		require.Len(t, found, 2)
		for range 2 { // the second time by the text that was kept
			_, err = authors.Find(ctx, bob.ID)
			require.ErrorIs(t, err, dbfleet.ErrNotFound)
		}
		n, err := authors.Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		n, err = authors.Query().Limit(5).Distinct().Select("age").Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		sum, err := authors.Query().Sum(ctx, "age")
		require.NoError(t, err)
		require.InDelta(t, 80, sum, 0)
		is, err := authors.Where("name", "=", "Bob").Exists(ctx)
		require.NoError(t, err)
		require.False(t, is)
		seen := 0
		for a, err := range authors.Query().Iter(ctx) {
			require.NoError(t, err)
			require.NotEqual(t, "Bob", a.Name)
			seen++
		}
		require.Equal(t, 2, seen)

		union := authors.Where("name", "=", "Ann").Union(authors.Where("age", ">", 0))
		all, err := union.Get(ctx)
		require.NoError(t, err)
		require.Len(t, all, 2)
		cte := dbfleet.CTE{Name: "old", Query: authors.Where("age", ">", 35)}
		rows, err := fl.DB("main").Table("old").WithCTE(cte).Get(ctx)
		require.NoError(t, err)
		require.Len(t, rows, 1)

		require.NoError(t, books.CreateMany(ctx, []book{{AuthorID: ann.ID, Title: "A"}, {AuthorID: bob.ID, Title: "B"}, {AuthorID: ann.ID, Title: "gone"}}))
		_, err = books.Where("title", "=", "gone").Delete(ctx)
		require.NoError(t, err)
		list, err := books.WhereIn("author_id", authors.Select("id")).Get(ctx)
		require.NoError(t, err)
		require.Len(t, list, 1)
		require.Equal(t, "A", list[0].Title)
		list, err = books.Query().WhereExists(authors.Query().WithDeleted().WhereColumn("authors.id", "=", "books.author_id")).Get(ctx)
		require.NoError(t, err)
		require.Len(t, list, 2)
		list, err = books.Query().Join("authors", "authors.id", "=", "books.author_id").Get(ctx)
		require.NoError(t, err)
		require.Len(t, list, 2, "the column of the query's own table, and a joined table is not narrowed")

		booksOf := dbfleet.HasMany(authors, books, dbfleet.On("author_id"), func(a *author) *[]book { return &a.Books })
		authorOf := dbfleet.BelongsTo(books, authors, dbfleet.On("author_id"), func(b *book) **author { return &b.Author })
		with, err := authors.With(booksOf).OrderBy("name", dbfleet.Asc).Get(ctx)
		require.NoError(t, err)
		require.Len(t, with[0].Books, 1)
		of, err := booksOf.For(&ann).Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, of)
		with, err = authors.With(booksOf.Scope(func(q *dbfleet.Query[book]) *dbfleet.Query[book] {
			return q.WithDeleted().OrderBy("title", dbfleet.Asc).Limit(5)
		})).OrderBy("name", dbfleet.Asc).Get(ctx)
		require.NoError(t, err)
		require.Len(t, with[0].Books, 2)
		owned, err := books.With(authorOf).OrderBy("title", dbfleet.Asc).Get(ctx)
		require.NoError(t, err)
		require.NotNil(t, owned[0].Author)
		require.Nil(t, owned[1].Author, "Bob is deleted")

		raw, err := fl.DB("main").Table("authors").Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 3, raw, "a table without the model has all its rows")
	})
}

func TestSoftDelete_LeavesDeletedRowsOutOfEveryWrite(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		authors, _ := library(t, fl)
		_, bob, _ := writers(t, authors)
		n, err := authors.Where("age", "<", 100).OrWhere("age", ">", 0).Update(ctx, dbfleet.Row{"age": 60})
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		n, err = authors.Where("age", ">", 0).Increment(ctx, "age", 1)
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		n, err = authors.Where("age", ">", 0).WithDeleted().Decrement(ctx, "age", 1)
		require.NoError(t, err)
		require.EqualValues(t, 3, n)
		got, err := authors.Query().WithDeleted().Find(ctx, bob.ID)
		require.NoError(t, err)
		require.Equal(t, 39, got.Age)

		_, err = authors.Query().Delete(ctx)
		require.ErrorIs(t, err, dbfleet.ErrMissingWhere)
		_, err = authors.Query().OnlyDeleted().AllRows().Delete(ctx)
		require.ErrorContains(t, err, "ForceDeleteRows")
		n, err = authors.Query().AllRows().Delete(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 2, n, "Bob keeps the time of his deletion")
		again, err := authors.Query().OnlyDeleted().Find(ctx, bob.ID)
		require.NoError(t, err)
		require.Equal(t, bob.DeletedAt, again.DeletedAt)
		n, err = authors.Query().AllRows().Delete(ctx)
		require.NoError(t, err)
		require.Zero(t, n)

		_, err = dbfleet.RestoreRows(ctx, authors)
		require.ErrorIs(t, err, dbfleet.ErrMissingWhere)
		n, err = dbfleet.RestoreRows(ctx, authors.Where("name", "<>", "Bob"))
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		_, err = dbfleet.ForceDeleteRows(ctx, authors)
		require.ErrorIs(t, err, dbfleet.ErrMissingWhere)
		n, err = dbfleet.ForceDeleteRows(ctx, authors.Query().OnlyDeleted().AllRows())
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		n, err = authors.Query().WithDeleted().Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 2, n)

		gone, err := dbfleet.DeleteReturning(ctx, authors.Where("name", "=", "Ann"))
		if fl.Database.Dialect == "mysql" {
			require.ErrorContains(t, err, "RETURNING")
			return
		}
		require.NoError(t, err)
		require.Len(t, gone, 1)
		require.NotNil(t, gone[0].DeletedAt)
		n, err = authors.Query().WithDeleted().Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
	})
}

func TestSoftDelete_UpsertBringsTheRowBackAsItsRecordSays(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		authors, _ := library(t, fl)
		byName := dbfleet.Conflict{Key: []string{"name"}}
		for _, write := range []func() error{
			func() error { return authors.Upsert(ctx, &author{Name: "Bob", Age: 1}, byName) },
			func() error {
				return authors.Upsert(ctx, &author{Name: "Bob", Age: 1}, dbfleet.Conflict{Key: []string{"name"}, Update: []string{"age"}})
			},
			func() error { return authors.UpsertMany(ctx, []author{{Name: "Bob", Age: 1}, {Name: "Dan"}}, byName) },
			func() error { return authors.Query().Upsert(ctx, dbfleet.Row{"name": "Bob", "age": 1}, byName) },
			func() error {
				return authors.Query().Upsert(ctx, dbfleet.Row{"name": "Bob", "age": 1}, dbfleet.Conflict{Key: []string{"name"}, Update: []string{"age"}})
			},
		} {
			_, err := dbfleet.ForceDeleteRows(ctx, authors.Query().WithDeleted().AllRows())
			require.NoError(t, err)
			_, bob, _ := writers(t, authors)
			require.NoError(t, authors.Upsert(ctx, &author{Name: "Bob"}, dbfleet.Conflict{Key: []string{"name"}, DoNothing: true}))
			_, err = authors.Find(ctx, bob.ID)
			require.ErrorIs(t, err, dbfleet.ErrNotFound, "DoNothing does nothing")
			require.NoError(t, write())
			got, err := authors.Find(ctx, bob.ID)
			require.NoError(t, err)
			require.Equal(t, 1, got.Age)
		}
		require.ErrorIs(t, authors.Create(ctx, &author{Name: "Bob"}), dbfleet.ErrUnique)
	})
}

func TestSoftDelete_IsUndoneWithItsTransaction(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		authors, _ := library(t, fl)
		ann := author{Name: "Ann"}
		require.NoError(t, authors.Create(ctx, &ann))
		before := ann
		undo := errors.New("undo")
		require.ErrorIs(t, fl.Transaction(ctx, "main", func(ctx context.Context, _ *dbfleet.Tx) error {
			require.NoError(t, authors.Delete(ctx, &ann))
			require.NotNil(t, ann.DeletedAt)
			return undo
		}), undo)
		require.Equal(t, before, ann)
		_, err := authors.Find(ctx, ann.ID)
		require.NoError(t, err)
	})
}

func TestSoftDelete_RefusesAColumnThatCannotHoldIt(t *testing.T) {
	t.Parallel()
	fl := conformance.OnSQLite(t)
	for column, why := range map[string]string{"age": "not a time that may be NULL", "updated_at": "not a time that may be NULL", "nope": `no column "nope"`} {
		_, err := dbfleet.NewModel[author](fl.Registry, dbfleet.ModelConfig{Table: "authors", SoftDelete: column})
		var fault *dbfleet.ModelError
		require.ErrorAs(t, err, &fault)
		require.Equal(t, "SoftDelete", fault.Key)
		require.ErrorContains(t, err, why)
	}
	plain := conformance.Model[author](t, fl.Registry, dbfleet.ModelConfig{Table: "authors"})
	_, err := plain.Query().OnlyDeleted().Get(t.Context())
	require.ErrorContains(t, err, "SoftDelete")
	_, err = fl.DB("main").Table("authors").WithDeleted().Get(t.Context())
	require.ErrorContains(t, err, "SoftDelete")
	require.ErrorContains(t, plain.Restore(t.Context(), &author{ID: 1}), "SoftDelete")
	_, err = dbfleet.RestoreRows(t.Context(), plain.Query().AllRows())
	require.ErrorContains(t, err, "SoftDelete")
}

// What makes a query of its own out of one leaves deleted rows out all the same.
func TestSoftDelete_HoldsForQueriesThatAreMadeOfOthers(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		authors, books := library(t, fl)
		ann, bob, cid := writers(t, authors)
		type old struct{ Age, Authors int64 }
		groups, err := dbfleet.Into[old](authors.Select("age").SelectCount("authors").GroupBy("age").Having("authors", ">", 0).OrderBy("age", dbfleet.Asc)).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, []old{{30, 1}, {50, 1}}, groups)
		n, err := authors.Query().Join("authors AS other", "other.age", "<", "authors.age").Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 2, n, "Cid has two below, of whom one is deleted: a joined table is not narrowed")
		n, err = authors.Query().OnlyDeleted().WhereIn("id", authors.Query().WithDeleted().Select("id")).Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		n, err = authors.Query().WhereNotIn("id", authors.Query().OnlyDeleted().Select("id")).OrWhere("name", "=", "Bob").Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		n, err = authors.Limit(1).WithDeleted().Offset(1).Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		if fl.Database.Dialect != "sqlite" { // which takes the name for itself
			shadow := dbfleet.CTE{Name: "authors", Query: fl.DB("main").Table("authors").Where("age", ">", 0)}
			n, err = authors.Query().WithCTE(shadow).Count(ctx)
			require.NoError(t, err)
			require.EqualValues(t, 2, n, "a CTE of the table's name has the mark")
			bare := dbfleet.CTE{Name: "authors", Query: authors.Query().WithDeleted().Select("id", "name")}
			all, err := authors.Select("id", "name").WithDeleted().WithCTE(bare).Get(ctx)
			require.NoError(t, err)
			require.Len(t, all, 3, "one without the mark is what its query gives, to whoever asks for all")
		}

		booksOf := dbfleet.HasMany(authors, books, dbfleet.On("author_id"), func(a *author) *[]book { return &a.Books })
		gone := book{AuthorID: bob.ID, Title: "gone"}
		require.NoError(t, books.Create(ctx, &gone))
		require.NoError(t, books.Delete(ctx, &gone))
		n, err = booksOf.For(&bob).OnlyDeleted().Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		require.NoError(t, books.CreateMany(ctx, []book{{AuthorID: ann.ID, Title: "1"}, {AuthorID: ann.ID, Title: "2"}, {AuthorID: cid.ID, Title: "3"}, {AuthorID: ann.ID, Title: "4"}}))
		_, err = books.Where("title", "=", "1").Delete(ctx)
		require.NoError(t, err)
		some, err := authors.With(booksOf.Scope(func(q *dbfleet.Query[book]) *dbfleet.Query[book] {
			return q.Where("title", "=", "nothing").OrWhere("title", "<>", "2").OrderBy("title", dbfleet.Asc).Limit(1)
		})).OrderBy("name", dbfleet.Asc).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, "4", some[0].Books[0].Title, "one for each parent, of those that are not deleted")

		if fl.Database.Dialect != "mysql" {
			rows, err := dbfleet.UpdateReturning(ctx, authors.Where("age", ">", 0), dbfleet.Row{"age": 5})
			require.NoError(t, err)
			require.Len(t, rows, 2)
		}
		loaded, err := authors.Load(ctx, slices.Values([]author{{Name: "Eve"}}))
		require.NoError(t, err)
		require.EqualValues(t, 1, loaded)
		born := author{Name: "Fay", DeletedAt: bob.DeletedAt}
		require.NoError(t, authors.Create(ctx, &born), "a record may be created deleted")
		_, err = authors.Find(ctx, born.ID)
		require.ErrorIs(t, err, dbfleet.ErrNotFound)
	})
}

// A bound on the rows of a write counts those that are not deleted, and the others are left alone.
func TestSoftDelete_HoldsForWritesWithALimit(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		authors, _ := library(t, fl)
		_, bob, _ := writers(t, authors)
		n, err := authors.Where("name", "=", "Bob").OrWhere("age", ">", 35).OrderBy("age", dbfleet.Asc).Limit(1).Update(ctx, dbfleet.Row{"age": 99})
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		got, err := authors.Query().WithDeleted().Find(ctx, bob.ID)
		require.NoError(t, err)
		require.Equal(t, 40, got.Age)
		n, err = authors.Where("age", ">", 0).OrderBy("age", dbfleet.Asc).Limit(1).Delete(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		names, err := dbfleet.Pluck[string](ctx, authors.Query().OnlyDeleted().OrderBy("name", dbfleet.Asc), "name")
		require.NoError(t, err)
		require.Equal(t, []string{"Ann", "Bob"}, names)
	})
}
