package queries

import (
	"context"
	"testing"

	"github.com/Masterminds/squirrel"
	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

func TestQuery_JoinsTablesWithTheSameColumnNames(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		l := newLibrary(t, fl)
		ctx := t.Context()
		joined := l.people.Query().Join("posts", "posts.person_id", "=", "people.id")
		list, err := joined.Where("posts.title", "=", "one").Where("id", "<", 6).OrderBy("id", "desc").Get(ctx)
		require.NoError(t, err)
		require.Len(t, list, 2)
		require.Equal(t, "eve", list[0].Name, "id, name and the rest are the model's own")
		require.EqualValues(t, 5, list[0].ID)
		require.Equal(t, "ada", list[1].Name)

		found, err := joined.Where("posts.views", ">", 15).OrWhere("posts.views", "=", 5).Find(ctx, 2)
		require.NoError(t, err)
		require.Equal(t, "bob", found.Name)
		_, err = joined.Where("posts.views", ">", 15).OrWhere("posts.views", "=", 5).Find(ctx, 5)
		require.ErrorIs(t, err, dbfleet.ErrNotFound)

		left := l.people.Select("people.id").SelectAs("posts.title", "name").LeftJoin("posts", "posts.person_id", "=", "people.id")
		list, err = left.WhereNotNull("posts.id").Where("posts.id", ">", 4).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, []person{{ID: 5, Name: "one"}}, list)
		require.Equal(t, []int64{3, 4, 6}, ids(t, l.people.Query().LeftJoin("posts", "posts.person_id", "=", "people.id").WhereNull("posts.id")))

		n, err := l.people.Query().CrossJoin("posts").Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 36, n)
		require.Equal(t, []int64{2}, ids(t, l.people.Query().JoinRaw("JOIN posts p ON p.person_id = people.id AND p.views < ?", 6).Where("p.title", "=", "three")))
		require.Equal(t, []int64{1, 1}, ids(t, l.people.Query().JoinExpr(squirrel.Expr("JOIN posts ON posts.person_id = people.id AND posts.views > ?", 9))))
		require.Equal(t, []int64{1, 2}, ids(t, l.people.Query().Distinct().JoinExpr(squirrel.Expr("JOIN (?) AS w ON w.person_id = people.id",
			squirrel.Select("person_id").From("posts").Where(squirrel.LtOrEq{"id": 3}))).Where("w.person_id", ">", 0)))

		// The table joined with itself, under either name.
		bosses := l.people.Query().As("b")
		require.Equal(t, []int64{1, 1, 2, 2}, ids(t, bosses.Join("people", "people.boss_id", "=", "b.id")), "people is the joined one")
		require.Equal(t, []int64{2}, ids(t, bosses.Join("people", "people.boss_id", "=", "b.id").Where("people.name", "=", "eve")))
		require.Equal(t, []int64{1, 2}, ids(t, l.people.Query().As("b").WhereExists(l.people.Query().WhereColumn("people.boss_id", "=", "b.id"))))
		require.Equal(t, []int64{1, 2}, ids(t, l.people.Query().WhereExists(l.people.Query().As("w").WhereColumn("w.boss_id", "=", "people.id"))), "people is the outer one")
		require.Equal(t, []int64{4, 5}, ids(t, l.people.Query().WhereExists(l.people.Query().As("boss").WhereColumn("boss.id", "=", "people.boss_id").
			WhereExists(l.people.Query().As("top").WhereColumn("top.id", "=", "boss.boss_id").WhereColumn("top.id", "<", "people.id")))), "three levels")
		require.Equal(t, []int64{1}, ids(t, l.people.Query().As("p").Where("people.id", "=", 1).Where("p.name", "=", "ada")))

		// A column of another table that the query does not read is told.
		var unknown *dbfleet.UnknownColumnError
		_, err = l.people.Where("posts.id", "=", 1).Get(ctx)
		require.ErrorAs(t, err, &unknown)
		_, err = l.people.Query().WhereExists(l.posts.Query().WhereColumn("posts.person_id", "=", "people.nope")).Get(ctx)
		require.ErrorAs(t, err, &unknown)
		require.Equal(t, "people.nope", unknown.Column)
		_, err = l.people.Query().WhereExists(l.posts.Query().WhereColumn("posts.person_id", "=", "nobody.id")).Get(ctx)
		require.ErrorAs(t, err, &unknown)
		_, err = l.people.Query().SelectRaw("1 AS n").Distinct().Where("other.id", "=", 1).Count(ctx)
		require.ErrorAs(t, err, &unknown)
	})
}

