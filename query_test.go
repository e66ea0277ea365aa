package dbfleet_test

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/Masterminds/squirrel"
	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
)

// person and post are the rows of most query tests; see newLibrary.
type person struct {
	ID     int64
	Name   string
	Age    *int64
	City   string
	Active bool
	BossID *int64
	Posts  []post
	Boss   *person
	Latest *post
}

type post struct {
	ID       int64
	PersonID *int64
	Title    string
	Views    int64
	Author   *person
}

func at[V any](v V) *V { return &v }

// library is a fresh database with six people and six posts.
type library struct {
	fleet
	people *dbfleet.Model[person]
	posts  *dbfleet.Model[post]
}

func newLibrary(t *testing.T, fl fleet) library {
	t.Helper()
	fl.create(t,
		`CREATE TABLE people (id {id}, name {text} NOT NULL, age {bigint}, city {text} NOT NULL, active {bool} NOT NULL, boss_id {bigint})`,
		`CREATE TABLE posts (id {id}, person_id {bigint}, title {text} NOT NULL, views {bigint} NOT NULL)`)
	l := library{
		fleet:  fl,
		people: model[person](t, fl.Registry, dbfleet.ModelConfig{Table: "people"}),
		posts:  model[post](t, fl.Registry, dbfleet.ModelConfig{Table: "posts"}),
	}
	require.NoError(t, l.people.CreateMany(t.Context(), []person{
		{ID: 1, Name: "ada", Age: at[int64](36), City: "london", Active: true},
		{ID: 2, Name: "bob", Age: at[int64](41), City: "paris", BossID: at[int64](1)},
		{ID: 3, Name: "cid", City: "london", Active: true, BossID: at[int64](1)},
		{ID: 4, Name: "dan", Age: at[int64](18), City: "rome", BossID: at[int64](2)},
		{ID: 5, Name: "eve", Age: at[int64](36), City: "paris", Active: true, BossID: at[int64](2)},
		{ID: 6, Name: "50%_off", Age: at[int64](0), City: `back\slash`},
	}))
	require.NoError(t, l.posts.CreateMany(t.Context(), []post{
		{ID: 1, PersonID: at[int64](1), Title: "one", Views: 10},
		{ID: 2, PersonID: at[int64](1), Title: "two", Views: 20},
		{ID: 3, PersonID: at[int64](2), Title: "three", Views: 5},
		{ID: 4, PersonID: at[int64](5), Title: "four", Views: 7},
		{ID: 5, PersonID: at[int64](5), Title: "one", Views: 9},
		{ID: 6, Title: "orphan", Views: 1},
	}))
	return l
}

// ids runs a query for people and returns their ids, sorted.
func ids(t *testing.T, q *dbfleet.Query[person]) []int64 {
	t.Helper()
	list, err := q.Get(t.Context())
	require.NoError(t, err)
	out := []int64{}
	for _, p := range list {
		out = append(out, p.ID)
	}
	slices.Sort(out)
	return out
}

// inOrder runs a query for people and returns their ids as they come.
func inOrder(t *testing.T, q *dbfleet.Query[person]) []int64 {
	t.Helper()
	list, err := q.Get(t.Context())
	require.NoError(t, err)
	out := []int64{}
	for _, p := range list {
		out = append(out, p.ID)
	}
	return out
}

// column runs a query for rows and returns one column as text.
func column(t *testing.T, q *dbfleet.Query[dbfleet.Row], name string) []string {
	t.Helper()
	rows, err := q.Get(t.Context())
	require.NoError(t, err)
	out := []string{}
	for _, r := range rows {
		require.Contains(t, r, name)
		out = append(out, fmt.Sprint(r[name]))
	}
	return out
}

// idle fails unless every connection of the pool has been given back.
func idle(t *testing.T, r *dbfleet.Registry, name string) {
	t.Helper()
	require.Zero(t, r.DB(name).Primary().Stats().InUse, "a connection was not given back")
}

// sent counts the statements that reach a registry's connections.
func sent(r *dbfleet.Registry) (count func() int, last func() dbfleet.QueryEvent) {
	var mu sync.Mutex
	var list []dbfleet.QueryEvent
	r.OnBeforeQuery(func(_ context.Context, e dbfleet.QueryEvent) {
		mu.Lock()
		defer mu.Unlock()
		list = append(list, e)
	})
	count = func() int { mu.Lock(); defer mu.Unlock(); return len(list) }
	last = func() dbfleet.QueryEvent { mu.Lock(); defer mu.Unlock(); return list[len(list)-1] }
	return count, last
}

