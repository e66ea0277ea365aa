package writes

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// bareAuthors is a CTE of the table's name that has no mark. SQLite takes the name for the
// CTE itself in its own query too.
func bareAuthors(books *dbfleet.Model[book]) dbfleet.CTE {
	return dbfleet.CTE{Name: "authors", Query: books.Query().WithDeleted().Select("id").SelectAs("title", "name")}
}

func TestSoftDelete_ACTEOfTheTablesNameHidesNoDeletedRows(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		authors, books := library(t, fl)
		writers(t, authors)
		require.NoError(t, books.CreateMany(ctx, []book{{AuthorID: 1, Title: "here"}, {AuthorID: 1, Title: "deleted"}}))
		_, err := books.Where("title", "=", "deleted").Delete(ctx)
		require.NoError(t, err)
		var sent atomic.Int64
		fl.DB("main").OnBeforeQuery(func(ctx context.Context, _ dbfleet.QueryEvent) context.Context {
			sent.Add(1)
			return ctx
		})
		q := authors.Select("id", "name").WithCTE(bareAuthors(books))
		for name, run := range map[string]func() error{
			"read":         func() error { _, err := q.Get(ctx); return err },
			"count":        func() error { _, err := q.Count(ctx); return err },
			"deleted only": func() error { _, err := q.OnlyDeleted().Get(ctx); return err },
			"a subquery": func() error {
				_, err := fl.DB("main").Table("books").WithCTE(bareAuthors(books)).WhereIn("id", authors.Select("id")).Get(ctx)
				return err
			},
			"an aggregate":  func() error { _, err := dbfleet.Max[string](ctx, q, "name"); return err },
			"with an alias": func() error { _, err := q.As("a").Get(ctx); return err },
			"a part of some": func() error {
				_, err := fl.DB("main").Table("books").WithCTE(bareAuthors(books)).Select("id").Union(authors.Select("id")).Get(ctx)
				return err
			},
		} {
			err := run()
			require.ErrorContains(t, err, "deleted_at", name)
			require.ErrorContains(t, err, "WithDeleted", name)
		}
		require.Zero(t, sent.Load())
		all, err := q.WithDeleted().OrderBy("id", dbfleet.Asc).Get(ctx)
		require.NoError(t, err)
		require.Len(t, all, 2, "whoever wants what the CTE gives says so")
		marked := dbfleet.CTE{Name: "authors", Query: books.Query().WithDeleted().Select("id", "deleted_at").SelectAs("title", "name")}
		here, err := authors.Select("id", "name").WithCTE(marked).Get(ctx)
		require.NoError(t, err)
		require.Len(t, here, 1)
		require.Equal(t, "here", here[0].Name)
	})
}

// The table that a statement changes is never a CTE.
func TestSoftDelete_ACTEOfTheTablesNameChangesNoDeletedRows(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		authors, books := library(t, fl)
		_, bob, _ := writers(t, authors)
		update := func(q *dbfleet.Query[author]) (int64, error) { return q.Update(ctx, dbfleet.Row{"age": 99}) }
		q := authors.Where("age", ">", 0).WithCTE(bareAuthors(books))
		n, err := update(q)
		if fl.Database.Dialect == "mysql" { // which takes no CTE there
			require.Error(t, err)
			return
		}
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		got, err := authors.Query().WithDeleted().Where("id", "=", bob.ID).First(ctx)
		require.NoError(t, err)
		require.Equal(t, 40, got.Age)
		was := *got.DeletedAt
		n, err = q.Delete(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 2, n, "the third is deleted already")
		got, err = authors.Query().OnlyDeleted().Where("id", "=", bob.ID).First(ctx)
		require.NoError(t, err)
		require.Equal(t, was, *got.DeletedAt)
	})
}
