package queries

import (
	"database/sql"
	"testing"

	"github.com/Masterminds/squirrel"
	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

func TestQuery_OrdersBoundsAndLists(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		l := newLibrary(t, fl)
		ctx := t.Context()
		byID := l.people.OrderBy("id", dbfleet.Asc)
		require.Equal(t, []int64{6, 5, 4, 3, 2, 1}, inOrder(t, l.people.OrderBy("id", dbfleet.Desc)))
		require.Equal(t, []int64{2, 5, 1, 4, 6}, inOrder(t, l.people.Query().WhereNotNull("age").OrderBy("age", "desc").OrderBy("people.id", "DESC")))
		require.Equal(t, []int64{3, 4}, inOrder(t, byID.Limit(2).Offset(2)))
		require.Equal(t, []int64{5, 6}, inOrder(t, byID.Offset(4)), "an offset needs no limit")
		require.Empty(t, inOrder(t, byID.Offset(40)))
		require.Equal(t, []int64{5, 6, 1}, inOrder(t, l.people.Query().OrderByRaw("CASE WHEN id >= ? THEN 0 ELSE 1 END", 5).OrderBy("id", dbfleet.Asc).Limit(3)))
		require.Equal(t, []int64{5, 2, 1, 4, 6, 3}, inOrder(t, l.people.Select("id").SelectRaw("id % 3 AS rest").DiscardUnknownColumns().OrderBy("rest", dbfleet.Desc).
			OrderByRaw("id = ? DESC", 5).OrderByRaw("id = 6 DESC").OrderBy("id", dbfleet.Asc)), "an alias can be ordered by")

		for claim, q := range map[string]*dbfleet.Query[person]{
			"negative limit":  byID.Limit(-1),
			"negative offset": byID.Offset(-1),
		} {
			var fault *dbfleet.StatementError
			_, err := q.Get(ctx)
			require.ErrorAs(t, err, &fault, claim)
			_, err = q.First(ctx)
			require.ErrorAs(t, err, &fault, claim)
			_, err = q.Find(ctx, 1)
			require.ErrorAs(t, err, &fault, claim)
			_, err = q.Exists(ctx)
			require.ErrorAs(t, err, &fault, claim)
			_, err = q.Count(ctx)
			require.ErrorAs(t, err, &fault, claim)
			_, err = dbfleet.Pluck[int64](ctx, q, "id")
			require.ErrorAs(t, err, &fault, claim)
		}

		// hazard 207
		none, err := l.people.Where("id", "=", -1).Get(ctx)
		require.NoError(t, err)
		require.NotNil(t, none)
		require.Empty(t, none)
		_, err = l.people.Where("id", "=", -1).First(ctx)
		require.ErrorIs(t, err, dbfleet.ErrNotFound)
		require.ErrorIs(t, err, sql.ErrNoRows)
		_, err = l.people.Limit(0).First(ctx)
		require.ErrorIs(t, err, dbfleet.ErrNotFound)
		rows, err := fl.DB("main").Table("people").Where("id", "=", -1).Get(ctx)
		require.NoError(t, err)
		require.NotNil(t, rows)
		plucked, err := dbfleet.Pluck[string](ctx, l.people.Where("id", "=", -1), "name")
		require.NoError(t, err)
		require.NotNil(t, plucked)
		sum, err := l.people.Where("id", "=", -1).Sum(ctx, "age")
		require.NoError(t, err)
		require.Zero(t, sum)
		_, err = l.people.Where("id", "=", -1).Avg(ctx, "age")
		require.ErrorIs(t, err, dbfleet.ErrNotFound)
		_, err = l.people.Where("id", "=", -1).Max(ctx, "age")
		require.ErrorIs(t, err, dbfleet.ErrNotFound)
		_, err = dbfleet.Min[int64](ctx, l.people.Where("id", "=", -1), "age")
		require.ErrorIs(t, err, dbfleet.ErrNotFound)

		// Find does not take NULL, nor more or fewer values than the key has.
		for _, key := range [][]any{{nil}, {(*int64)(nil)}, {sql.NullInt64{}}, {}, {1, 2}} {
			_, err = l.people.Find(ctx, key...)
			var fault *dbfleet.StatementError
			require.ErrorAs(t, err, &fault, "%v", key)
		}
		idle(t, fl.Registry, "main")
	})
}