// promise 12, 13: every word of the language, against rows.
func TestQuery_EveryConditionFindsItsRows(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
		l := newLibrary(t, fl)
		type Q = *dbfleet.Query[person]
		age, name, id := dbfleet.Col[*int64]("age"), dbfleet.Col[string]("name"), dbfleet.Col[int64]("id")
		for claim, tc := range map[string]struct {
			q    Q
			want []int64
		}{
			"=":                   {l.people.Where("name", "=", "ada"), []int64{1}},
			"!=":                  {l.people.Where("age", "!=", 36), []int64{2, 4, 6}},
			"<>":                  {l.people.Where("city", "<>", "london"), []int64{2, 4, 5, 6}},
			"<":                   {l.people.Where("age", "<", 18), []int64{6}},
			"<=":                  {l.people.Where("age", "<=", 18), []int64{4, 6}},
			">":                   {l.people.Where("age", ">", 36), []int64{2}},
			">=":                  {l.people.Where("age", ">=", 36), []int64{1, 2, 5}},
			"= zero":              {l.people.Where("age", "=", 0), []int64{6}},
			"= false":             {l.people.Where("active", "=", false), []int64{2, 4, 6}},
			"= true as 1":         {l.people.Where("active", "=", 1), []int64{1, 3, 5}},
			"= nil":               {l.people.Where("age", "=", nil), []int64{3}},
			"= nil pointer":       {l.people.Where("age", "=", (*int64)(nil)), []int64{3}},
			"= invalid sql.Null":  {l.people.Where("age", "=", sql.NullInt64{}), []int64{3}},
			"!= nil":              {l.people.Where("age", "!=", nil), []int64{1, 2, 4, 5, 6}},
			"is nil":              {l.people.Where("age", "is", nil), []int64{3}},
			"is value":            {l.people.Where("age", "IS", 36), []int64{1, 5}},
			"is not nil":          {l.people.Where("age", "is NOT", nil), []int64{1, 2, 4, 5, 6}},
			"is not value":        {l.people.Where("age", "IS NOT", 36), []int64{2, 3, 4, 6}},
			"like":                {l.people.Where("name", "LIKE", "%a%"), []int64{1, 4}},
			"not like":            {l.people.Where("name", "not like", "%a%"), []int64{2, 3, 5, 6}},
			"ilike":               {l.people.Where("name", "ILIKE", "A%"), []int64{1}},
			"not ilike":           {l.people.Where("name", "NOT ILIKE", "%A%"), []int64{2, 3, 5, 6}},
			"in":                  {l.people.Where("id", "IN", []int{1, 2, 2, 9}), []int64{1, 2}},
			"not in":              {l.people.Where("id", "NOT IN", []int64{1, 2}), []int64{3, 4, 5, 6}},
			"between":             {l.people.Where("age", "BETWEEN", []int{18, 36}), []int64{1, 4, 5}},
			"not between":         {l.people.Where("age", "NOT BETWEEN", []int{18, 36}), []int64{2, 6}},
			"own table":           {l.people.Where("people.name", "=", "ada"), []int64{1}},
			"or":                  {l.people.Where("id", "=", 1).OrWhere("id", "=", 2).Where("age", ">", 40), []int64{1, 2}},
			"group":               {l.people.Where("age", ">", 40).WhereGroup(func(q Q) Q { return q.Where("id", "=", 1).OrWhere("id", "=", 2) }), []int64{2}},
			"or group":            {l.people.Where("id", "=", 6).OrWhereGroup(func(q Q) Q { return q.Where("age", "=", 36).Where("city", "=", "paris") }), []int64{5, 6}},
			"not":                 {l.people.Query().WhereNot(func(q Q) Q { return q.Where("age", ">=", 36).OrWhere("city", "=", "rome") }), []int64{6}},
			"where in":            {l.people.WhereIn("city", []string{"rome", "paris"}), []int64{2, 4, 5}},
			"where in query":      {l.people.WhereIn("id", l.posts.Select("person_id").Where("views", ">", 8)), []int64{1, 5}},
			"where not in":        {l.people.Query().WhereNotIn("city", []string{"rome", "paris"}), []int64{1, 3, 6}},
			"where not in query":  {l.people.Query().WhereNotIn("id", l.posts.Select("person_id").WhereNotNull("person_id")), []int64{3, 4, 6}},
			"null":                {l.people.Query().WhereNull("age"), []int64{3}},
			"not null":            {l.people.Query().WhereNotNull("boss_id"), []int64{2, 3, 4, 5}},
			"where between":       {l.people.Query().WhereBetween("age", 36, 41), []int64{1, 2, 5}},
			"column":              {l.people.Query().WhereColumn("id", "<", "age"), []int64{1, 2, 4, 5}},
			"exists":              {l.people.Query().WhereExists(l.posts.Query().WhereColumn("posts.person_id", "=", "people.id").Where("title", "=", "one")), []int64{1, 5}},
			"not exists":          {l.people.Query().WhereNotExists(l.posts.Query().WhereColumn("posts.person_id", "=", "people.id")), []int64{3, 4, 6}},
			"raw":                 {l.people.Query().WhereRaw("age + ? > ?", 1, 41), []int64{2}},
			"or raw":              {l.people.Where("id", "=", 3).OrWhereRaw("age = ? OR age = ?", 0, 18), []int64{3, 4, 6}},
			"raw with query":      {l.people.Query().WhereRaw("id IN ? AND age > ?", l.posts.Select("person_id").Where("views", "<", 8), 40), []int64{2}},
			"scalar query":        {l.people.Where("age", "=", l.people.Query().SelectRaw("MAX(age)")), []int64{2}},
			"value as SQL":        {l.people.Where("age", "=", dbfleet.SQL("id * ?", 36)), []int64{1}},
			"list as SQL":         {l.people.Where("id", "IN", dbfleet.SQL("SELECT person_id FROM posts WHERE views > ?", 8)), []int64{1, 5}},
			"filter":              {l.people.Filter(age.Eq(at[int64](36)), name.NotEq("eve")), []int64{1}},
			"filter null":         {l.people.Filter(age.Eq(nil)), []int64{3}},
			"filter or":           {l.people.Filter(dbfleet.Or(id.Lt(2), id.Gt(5), name.Like("d%"))), []int64{1, 4, 6}},
			"filter and":          {l.people.Filter(dbfleet.Or(dbfleet.And(id.GtEq(2), id.LtEq(3)), id.In(6))), []int64{2, 3, 6}},
			"filter not":          {l.people.Filter(dbfleet.Not(id.Between(2, 5))), []int64{1, 6}},
			"filter in none":      {l.people.Filter(id.In()), []int64{}},
			"filter not in none":  {l.people.Filter(id.NotIn()), []int64{1, 2, 3, 4, 5, 6}},
			"filter not in":       {l.people.Filter(id.NotIn(1, 2, 3)), []int64{4, 5, 6}},
			"filter nulls":        {l.people.Filter(age.IsNull()).OrWhere("boss_id", "=", 1), []int64{2, 3}},
			"filter not null":     {l.people.Filter(age.IsNotNull(), dbfleet.Raw("city = ?", "london")), []int64{1}},
			"filter squirrel":     {l.people.Filter(dbfleet.Expr(squirrel.Or{squirrel.Eq{"id": []int{1, 3}}, squirrel.Gt{"age": 40}})), []int64{1, 2, 3}},
			"filter squirrel sub": {l.people.Filter(dbfleet.Expr(squirrel.Expr("id IN (?)", squirrel.Select("person_id").From("posts").Where(squirrel.Lt{"views": 8})))), []int64{2, 5}},
			"limit 0":             {l.people.Limit(0), []int64{}},
			"in nothing":          {l.people.WhereIn("id", []int64(nil)), []int64{}},
			"not in nothing":      {l.people.Query().WhereNotIn("id", []int64{}), []int64{1, 2, 3, 4, 5, 6}},
			"in with nil":         {l.people.WhereIn("age", []any{18, nil}), []int64{3, 4}},
			"in only nil":         {l.people.WhereIn("age", []any{nil}), []int64{3}},
			"in pointers":         {l.people.WhereIn("age", []*int64{at[int64](18), nil}), []int64{3, 4}},
			"not in with nil":     {l.people.Query().WhereNotIn("age", []any{18, nil}), []int64{1, 2, 5, 6}},
			"in valuers":          {l.people.WhereIn("age", []sql.NullInt64{{Int64: 18, Valid: true}, {}}), []int64{3, 4}},
			"in mixed":            {l.people.WhereIn("age", []any{"18", int8(36), 0.0}), []int64{1, 4, 5, 6}},
			"in array":            {l.people.WhereIn("id", [2]int64{4, 6}), []int64{4, 6}},
		} {
			require.Equal(t, tc.want, ids(t, tc.q), claim)
			// The same rows by every other way of reading them.
			n, err := tc.q.Count(t.Context())
			require.NoError(t, err, claim)
			require.EqualValues(t, len(tc.want), n, claim)
			found, err := tc.q.Exists(t.Context())
			require.NoError(t, err, claim)
			require.Equal(t, len(tc.want) > 0, found, claim)
			plucked, err := dbfleet.Pluck[int64](t.Context(), tc.q, "id")
			require.NoError(t, err, claim)
			require.ElementsMatch(t, tc.want, plucked, claim)
			for _, key := range []int64{1, 2, 3, 4, 5, 6} {
				p, err := tc.q.Find(t.Context(), key)
				if slices.Contains(tc.want, key) {
					require.NoError(t, err, claim)
					require.Equal(t, key, p.ID, claim)
				} else {
					require.ErrorIs(t, err, dbfleet.ErrNotFound, claim)
				}
			}
		}
	})
}

