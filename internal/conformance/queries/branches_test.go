package queries

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// A query is a value: branches made by many goroutines at once never see each
// other, and nothing is used up by running one.
func TestQuery_BranchesNeverSeeEachOther(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		l := newLibrary(t, fl)
		ctx := t.Context()
		base := l.people.Where("id", ">", 0).DiscardUnknownColumns()
		for n := range 12 { // lists of every length, where a careless append would show
			base := base
			for i := range n {
				base = base.Where("id", "<", 100).OrderBy("id", "asc").SelectRaw(fmt.Sprintf("? AS c%d", i), i)
			}
			base = base.GroupBy("id").HavingRaw("COUNT(*) > ?", 0)
			want, _, err := base.SQL(ctx)
			require.NoError(t, err)
			var wg sync.WaitGroup
			for g := range int64(6) {
				wg.Go(func() {
					q := base.Where("id", "=", g+1).OrderBy("id", "desc").GroupBy("name").HavingRaw("COUNT(*) < ?", g+100).Select("id", "name")
					for range 3 {
						text, args, err := q.SQL(ctx)
						if err != nil || args[len(args)-1] != g+100 || !slices.Contains(args, any(g+1)) || strings.Count(text, "COUNT(*) <") != 1 {
							t.Errorf("%v %s %v", err, text, args)
						}
						got, err := q.Get(ctx)
						if err != nil || len(got) != 1 || got[0].ID != g+1 {
							t.Errorf("branch %d: %v %v", g, got, err)
						}
						_, _ = q.Route(ctx)
					}
				})
			}
			wg.Wait()
			after, _, err := base.SQL(ctx)
			require.NoError(t, err)
			require.Equal(t, want, after)
		}
		_, err := l.people.Get(ctx)
		require.NoError(t, err, "the model itself has no conditions")
		idle(t, fl.Registry, "main")
	})
}

type member struct {
	ID       int64
	Name     string
	Articles []article
}

type article struct {
	ID, MemberID int64
	Title        string
}

// hazard 115: what the library adds to a condition holds for all of it.
func TestHazard_AddedConditionsHoldForTheWhole(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE members (id {id}, name {text} NOT NULL)`,
			`CREATE TABLE articles (id {id}, member_id {bigint} NOT NULL, title {text} NOT NULL)`)
		members := conformance.Model[member](t, fl.Registry, dbfleet.ModelConfig{Table: "members"})
		articles := conformance.Model[article](t, fl.Registry, dbfleet.ModelConfig{Table: "articles"})
		list := []member{{Name: "Ada"}, {Name: "Bob"}}
		require.NoError(t, members.CreateMany(ctx, list))
		require.NoError(t, articles.CreateMany(ctx, []article{
			{MemberID: list[0].ID, Title: "x"}, {MemberID: list[1].ID, Title: "x"}, {MemberID: list[1].ID, Title: "y"},
		}))

		either := members.Where("name", "=", "Ada").OrWhere("name", "=", "Bob")
		bob, err := either.Find(ctx, list[1].ID)
		require.NoError(t, err)
		require.Equal(t, "Bob", bob.Name)
		_, err = either.Find(ctx, list[1].ID+100)
		require.ErrorIs(t, err, dbfleet.ErrNotFound)

		some := dbfleet.HasMany(members, articles, dbfleet.On("member_id"), func(m *member) *[]article { return &m.Articles }).
			Scope(func(q *dbfleet.Query[article]) *dbfleet.Query[article] {
				return q.Where("title", "=", "x").OrWhere("title", "=", "y")
			})
		n, err := some.For(&list[0]).Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		loaded, err := members.OrderBy("id", dbfleet.Asc).With(some).Get(ctx)
		require.NoError(t, err)
		require.Len(t, loaded[0].Articles, 1)
		require.Len(t, loaded[1].Articles, 2)
		n, err = some.For(&list[0]).Update(ctx, dbfleet.Row{"title": "z"})
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		n, err = some.For(&list[0]).Delete(ctx)
		require.NoError(t, err)
		require.Zero(t, n, "the others' are not touched")
	})
}
