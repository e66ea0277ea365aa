package queries

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

func TestCTE_IsReadAsATable(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx, l, db := t.Context(), newLibrary(t, fl), fl.DB("main")
		// Two arguments in WITH, one behind it: in their order on every database.
		adults := dbfleet.CTE{Name: "adults", Query: l.people.Where("age", ">=", 18).Select("id", "city").SelectRaw("age + ? AS older", 100)}
		rows, err := db.Table("adults").WithCTE(adults).Where("older", ">", 120).OrderBy("id", dbfleet.Asc).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, []dbfleet.Row{
			{"id": int64(1), "city": "london", "older": int64(136)}, {"id": int64(2), "city": "paris", "older": int64(141)}, {"id": int64(5), "city": "paris", "older": int64(136)},
		}, rows)
		type adult struct {
			ID    int64
			City  string
			Older int64
		}
		typed, err := dbfleet.Table[adult](db, "adults").WithCTE(adults).Where("id", "=", 2).First(ctx)
		require.NoError(t, err)
		require.Equal(t, adult{2, "paris", 141}, typed)

		ids := func(q *dbfleet.Query[person]) []int64 {
			got, err := dbfleet.Pluck[int64](ctx, q.OrderBy("people.id", dbfleet.Asc), "people.id")
			require.NoError(t, err)
			n, err := q.Count(ctx)
			require.NoError(t, err)
			require.EqualValues(t, len(got), n)
			any, err := q.Exists(ctx)
			require.NoError(t, err)
			require.Equal(t, len(got) > 0, any)
			return got
		}
		with := l.people.Query().WithCTE(adults)
		require.Equal(t, []int64{1, 2, 4, 5}, ids(with.Join("adults", "adults.id", "=", "people.id")))
		require.Equal(t, []int64{2}, ids(with.Join("adults", "adults.id", "=", "people.id").Where("adults.older", ">", 136)))
		require.Equal(t, []int64{2}, ids(with.Join("adults AS a", "a.id", "=", "people.id").Where("older", ">", 136)), "a column that only the CTE has")
		require.Equal(t, []int64{3, 6}, ids(with.WhereNotExists(db.Table("adults").WhereColumn("adults.id", "=", "people.id"))))
		require.Equal(t, []int64{2}, ids(with.WhereIn("id", db.Table("adults").Select("id").Where("older", "=", 141))))
		require.Equal(t, []int64{2}, ids(with.Join("adults", "adults.id", "=", "people.id").OrderBy("older", dbfleet.Desc).Limit(1)))
		sum, err := dbfleet.Sum[int64](ctx, db.Table("adults").WithCTE(adults), "older")
		require.NoError(t, err)
		require.EqualValues(t, 136+141+118+136, sum)
		cities, err := dbfleet.Pluck[string](ctx, db.Table("adults").WithCTE(adults).GroupBy("city").OrderBy("city", dbfleet.Asc), "city")
		require.NoError(t, err)
		require.Equal(t, []string{"london", "paris", "rome"}, cities)
		n, err := db.Table("adults").WithCTE(adults).Select("city").Distinct().Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 3, n)
		united, err := db.Table("adults").WithCTE(adults).Select("id").Where("id", "=", 1).Union(db.Table("minors").WithCTE(dbfleet.CTE{Name: "minors", Query: l.people.Where("age", "<", 18).Select("id")}).Select("id")).OrderBy("id", dbfleet.Asc).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, []dbfleet.Row{{"id": int64(1)}, {"id": int64(6)}}, united)
		loaded, err := with.Join("adults", "adults.id", "=", "people.id").Where("adults.older", "=", 141).With(postsOf(l)).Get(ctx)
		require.NoError(t, err)
		require.Len(t, loaded, 1)
		require.NotEmpty(t, loaded[0].Posts)
		seen := 0
		for _, err := range db.Table("adults").WithCTE(adults).Iter(ctx) {
			require.NoError(t, err)
			seen++
		}
		require.Equal(t, 4, seen)
	})
}