func TestQuery_OrdersBoundsAndLists(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
		l := newLibrary(t, fl)
		ctx := t.Context()
		byID := l.people.OrderBy("id", dbfleet.Asc)
		require.Equal(t, []int64{6, 5, 4, 3, 2, 1}, inOrder(t, l.people.OrderBy("id", dbfleet.Desc)))
		require.Equal(t, []int64{2, 5, 1, 4, 6}, inOrder(t, l.people.Query().WhereNotNull("age").OrderBy("age", "desc").OrderBy("people.id", "DESC")))
		require.Equal(t, []int64{3, 4}, inOrder(t, byID.Limit(2).Offset(2)))
		require.Equal(t, []int64{5, 6}, inOrder(t, byID.Offset(4)), "an offset needs no limit")
		require.Empty(t, inOrder(t, byID.Offset(40)))
		require.Equal(t, []int64{5, 6, 1}, inOrder(t, l.people.Query().OrderByRaw("CASE WHEN id >= ? THEN 0 ELSE 1 END", 5).OrderBy("id", dbfleet.Asc).Limit(3)))
		require.Equal(t, []int64{5, 2, 1, 4, 6, 3}, inOrder(t, l.people.Select("id").SelectRaw("id % 3 AS rest").OrderBy("rest", dbfleet.Desc).
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
		require.ErrorIs(t, err, dbfleet.ErrNull)

		// Find does not take NULL, nor more or fewer values than the key has.
		for _, key := range [][]any{{nil}, {(*int64)(nil)}, {sql.NullInt64{}}, {}, {1, 2}} {
			_, err = l.people.Find(ctx, key...)
			var fault *dbfleet.StatementError
			require.ErrorAs(t, err, &fault, "%v", key)
		}
		idle(t, fl.Registry, "main")
	})
}

