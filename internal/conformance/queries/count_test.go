package queries

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// hazard 116: counts with limit, order, groups, DISTINCT, joins and unions.
func TestQuery_CountsWhatGetReturns(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		l := newLibrary(t, fl)
		ctx := t.Context()
		people := fl.DB("main").Table("people")
		or := people.Where("id", "=", 1).OrWhere("id", "=", 2)
		for claim, q := range map[string]*dbfleet.Query[dbfleet.Row]{
			"all":                  people,
			"limit":                people.Limit(4),
			"limit 0":              people.Limit(0),
			"limit beyond":         people.Limit(100),
			"offset":               people.OrderBy("id", "asc").Offset(4),
			"limit and offset":     people.OrderBy("id", "asc").Limit(4).Offset(3),
			"order":                people.OrderBy("name", "desc"),
			"or":                   or,
			"or and limit":         or.Limit(1),
			"distinct":             people.Select("age").Distinct(),
			"distinct ordered":     people.Select("age").Distinct().OrderBy("age", "asc"),
			"distinct two":         people.Select("age", "city").Distinct(),
			"distinct limit":       people.Select("age").Distinct().OrderBy("age", "asc").Limit(2),
			"distinct all":         people.Distinct(),
			"group":                people.Select("city").GroupBy("city"),
			"group raw":            people.SelectRaw("COUNT(*) AS n").GroupBy("city").OrderBy("n", "asc"),
			"group limit":          people.Select("city").GroupBy("city").Limit(2),
			"having":               people.Select("city").GroupBy("city").HavingRaw("COUNT(*) > ?", 1),
			"having none":          people.Select("city").GroupBy("city").HavingRaw("COUNT(*) > ?", 10),
			"aggregate":            people.SelectRaw("MAX(age) AS oldest"),
			"join":                 people.Join("posts", "posts.person_id", "=", "people.id"),
			"left join":            people.LeftJoin("posts", "posts.person_id", "=", "people.id"),
			"join both ids":        people.Select("people.id").SelectAs("posts.id", "post").Join("posts", "posts.person_id", "=", "people.id").Limit(4),
			"join distinct":        people.Select("people.id").Distinct().Join("posts", "posts.person_id", "=", "people.id"),
			"order by alias":       people.SelectRaw("id, id % 3 AS rest").OrderBy("rest", "asc").Limit(3),
			"union":                people.Select("age").Union(people.Select("id")),
			"union all":            people.Select("age").UnionAll(people.Select("id")),
			"union limit":          people.Select("age").UnionAll(people.Select("id")).Limit(7),
			"union with bounds":    people.Select("id").Where("id", "<", 3).UnionAll(people.Select("id").OrderBy("id", "desc").Limit(1)),
			"union empty":          people.Select("id").Where("id", "<", 0).Union(people.Select("id").Where("id", "<", 0)),
			"select with argument": people.SelectRaw("id + ? AS n", 1).Where("id", ">", 2).Limit(3),
		} {
			rows, err := q.Get(ctx)
			require.NoError(t, err, claim)
			n, err := q.Count(ctx)
			require.NoError(t, err, claim)
			require.EqualValues(t, len(rows), n, claim)
			found, err := q.Exists(ctx)
			require.NoError(t, err, claim)
			require.Equal(t, len(rows) > 0, found, claim)
			first, err := q.First(ctx)
			if len(rows) == 0 {
				require.ErrorIs(t, err, dbfleet.ErrNotFound, claim)
			} else {
				require.NoError(t, err, claim)
				require.NotEmpty(t, first, claim)
			}
			read := 0
			for _, err := range q.Iter(ctx) {
				require.NoError(t, err, claim)
				read++
			}
			require.Equal(t, len(rows), read, claim)
		}

		// The same two names in a select list are no trouble for a count.
		twice := l.people.Select("people.id", "posts.id").Join("posts", "posts.person_id", "=", "people.id")
		for claim, q := range map[string]*dbfleet.Query[person]{"limit": twice.Limit(4), "distinct": twice.Distinct(), "offset": twice.OrderBy("people.id", "asc").Offset(1)} {
			n, err := q.Count(ctx)
			require.NoError(t, err, claim)
			require.EqualValues(t, map[string]int{"limit": 4, "distinct": 5, "offset": 4}[claim], n, claim)
			found, err := q.Exists(ctx)
			require.NoError(t, err, claim)
			require.True(t, found, claim)
		}

		// Aggregates are over the rows that Get returns.
		oldest := l.people.Query().WhereNotNull("age").OrderBy("age", "desc").OrderBy("id", "asc")
		for claim, tc := range map[string]struct {
			q    *dbfleet.Query[person]
			want float64
		}{
			"all":             {l.people.Query(), 131},
			"where":           {l.people.Where("age", ">", 36), 41},
			"limit":           {oldest.Limit(2), 77},
			"offset":          {oldest.Offset(3), 18},
			"limit, selected": {oldest.Select("name").Limit(2), 77},
			"own table":       {oldest.Select("people.age", "people.id").Limit(3), 113},
			"distinct":        {l.people.Select("age").Distinct(), 95},
			"union":           {l.people.Select("age").UnionAll(l.people.Select("age").Where("id", "=", 1)), 167},
			"or":              {l.people.Where("id", "=", 1).OrWhere("id", "=", 2), 77},
			"join":            {l.people.Query().Join("posts", "posts.person_id", "=", "people.id"), 36 + 36 + 41 + 36 + 36},
		} {
			sum, err := tc.q.Sum(ctx, "age")
			require.NoError(t, err, claim)
			require.InDelta(t, tc.want, sum, 1e-9, claim)
			typed, err := dbfleet.Sum[int64](ctx, tc.q, "people.age")
			require.NoError(t, err, claim)
			require.EqualValues(t, tc.want, typed, claim)
		}
		avg, err := l.people.Limit(10).Avg(ctx, "age")
		require.NoError(t, err)
		require.InDelta(t, 26.2, avg, 1e-9)
		typedAvg, err := dbfleet.Avg[float64](ctx, l.people, "age")
		require.NoError(t, err)
		require.InDelta(t, 26.2, typedAvg, 1e-9)
		for column, want := range map[string][2]any{"age": {at[int64](0), at[int64](41)}, "name": {"50%_off", "eve"}, "id": {int64(1), int64(6)}} {
			low, err := l.people.Query().Min(ctx, column)
			require.NoError(t, err)
			require.Equal(t, want[0], low)
			high, err := l.people.Limit(10).Max(ctx, column)
			require.NoError(t, err)
			require.Equal(t, want[1], high)
		}
		typedMax, err := dbfleet.Max[string](ctx, l.people, "name")
		require.NoError(t, err)
		require.Equal(t, "eve", typedMax)
	})
}
