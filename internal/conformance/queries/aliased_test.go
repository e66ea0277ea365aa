package queries

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// truth 118
func TestNames_AnAliasChangesNothingOfAQueryButItsName(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		l := newLibrary(t, fl)
		ctx := t.Context()
		type Q = *dbfleet.Query[person]
		posts := dbfleet.HasMany(l.people, l.posts, dbfleet.On("person_id"), func(p *person) *[]post { return &p.Posts })
		boss := dbfleet.BelongsTo(l.people, l.people, dbfleet.On("boss_id"), func(p *person) **person { return &p.Boss })
		young := func(q Q) Q { return q.Where("people.age", "<", 40).OrderBy("people.id", dbfleet.Asc) }
		for claim, q := range map[string]Q{
			"plain":       young(l.people.Query()),
			"alias":       young(l.people.Query().As("p")),
			"join":        young(l.people.Query().LeftJoin("people AS b", "b.id", "=", "people.boss_id")),
			"both":        young(l.people.Query().As("p").LeftJoin("people b", "b.id", "=", "p.boss_id")),
			"raw join":    young(l.people.Query().As("p").JoinRaw("LEFT JOIN posts x ON x.id = 0 - p.id")),
			"in a filter": young(l.people.Query().As("p").Filter(dbfleet.Or(dbfleet.Col[int64]("p.id").Gt(0), dbfleet.Col[int64]("people.id").Lt(0)))),
			"subquery":    young(l.people.Query().As("p").WhereExists(l.people.Query().As("q").WhereColumn("q.id", "=", "p.id").Where("people.id", ">", 0))),
			"in":          young(l.people.Query().As("p").WhereIn("p.id", l.people.Query().As("q").Select("q.id").Where("people.id", ">", 0))),
		} {
			require.Equal(t, []int64{1, 4, 5, 6}, inOrder(t, q), claim)
			one, err := q.Find(ctx, 4)
			require.NoError(t, err, claim)
			require.Equal(t, "dan", one.Name, claim)
			n, err := q.Count(ctx)
			require.NoError(t, err, claim)
			require.EqualValues(t, 4, n, claim)
			names, err := dbfleet.Pluck[string](ctx, q, "people.name")
			require.NoError(t, err, claim)
			require.Equal(t, []string{"ada", "dan", "eve", "50%_off"}, names, claim)
			related, err := q.Select("name").With(posts, boss).Get(ctx)
			require.NoError(t, err, claim)
			require.Equal(t, "bob", related[1].Boss.Name, claim)
			require.Len(t, related[2].Posts, 2, claim)
			require.Nil(t, related[0].Boss, claim)
		}
		// The related query may have an alias and joins of its own.
		londoners := posts.Scope(func(q *dbfleet.Query[post]) *dbfleet.Query[post] {
			return q.As("x").Join("people AS w", "w.id", "=", "x.person_id").Where("w.city", "=", "london").Where("posts.views", ">", 10)
		})
		got, err := l.people.OrderBy("id", dbfleet.Asc).With(londoners).Get(ctx)
		require.NoError(t, err)
		for _, p := range got {
			require.Len(t, p.Posts, map[int64]int{1: 1}[p.ID], p.Name)
		}
		ada := got[0]
		list, err := londoners.For(&ada).OrderBy("views", dbfleet.Asc).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, []post{{ID: 2, PersonID: at[int64](1), Title: "two", Views: 20}}, list)

		// Writes have no alias, and say so; the conditions may name the table.
		var fault *dbfleet.StatementError
		_, err = l.people.Query().As("p").Where("p.id", "=", 1).Delete(ctx)
		require.ErrorAs(t, err, &fault)
		n, err := young(l.people.Where("id", "=", -1)).Count(ctx)
		require.NoError(t, err)
		require.Zero(t, n)
		n, err = l.people.Where("people.id", "=", 6).Update(ctx, map[string]any{"city": l.people.Query().As("b").Select("b.city").Where("b.id", "=", 1)})
		if fl.Database.Dialect != "mysql" { // which reads no table that it updates
			require.NoError(t, err)
			require.EqualValues(t, 1, n)
			six, err := l.people.Find(ctx, 6)
			require.NoError(t, err)
			require.Equal(t, "london", six.City)
		}
	})
}