func TestQuery_UnionsAndSubqueriesWithBounds(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		l := newLibrary(t, fl)
		ctx := t.Context()
		young := l.people.Where("age", "<", 20).OrWhere("age", "=", 41)
		require.Equal(t, []int64{6, 4, 3, 2}, inOrder(t, young.Union(l.people.Query().WhereNull("age")).Union(l.people.Where("id", "=", 4)).OrderBy("id", "desc")))
		require.Equal(t, []int64{4, 4}, inOrder(t, l.people.Where("id", "=", 4).UnionAll(l.people.Where("id", "=", 4))))
		require.Equal(t, []int64{1, 2, 5}, inOrder(t, l.people.OrderBy("id", "asc").Limit(3).Where("id", "<", 3).
			UnionAll(l.people.Where("id", ">", 4).OrderBy("id", "asc")).OrderBy("people.id", "asc")))
		require.Equal(t, []int64{1, 3, 6}, inOrder(t, l.people.Where("id", "=", 3).
			Union(l.people.OrderBy("id", "desc").Limit(1)).Union(l.people.OrderBy("id", "asc").Limit(1)).OrderBy("id", "asc")), "each its own limit")
		require.Equal(t, []int64{2, 3}, inOrder(t, l.people.Where("id", "=", 1).Union(l.people.Where("id", "=", 2).UnionAll(l.people.Where("id", "=", 3))).
			OrderBy("id", "asc").Limit(2).Offset(1)), "nested, bounded")
		first, err := l.people.Where("id", "=", 1).Union(l.people.Where("id", "=", 2)).OrderBy("id", "desc").First(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 2, first.ID)
		plucked, err := dbfleet.Pluck[string](ctx, l.people.Where("id", "=", 1).UnionAll(l.people.Where("id", "=", 2)).OrderBy("id", "desc"), "name")
		require.NoError(t, err)
		require.Equal(t, []string{"bob", "ada"}, plucked)

		var fault *dbfleet.StatementError
		_, err = l.people.Query().Union(l.people).Find(ctx, 1)
		require.ErrorAs(t, err, &fault, "a key's condition would not hold for the other half")
		var unknown *dbfleet.UnknownColumnError
		_, err = l.people.Query().Union(l.people).OrderBy("nope", "asc").Get(ctx)
		require.ErrorAs(t, err, &unknown)

		// Bounded subqueries, which MySQL does not take inside IN by itself.
		require.Equal(t, []int64{1}, ids(t, l.people.WhereIn("id", l.posts.Select("person_id").OrderBy("views", "desc").Limit(2))))
		require.Equal(t, []int64{2, 3, 4, 6}, ids(t, l.people.Query().WhereNotIn("id", l.posts.Select("person_id").WhereIn("id", []int{1, 4, 5}).OrderBy("id", "asc").Limit(3))))
		require.Equal(t, []int64{1}, ids(t, l.people.Where("id", "=", l.posts.Select("person_id").OrderBy("views", "desc").Limit(1))))
		require.Equal(t, []int64{1, 2}, ids(t, l.people.WhereIn("id", l.people.Select("id").Where("id", "=", 1).Union(l.people.Select("id").Where("id", "=", 2)))))
		_, err = l.people.WhereIn("id", l.posts).Get(ctx)
		require.ErrorAs(t, err, &fault, "a list of keys has one column")
		_, err = l.people.WhereIn("id", l.posts.Select("id", "person_id")).Get(ctx)
		require.ErrorAs(t, err, &fault)

		// In writes too, the table itself included.
		n, err := l.people.WhereIn("id", l.people.Select("boss_id").WhereNotNull("boss_id")).Update(ctx, map[string]any{"city": "boss"})
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		n, err = l.posts.WhereIn("person_id", l.people.Select("id").Where("city", "=", "boss").OrderBy("id", "asc").Limit(1)).Delete(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		n, err = l.people.Where("id", "=", 6).Update(ctx, map[string]any{"age": l.posts.Query().SelectRaw("MAX(views)"), "name": dbfleet.Raw("UPPER(?)", "x")})
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		six, err := l.people.Find(ctx, 6)
		require.NoError(t, err)
		require.EqualValues(t, 9, *six.Age)
		require.Equal(t, "X", six.Name)
	})
}

// A subquery that lives on another connection is an error, never a guess.
func TestQuery_SubqueriesStayOnTheirConnection(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(fl.Database), "other": conformance.ConnectionTo(fl.Database)})
		l := newLibrary(t, conformance.Fleet{Registry: r, Database: fl.Database})
		count, _ := sent(r)
		for claim, q := range map[string]*dbfleet.Query[person]{
			"in":      l.people.WhereIn("id", l.posts.DB("other").Select("person_id")),
			"exists":  l.people.DB("other").Query().WhereExists(l.posts),
			"union":   l.people.Query().Union(l.people.DB("other")),
			"select":  l.people.Query().SelectSub(l.posts.DB("other").Query().SelectRaw("MAX(id)"), "last"),
			"raw":     l.people.Query().WhereRaw("id IN ?", l.posts.DB("other").Select("id")),
			"unknown": l.people.WhereIn("id", l.posts.DB("nope").Select("id")),
		} {
			_, err := q.Get(t.Context())
			require.Error(t, err, claim)
			require.Contains(t, err.Error(), "connection", claim)
		}
		require.Zero(t, count())
		got, err := l.people.DB("other").WhereIn("id", l.posts.DB("other").Select("person_id")).Count(context.Background())
		require.NoError(t, err)
		require.EqualValues(t, 3, got)
	})
}