// truth 106
func TestQuery_SelectListsAndGroups(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		l := newLibrary(t, fl)
		ctx := t.Context()
		people, posts := fl.DB("main").Table("people"), fl.DB("main").Table("posts")

		got, err := l.people.Select("name").Find(ctx, 1)
		require.NoError(t, err)
		require.Equal(t, person{Name: "ada"}, got)
		got, err = l.people.Select("*").Find(ctx, 1)
		require.NoError(t, err)
		require.Equal(t, "london", got.City)
		got, err = l.people.Select("id").SelectAs("city", "name").SelectExpr(squirrel.Expr("id + ?", 41), "age").SelectRaw("UPPER(city) AS city").
			Where("id", "=", 1).First(ctx)
		require.NoError(t, err)
		require.Equal(t, person{ID: 1, Name: "london", Age: at[int64](42), City: "LONDON"}, got)
		require.Equal(t, []string{"1", "2", "3"}, column(t, people.SelectAs("id", "n").OrderBy("n", "asc").Limit(3), "n"))
		require.Equal(t, []string{"2", "1", "0"}, column(t, people.Select("id").SelectSub(
			posts.SelectRaw("COUNT(*)").WhereColumn("posts.person_id", "=", "people.id"), "written").WhereIn("id", []int{1, 2, 3}).OrderBy("id", "asc"), "written"))
		// Values that no column gives a type (hazard 59).
		row, err := people.SelectRaw("? AS a, ? AS b, COALESCE(NULL, ?) AS c,? as d", "x", 5, "y", 1.5).SelectRaw("\t? AS f", nil).SelectRaw(" ? As g ", true).
			SelectExpr(squirrel.Expr("?", 8), "e").Where("id", "=", 1).First(ctx)
		require.NoError(t, err)
		require.Equal(t, []any{"x", int64(5), "y", 1.5, int64(8)}, []any{row["a"], row["b"], row["c"], row["d"], row["e"]})

		// Groups.
		byCity := people.Select("city").SelectRaw("COUNT(*) AS n").GroupBy("city").OrderBy("n", "desc").OrderBy("city", "asc")
		require.Equal(t, []string{"london", "paris", `back\slash`, "rome"}, column(t, byCity, "city"))
		require.Equal(t, []string{"2", "2", "1", "1"}, column(t, byCity, "n"))
		require.Equal(t, []string{"london", "paris"}, column(t, byCity.HavingRaw("COUNT(*) > ?", 1), "city"))
		require.Equal(t, []string{"paris"}, column(t, byCity.Having("city", "=", "paris").HavingRaw("COUNT(*) > ? AND MIN(id) = ?", 1, 2), "city"))
		onModel := l.people.Select("city").SelectRaw("COUNT(*) AS n").DiscardUnknownColumns().GroupBy("people.city").OrderBy("n", "desc").OrderBy("city", "asc").HavingRaw("COUNT(*) > ?", 1)
		grouped, err := onModel.Get(ctx)
		require.NoError(t, err)
		require.Equal(t, []person{{City: "london"}, {City: "paris"}}, grouped)
		cities, err := dbfleet.Pluck[string](ctx, onModel, "city")
		require.NoError(t, err, "the order's alias is still there")
		require.Equal(t, []string{"london", "paris"}, cities)
		counts, err := dbfleet.Pluck[int](ctx, onModel, "n")
		require.NoError(t, err)
		require.Equal(t, []int{2, 2}, counts)
		loose, err := onModel.Pluck(ctx, "n")
		require.NoError(t, err)
		require.Equal(t, []any{int64(2), int64(2)}, loose)
		require.Equal(t, []string{"london", "paris"}, column(t, byCity.Having("n", ">", 1), "city"), "an alias")
		require.Equal(t, []string{"0", "18", "36", "41"}, column(t, people.Select("age").Distinct().WhereNotNull("age").OrderBy("age", "asc"), "age"))

		// A query may be stored and asked again: nothing of it was used up.
		first, err := onModel.Count(ctx)
		require.NoError(t, err)
		second, err := onModel.Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 2, first)
		require.Equal(t, first, second)
	})
}
