package queries

import (
	"context"
	"errors"
	"testing"

	"github.com/Masterminds/squirrel"
	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

type nameOnly struct {
	ID   int64
	Name string
}

func TestInto_ReadsRowsOfAnotherShape(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		l := newLibrary(t, fl)
		ctx := t.Context()
		named := dbfleet.Into[nameOnly](l.people.Where("city", "=", "london").OrderBy("id", dbfleet.Asc))
		list, err := named.Get(ctx)
		require.NoError(t, err)
		require.Equal(t, []nameOnly{{1, "ada"}, {3, "cid"}}, list)
		text, _, err := named.SQL(ctx)
		require.NoError(t, err)
		require.NotContains(t, text, "active", "only what is read is asked for")

		first, err := named.First(ctx)
		require.NoError(t, err)
		require.Equal(t, nameOnly{1, "ada"}, first)
		found, err := dbfleet.Into[nameOnly](l.people).Find(ctx, 2)
		require.NoError(t, err)
		require.Equal(t, nameOnly{2, "bob"}, found)
		row, err := dbfleet.Into[dbfleet.Row](l.people).Find(ctx, 2)
		require.NoError(t, err)
		require.Equal(t, "bob", row["name"])
		require.Len(t, row, 6, "a row has all columns of the model")
		n, err := named.Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		there, err := named.Where("id", ">", 3).Exists(ctx)
		require.NoError(t, err)
		require.False(t, there)
		var seen []string
		for p, err := range named.Iter(ctx) {
			require.NoError(t, err)
			seen = append(seen, p.Name)
		}
		require.Equal(t, []string{"ada", "cid"}, seen)
		plucked, err := dbfleet.Pluck[string](ctx, named, "name")
		require.NoError(t, err)
		require.Equal(t, []string{"ada", "cid"}, plucked)
		sum, err := dbfleet.Sum[int64](ctx, named, "id")
		require.NoError(t, err)
		require.EqualValues(t, 4, sum)

		cities, err := dbfleet.Into[struct{ City string }](l.people.Query().Distinct().OrderBy("city", dbfleet.Asc)).Get(ctx)
		require.NoError(t, err)
		require.Len(t, cities, 4)
		n, err = dbfleet.Into[struct{ City string }](l.people.Query().Distinct()).Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 4, n, "of the rows that Get returns")
		ids, err := dbfleet.Into[int64](l.people.Where("id", ">", 4).OrderBy("id", dbfleet.Asc)).Select("id").Get(ctx)
		require.NoError(t, err)
		require.Equal(t, []int64{5, 6}, ids)
		both, err := dbfleet.Into[nameOnly](l.people.Where("id", "=", 1)).Union(dbfleet.Into[nameOnly](l.people.Where("id", "=", 2))).OrderBy("id", dbfleet.Desc).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, []nameOnly{{2, "bob"}, {1, "ada"}}, both)
		in, err := l.people.WhereIn("id", dbfleet.Into[struct{ ID int64 }](l.people.Where("city", "=", "rome"))).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, "dan", in[0].Name)
		whole, err := dbfleet.Into[nameOnly](l.people).GetStatement(ctx, squirrel.Select("id", "name").From("people").Where("id = ?", 4))
		require.NoError(t, err)
		require.Equal(t, []nameOnly{{4, "dan"}}, whole)

		type title struct {
			Title, Who string
			Views      int64
		}
		q := l.posts.Query().Join("people AS author", "author.id", "=", "posts.person_id").Select("title", "views").SelectAs("author.name", "who").Where("views", ">", 6).OrderBy("views", dbfleet.Asc)
		titles, err := dbfleet.Into[title](q).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, []title{{"four", "eve", 7}, {"one", "eve", 9}, {"one", "ada", 10}, {"two", "ada", 20}}, titles)
		own, err := dbfleet.Into[nameOnly](l.people.Query().Join("posts", "posts.person_id", "=", "people.id").Where("posts.title", "=", "four")).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, []nameOnly{{5, "eve"}}, own)
		type joined struct{ Name, Title string }
		across, err := dbfleet.Into[joined](l.people.Query().Join("posts", "posts.person_id", "=", "people.id").Where("views", "=", 5)).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, []joined{{"bob", "three"}}, across, "a column that only the joined table has is that one")

		ada := person{ID: 1}
		related, err := dbfleet.Into[struct{ Title string }](postsOf(l).For(&ada).OrderBy("id", dbfleet.Asc)).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, []struct{ Title string }{{"one"}, {"two"}}, related)
		views, err := dbfleet.Into[int64](postsOf(l).For(&ada).SelectSum("views", "n")).First(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 30, views)
		nobody := person{ID: 6}
		views, err = dbfleet.Sum[int64](ctx, postsOf(l).For(&nobody), "views")
		require.NoError(t, err)
		require.Zero(t, views)

		undo := errors.New("undo")
		require.ErrorIs(t, fl.Transaction(ctx, "main", func(ctx context.Context, tx *dbfleet.Tx) error {
			_, err := l.people.Where("id", "=", 1).Update(ctx, map[string]any{"name": "zoe"})
			require.NoError(t, err)
			for _, q := range []*dbfleet.Query[nameOnly]{named, dbfleet.Into[nameOnly](l.people.Using(tx)).OrderBy("id", dbfleet.Asc)} {
				p, err := q.First(ctx)
				require.NoError(t, err)
				require.Equal(t, "zoe", p.Name)
			}
			return undo
		}), undo)
	})
}