func TestCTE_NamesThoseBeforeItAndItself(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx, db := t.Context(), fl.DB("main")
		fl.Create(t, "CREATE TABLE folders (id {bigint} PRIMARY KEY, parent_id {bigint}, name {text})",
			"INSERT INTO folders VALUES (1, NULL, 'root'), (2, 1, 'a'), (3, 2, 'b'), (4, NULL, 'other'), (5, 4, 'c')")
		type folder struct {
			ID       int64
			ParentID *int64
			Name     string
		}
		folders := conformance.Model[folder](t, fl.Registry, dbfleet.ModelConfig{Table: "folders"})
		tree := dbfleet.CTE{Name: "tree", Recursive: true, Query: folders.Where("id", "=", 1).Select("id", "parent_id", "name").
			UnionAll(folders.Select("folders.id", "folders.parent_id", "folders.name").Join("tree", "tree.id", "=", "folders.parent_id"))}
		deep := dbfleet.CTE{Name: "deep", Query: db.Table("tree").Where("id", ">", 1).Select("name")}
		found, err := dbfleet.Table[folder](db, "tree").WithCTE(tree).OrderBy("id", dbfleet.Asc).Get(ctx)
		require.NoError(t, err)
		require.Len(t, found, 3)
		require.Equal(t, "b", found[2].Name)
		names, err := dbfleet.Pluck[string](ctx, db.Table("deep").WithCTE(tree, deep).OrderBy("name", dbfleet.Asc), "name")
		require.NoError(t, err)
		require.Equal(t, []string{"a", "b"}, names)
		in, err := folders.WhereIn("id", db.Table("tree").WithCTE(tree).Select("id")).Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 3, in, "inside a subquery")
		n, err := folders.WhereIn("id", db.Table("tree").WithCTE(tree).Select("id").Where("id", ">", 2)).Update(ctx, dbfleet.Row{"name": "x"})
		require.NoError(t, err, "an update by a subquery with one")
		require.EqualValues(t, 1, n)
	})
}

func TestCTE_WhatCannotWorkIsRefusedByName(t *testing.T) {
	t.Parallel()
	fl := conformance.OnSQLite(t)
	ctx, l := t.Context(), newLibrary(t, fl)
	ids := dbfleet.CTE{Name: "ids", Query: l.people.Select("id")}
	count, _ := sent(fl.Registry)
	before := count()
	get := func(q *dbfleet.Query[person]) error { _, err := q.Get(ctx); return err }
	named := func(name string) dbfleet.CTE {
		return dbfleet.CTE{Name: name, Query: l.people.Query().SelectAs("id", "same")}
	}
	joined := l.people.Query().WithCTE(ids).Join("ids", "ids.id", "=", "people.id")
	var unknown *dbfleet.UnknownColumnError
	for says, err := range map[string]error{
		`table "people": CTE "a.b": its name has a dot`: get(l.people.Query().WithCTE(dbfleet.CTE{Name: "a.b", Query: l.people})),
		`CTE "ids": is there twice`:                     get(l.people.Query().WithCTE(ids, ids)),
		`CTE "none": has no query`:                      get(l.people.Query().WithCTE(dbfleet.CTE{Name: "none"})),
		`name "": is empty`:                             get(l.people.Query().WithCTE(dbfleet.CTE{Query: l.people})),
		`CTE: an INSERT does not take it`: func() error {
			_, err := l.people.Query().WithCTE(ids).Insert(ctx, dbfleet.Row{"name": "x"})
			return err
		}(),
		`is ambiguous: i and j have it`:          get(l.people.Query().WithCTE(named("i"), named("j")).Join("i", "i.same", "=", "people.id").Join("j", "j.same", "=", "people.id").Where("same", "=", 1)),
		`table "people" has no column "nothing"`: get(joined.Where("nothing", "=", 1)),
		`locks rows only`:                        get(l.people.Query().WithCTE(dbfleet.CTE{Name: "locked", Query: l.people.Query().ForUpdate()})),
	} {
		require.ErrorContains(t, err, says)
	}
	require.ErrorAs(t, get(joined.Where("nothing", "=", 1)), &unknown)
	require.Equal(t, before, count(), "nothing was sent")
}