func TestQuery_SelectListsAndGroups(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
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
		onModel := l.people.Select("city").SelectRaw("COUNT(*) AS n").GroupBy("people.city").OrderBy("n", "desc").OrderBy("city", "asc").HavingRaw("COUNT(*) > ?", 1)
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
		if fl.db.Dialect != "postgres" {
			require.Equal(t, []string{"london", "paris"}, column(t, byCity.Having("n", ">", 1), "city"), "an alias where the database allows one")
		}
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

// hazard 116: counts with limit, order, groups, DISTINCT, joins and unions.
func TestQuery_CountsWhatGetReturns(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
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

func TestQuery_JoinsTablesWithTheSameColumnNames(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
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
	onEach(t, func(t *testing.T, fl fleet) {
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
		n, err = l.people.Where("id", "=", 6).Update(ctx, map[string]any{"age": l.posts.Query().SelectRaw("MAX(views)"), "name": dbfleet.SQL("UPPER(?)", "x")})
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		six, err := l.people.Find(ctx, 6)
		require.NoError(t, err)
		require.EqualValues(t, 9, *six.Age)
		require.Equal(t, "X", six.Name)
	})
}

// hazard 84, 92: a table that changes under a running program: columns are
// found by name, and one that the struct does not have is no trouble.
func TestQuery_SurvivesChangesOfItsTable(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
		l := newLibrary(t, fl)
		ctx := t.Context()
		ask := func() {
			t.Helper()
			var wg sync.WaitGroup
			for range 4 { // on several warm connections
				wg.Go(func() {
					for range 3 {
						got, err := l.people.Where("id", "=", 1).First(ctx)
						if err != nil || got.Name != "ada" || *got.Age != 36 {
							t.Errorf("%v %v", got, err)
						}
						row, err := fl.DB("main").Table("people").Where("id", "=", 1).First(ctx)
						if err != nil || row["name"] != "ada" || fmt.Sprint(row["age"]) != "36" {
							t.Errorf("%v %v", row, err)
						}
						list, err := l.people.Select("*").OrderBy("id", dbfleet.Asc).Limit(2).Get(ctx)
						if err != nil || len(list) != 2 || list[1].Name != "bob" {
							t.Errorf("%v %v", list, err)
						}
					}
				})
			}
			wg.Wait()
		}
		ask()
		fl.create(t, `ALTER TABLE people ADD COLUMN extra {text}`)
		ask()
		fl.create(t, `ALTER TABLE people ADD COLUMN age2 {bigint}`, `UPDATE people SET age2 = age`, `ALTER TABLE people DROP COLUMN age`, `ALTER TABLE people RENAME COLUMN age2 TO age`)
		ask()
		row, err := fl.DB("main").Table("people").Where("id", "=", 1).First(ctx)
		require.NoError(t, err)
		require.Contains(t, row, "extra")
		idle(t, fl.Registry, "main")
	})
}