func TestInto_ChecksItsColumns(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		l := newLibrary(t, fl)
		ctx := t.Context()
		type typo struct{ ID, Nmae int64 }
		var unknown *dbfleet.UnknownColumnError
		_, err := dbfleet.Into[typo](l.people).Get(ctx)
		require.ErrorAs(t, err, &unknown)
		require.Equal(t, "nmae", unknown.Column)
		require.Equal(t, []string{"id", "name", "age", "city", "active", "boss_id"}, unknown.Known)

		var column *dbfleet.ColumnError
		for _, q := range []*dbfleet.Query[nameOnly]{dbfleet.Into[nameOnly](l.people.Select("id", "name", "city")), dbfleet.Into[nameOnly](l.people).Select("id", "name", "city")} {
			_, err = q.Get(ctx)
			require.ErrorAs(t, err, &column)
			require.Equal(t, "city", column.Column)
			_, err = q.DiscardUnknownColumns().Get(ctx)
			require.NoError(t, err)
		}
		for _, err := range dbfleet.Into[nameOnly](l.people.Select("id")).Iter(ctx) {
			require.ErrorAs(t, err, &column)
			require.Equal(t, "name", column.Column)
		}
		_, err = dbfleet.Into[nameOnly](l.people.Select("*")).First(ctx)
		require.NoError(t, err)
		_, err = dbfleet.Into[int64](l.people).First(ctx)
		require.ErrorContains(t, err, "a result of 6 columns where a int64 needs one")
		_, err = dbfleet.Into[chan int](l.people).First(ctx)
		require.ErrorIs(t, err, dbfleet.ErrType)
		require.ErrorContains(t, err, `table "people"`)
		_, err = dbfleet.Into[nameOnly](l.people.Query().Union(l.people)).Get(ctx)
		require.ErrorContains(t, err, "select lists")
		_, err = dbfleet.Into[nameOnly](nil).Get(ctx)
		require.ErrorContains(t, err, "the query is nil")
		_, err = dbfleet.Into[nameOnly]((*dbfleet.Model[person])(nil)).Get(ctx)
		require.Error(t, err)
	})
}

func TestInto_OnlyReads(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		l := newLibrary(t, fl)
		ctx := t.Context()
		count, _ := sent(fl.Registry)
		before := count()
		q := dbfleet.Into[person](l.people.Where("id", "=", 1))
		for claim, run := range map[string]func() error{
			"Update":    func() error { _, err := q.Update(ctx, map[string]any{"name": "x"}); return err },
			"Increment": func() error { _, err := q.Increment(ctx, "age", 1); return err },
			"Delete":    func() error { _, err := q.Delete(ctx); return err },
			"Insert": func() error {
				_, err := dbfleet.Into[person](l.people).Insert(ctx, map[string]any{"name": "x"})
				return err
			},
			"Upsert": func() error {
				return dbfleet.Into[person](l.people).Upsert(ctx, map[string]any{"id": 1, "name": "x"}, dbfleet.Conflict{Key: []string{"id"}})
			},
			"ExecStatement": func() error {
				_, err := dbfleet.Into[person](l.people).ExecStatement(ctx, squirrel.Delete("people").Where("id = 1"))
				return err
			},
		} {
			require.EqualError(t, run(), `dbfleet: table "people": a query of Into only reads; write by the model's own`, claim)
		}
		_, err := q.With(postsOf(l)).Get(ctx)
		require.ErrorContains(t, err, "With loads relations of the model's records")
		_, err = dbfleet.Into[nameOnly](l.people.With(postsOf(l))).Get(ctx)
		require.ErrorContains(t, err, "With loads relations of the model's records")
		require.Equal(t, before, count(), "nothing was sent")
	})
}
