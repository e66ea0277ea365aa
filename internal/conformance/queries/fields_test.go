package queries

import (
	"strings"
	"testing"

	"github.com/Masterminds/squirrel"
	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// cityAges has a field that a typing error in an alias leaves empty.
type cityAges struct {
	City     string
	TotalAge int64
}

// truth 201, 202
func TestSelect_AColumnWithoutAFieldIsAnError(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		l := newLibrary(t, fl)
		ctx := t.Context()
		ages := dbfleet.Table[cityAges](fl.DB("main"), "people")
		refused := func(err error, column string, others ...string) {
			t.Helper()
			var fault *dbfleet.ColumnError
			require.ErrorAs(t, err, &fault)
			require.True(t, strings.EqualFold(column, fault.Column), "%v", err)
			for _, name := range others {
				require.ErrorContains(t, err, name)
			}
		}

		typo := ages.Select("city").SelectRaw("SUM(age) AS age_total").WhereNotNull("age").GroupBy("city")
		_, err := typo.Get(ctx)
		refused(err, "age_total", "total_age", "cityAges", "city")
		_, err = typo.First(ctx)
		refused(err, "age_total", "total_age")
		n := 0
		for _, e := range typo.Iter(ctx) {
			err = e
			n++
		}
		refused(err, "age_total", "total_age")
		require.Equal(t, 1, n, "the error is the only pair")
		_, err = ages.GetStatement(ctx, squirrel.Select("city", "COUNT(*) AS total_aged").From("people").GroupBy("city"))
		refused(err, "total_aged", "total_age")
		_, err = ages.GetStatement(ctx, squirrel.Expr("SELECT city, 2 * 3 AS six FROM people"))
		refused(err, "six")
		_, err = l.people.Query().SelectAs("name", "nickname").Get(ctx)
		refused(err, "nickname", "name")
		_, err = l.people.Select("id").SelectSub(l.posts.Query().SelectRaw("COUNT(*)"), "n").Get(ctx)
		refused(err, "n")
		_, err = ages.Select("city").Union(ages.Select("city").SelectAs("name", "x").Select("city")).Get(ctx)
		require.Error(t, err)

		// What has a field is read; fields that the list does not name stay zero.
		right, err := ages.Select("city").SelectRaw("SUM(age) AS total_age").WhereNotNull("age").GroupBy("city").OrderBy("city", dbfleet.Asc).Get(ctx)
		require.NoError(t, err)
		require.NotEmpty(t, right)
		require.NotZero(t, right[len(right)-1].TotalAge)
		right, err = ages.Select("city").OrderBy("city", dbfleet.Asc).Limit(1).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, []cityAges{{City: right[0].City}}, right)

		// The caller may say so.
		spare, err := typo.DiscardUnknownColumns().OrderBy("city", dbfleet.Asc).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, cityAges{City: spare[0].City}, spare[0])
		_, err = ages.DiscardUnknownColumns().GetStatement(ctx, squirrel.Select("city", "COUNT(*) AS n").From("people").GroupBy("city"))
		require.NoError(t, err)
		idle(t, fl.Registry, "main")
	})
}

// truth 203, 204
func TestSelect_AStarMayHaveMoreColumnsAndNotFewer(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		newLibrary(t, fl)
		ctx := t.Context()
		type place struct{ City string }
		places := dbfleet.Table[place](fl.DB("main"), "people")
		list, err := places.Select("*").Get(ctx)
		require.NoError(t, err)
		require.NotEmpty(t, list)
		_, err = places.Select("people.*").SelectRaw("1 AS one").Get(ctx)
		require.NoError(t, err)
		_, err = places.GetStatement(ctx, squirrel.Select("p.*").From("people p"))
		require.NoError(t, err)

		ages := dbfleet.Table[cityAges](fl.DB("main"), "people")
		for claim, read := range map[string]func() error{
			"Select":       func() error { _, err := ages.Select("*").Get(ctx); return err },
			"First":        func() error { _, err := ages.Select("people.*").First(ctx); return err },
			"GetStatement": func() error { _, err := ages.GetStatement(ctx, squirrel.Select("*").From("people")); return err },
		} {
			var fault *dbfleet.ColumnError
			require.ErrorAs(t, read(), &fault, claim)
			require.Equal(t, "total_age", fault.Column, claim)
		}
	})
}
