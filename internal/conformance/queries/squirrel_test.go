package queries

import (
	"testing"

	"github.com/Masterminds/squirrel"
	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// Any statement of squirrel runs on the query's route and is mapped.
func TestQuery_RunsAnySquirrelStatement(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		l := newLibrary(t, fl)
		ctx := t.Context()
		inner := squirrel.Select("person_id").From("posts").Where(squirrel.Gt{"views": 8})
		for _, format := range []squirrel.PlaceholderFormat{squirrel.Question, squirrel.Dollar, squirrel.AtP} {
			s := squirrel.Select("p.*").From("people p").Where(squirrel.Expr("p.id IN (?)", inner)).Where(squirrel.Eq{"p.active": true, "p.city": []string{"london", "paris"}}).
				OrderBy("p.id DESC").Limit(5).PlaceholderFormat(format)
			list, err := l.people.With(postsOf(l)).GetStatement(ctx, s)
			require.NoError(t, err)
			require.Len(t, list, 2)
			require.Equal(t, "eve", list[0].Name)
			require.Equal(t, []string{"one", "two"}, titles(list[1].Posts))
			list, err = l.people.Query().GetStatement(ctx, &s)
			require.NoError(t, err)
			require.Len(t, list, 2)
		}
		rows, err := fl.DB("main").Table("people").GetStatement(ctx, squirrel.Select("city", "COUNT(*) AS n").From("people").GroupBy("city").Having("COUNT(*) > ?", 1).OrderBy("city"))
		require.NoError(t, err)
		require.Equal(t, []dbfleet.Row{{"city": "london", "n": int64(2)}, {"city": "paris", "n": int64(2)}}, rows)
		none, err := l.people.Query().GetStatement(ctx, squirrel.Select("*").From("people").Where("1 = 0"))
		require.NoError(t, err)
		require.NotNil(t, none)

		count, last := sent(fl.Registry)
		n, err := l.people.Query().ExecStatement(ctx, squirrel.Update("people").Set("city", "oslo").Where(squirrel.Eq{"id": []int{1, 2}}).PlaceholderFormat(squirrel.Dollar))
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		require.Equal(t, dbfleet.RolePrimary, last().Route.Role)
		n, err = l.people.Query().ExecStatement(ctx, squirrel.Insert("people").Columns("name", "city", "active", "id").Values("new", "x", false, 77).Values("newer", "x", true, 78))
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		n, err = l.people.Query().ExecStatement(ctx, squirrel.Delete("people").Where(squirrel.Or{squirrel.Eq{"id": 77}, squirrel.Eq{"id": 78}}))
		require.NoError(t, err)
		require.EqualValues(t, 2, n)

		before := count()
		for claim, run := range map[string]func() error{
			"delete of all": func() error { _, err := l.people.Query().ExecStatement(ctx, squirrel.Delete("people")); return err },
			"update of all": func() error {
				_, err := l.people.Query().ExecStatement(ctx, squirrel.Update("people").Set("age", 1))
				return err
			},
			"with returning": func() error {
				_, err := l.people.Query().GetStatement(ctx, squirrel.Delete("people").Suffix("RETURNING *"))
				return err
			},
			"empty group": func() error {
				_, err := l.people.Query().WhereGroup(func(q *dbfleet.Query[person]) *dbfleet.Query[person] { return q }).Delete(ctx)
				return err
			},
			"empty or group": func() error {
				_, err := l.people.Query().OrWhereGroup(func(q *dbfleet.Query[person]) *dbfleet.Query[person] { return q }).Update(ctx, map[string]any{"age": 1})
				return err
			},
			"empty And": func() error {
				_, err := l.people.Filter(dbfleet.And(), dbfleet.And(dbfleet.And())).Delete(ctx)
				return err
			},
			"no filters": func() error { _, err := l.people.Filter().Delete(ctx); return err },
		} {
			require.ErrorIs(t, run(), dbfleet.ErrMissingWhere, claim)
		}
		for claim, run := range map[string]func() error{
			"empty Eq": func() error {
				_, err := l.people.Query().ExecStatement(ctx, squirrel.Delete("people").Where(squirrel.Eq{}))
				return err
			},
			"raw key": func() error {
				_, err := l.people.Query().ExecStatement(ctx, squirrel.Delete("people").Where(squirrel.Eq{"1=1 OR id": 1}))
				return err
			},
			"conditions": func() error {
				_, err := l.people.Where("id", "=", 1).ExecStatement(ctx, squirrel.Delete("people").Where("id = 2"))
				return err
			},
			"ragged": func() error {
				_, err := l.people.Query().ExecStatement(ctx, squirrel.Insert("people").Columns("a", "b").Values(1))
				return err
			},
			"nil":       func() error { _, err := l.people.Query().GetStatement(ctx, nil); return err },
			"no Not":    func() error { _, err := l.people.Filter(dbfleet.Not()).Delete(ctx); return err },
			"no Or":     func() error { _, err := l.people.Filter(dbfleet.Or()).Delete(ctx); return err },
			"zero Cond": func() error { _, err := l.people.Filter(dbfleet.Cond{}).Get(ctx); return err },
			"zero query": func() error {
				_, err := (&dbfleet.Query[person]{}).WhereGroup(func(q *dbfleet.Query[person]) *dbfleet.Query[person] { return q.Where("a", "=", 1) }).Get(ctx)
				return err
			},
			"zero not": func() error {
				_, err := (&dbfleet.Query[person]{}).WhereNot(func(q *dbfleet.Query[person]) *dbfleet.Query[person] { return q.Where("a", "=", 1) }).Get(ctx)
				return err
			},
			"zero sub": func() error { _, err := l.people.Query().WhereExists(&dbfleet.Query[post]{}).Get(ctx); return err },
		} {
			var fault *dbfleet.StatementError
			require.ErrorAs(t, run(), &fault, claim)
		}
		require.Equal(t, before, count(), "nothing was sent")
		n, err = l.people.Query().AllRows().ExecStatement(ctx, squirrel.Update("people").Set("age", 1))
		require.NoError(t, err)
		require.EqualValues(t, 6, n)
		idle(t, fl.Registry, "main")
	})
}
