package queries

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// truth 128
// A column that the select list lacks comes in the order of the query, also by an alias.
func TestPluck_InTheOrderOfAnAlias(t *testing.T) {
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		l := newLibrary(t, fl)
		// The posts with the most letters first: three (3), orphan (6), ...; views is the alias.
		q := l.posts.Select("id").SelectRaw("LENGTH(title) AS views").OrderBy("views", dbfleet.Desc).OrderBy("id", dbfleet.Asc).Limit(2)
		list, err := q.Get(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, []int64{6, 3}, []int64{list[0].ID, list[1].ID})
		ids, err := dbfleet.Pluck[int64](t.Context(), q, "id")
		require.NoError(t, err)
		require.Equal(t, []int64{6, 3}, ids, "a column of the list")
		titles, err := dbfleet.Pluck[string](t.Context(), q, "title")
		require.NoError(t, err)
		require.Equal(t, []string{"orphan", "three"}, titles, "the same rows")
	})
}

// truth 128
// The same by SelectAs of a joined table's column.
func TestPluck_InTheOrderOfAJoinedColumn(t *testing.T) {
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		l := newLibrary(t, fl)
		q := l.people.Query().LeftJoin("people AS boss", "boss.id", "=", "people.boss_id").WhereNotNull("boss.id").
			Select("people.id").SelectAs("boss.name", "name").OrderBy("name", "asc").OrderBy("people.id", "desc").Limit(2)
		list, err := q.Get(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, []int64{3, 2}, []int64{list[0].ID, list[1].ID}, "ada's")
		cities, err := q.Pluck(t.Context(), "city")
		require.NoError(t, err)
		require.Equal(t, []any{"london", "paris"}, cities)
	})
}

// truth 128
// An order by an alias that is no column of the table.
func TestPluck_InTheOrderOfAnAliasOfItsOwn(t *testing.T) {
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		newLibrary(t, fl)
		q := fl.DB("main").Table("posts").Select("id").SelectRaw("LENGTH(title) AS letters").OrderBy("letters", dbfleet.Desc).OrderBy("id", dbfleet.Asc).Limit(2)
		titles, err := dbfleet.Pluck[string](t.Context(), q, "title")
		require.NoError(t, err)
		require.Equal(t, []string{"orphan", "three"}, titles)
	})
}

// truth 128
// Having may use an alias of a select list that lacks the column.
func TestPluck_HavingAnAlias(t *testing.T) {
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		newLibrary(t, fl)
		q := fl.DB("main").Table("posts").SelectRaw("SUM(views) AS views").GroupBy("person_id").Having("views", ">", 15)
		n, err := q.Count(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 2, n, "person 1 has 30 views, person 5 has 16")
		people, err := dbfleet.Pluck[int64](t.Context(), q, "person_id")
		require.NoError(t, err)
		require.ElementsMatch(t, []int64{1, 5}, people)
	})
}
