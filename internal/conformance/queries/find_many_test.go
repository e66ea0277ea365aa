package queries

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

func TestFindMany_ReturnsThoseThatAreThereByKey(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx, l := t.Context(), newLibrary(t, fl)
		count, _ := sent(fl.Registry)
		for claim, tc := range map[string]struct {
			q    *dbfleet.Query[person]
			keys []any
			want []int64
		}{
			"several":              {l.people.Query(), []any{5, int64(2), "3"}, []int64{2, 3, 5}},
			"twice, and missing":   {l.people.Query(), []any{4, 4, 99}, []int64{4}},
			"a slice":              {l.people.Query(), []any{[]int64{6, 1}}, []int64{1, 6}},
			"in the query's order": {l.people.OrderBy("id", dbfleet.Desc), []any{1, 2}, []int64{2, 1}},
			"beside conditions":    {l.people.Where("age", "=", 36).OrWhere("id", "=", 2), []any{1, 2, 3}, []int64{1, 2}},
			"none that is there":   {l.people.Query(), []any{99}, []int64{}},
			"with a limit":         {l.people.Limit(1), []any{1, 2}, []int64{1}},
		} {
			list, err := tc.q.FindMany(ctx, tc.keys...)
			require.NoError(t, err, claim)
			require.NotNil(t, list, claim)
			got := []int64{}
			for _, p := range list {
				got = append(got, p.ID)
			}
			require.Equal(t, tc.want, got, claim)
		}
		before := count()
		for _, keys := range [][]any{nil, {[]int{}}} {
			list, err := l.people.FindMany(ctx, keys...)
			require.NoError(t, err)
			require.Equal(t, []person{}, list)
		}
		require.Equal(t, before, count(), "no statement")
		loaded, err := l.people.With(postsOf(l)).FindMany(ctx, 1, 2)
		require.NoError(t, err)
		require.NotEmpty(t, loaded[0].Posts)
		rows, err := fl.DB("main").Table("people").Select("id").FindMany(ctx, 2, 1)
		require.NoError(t, err)
		require.Equal(t, []dbfleet.Row{{"id": int64(1)}, {"id": int64(2)}}, rows, "by the column id")
		many := make([]any, 12_000)
		for i := range many {
			many[i] = i
		}
		list, err := l.people.FindMany(ctx, many...)
		require.NoError(t, err)
		require.Len(t, list, 6)
		for says, q := range map[string]func() error{
			`the primary key's column "id" is nil`: func() error { _, err := l.people.FindMany(ctx, 1, nil); return err },
			`column "id"`:                          func() error { _, err := l.people.FindMany(ctx, "x"); return err },
			"union":                                func() error { _, err := l.people.Query().Union(l.people).FindMany(ctx, 1); return err },
		} {
			require.ErrorContains(t, q(), says)
		}
		_, err = l.people.FindMany(ctx, []any{1, nil})
		require.ErrorContains(t, err, `the primary key's column "id" is nil`)
	})
}

func TestFindMany_OfSeveralColumns(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx, d := t.Context(), deskOn(t, fl)
		d.fill(t, 20, 60)
		names := func(list []colleague) []string {
			out := []string{}
			for _, m := range list {
				out = append(out, m.Name)
			}
			return out
		}
		list, err := d.members.FindMany(ctx, []any{2, 3}, []int{1, 9}, [2]int64{2, 3}, []any{1, 99}, []any{"3", 1})
		require.NoError(t, err)
		require.Equal(t, []string{"1/9", "2/3", "3/1"}, names(list))
		all := []any{}
		for tenant := range 20 {
			for id := range 60 {
				all = append(all, []any{tenant + 1, id + 1})
			}
		}
		list, err = d.members.FindMany(ctx, all...)
		require.NoError(t, err)
		require.Len(t, list, 1200)
		require.Equal(t, "1/1", list[0].Name)
		require.Equal(t, "20/60", list[1199].Name)
		diverse := []any{} // each a group of its own
		for i := range 1500 {
			diverse = append(diverse, []any{i, i})
		}
		list, err = d.members.FindMany(ctx, diverse...)
		require.NoError(t, err)
		require.Len(t, list, 20)
		for says, keys := range map[string][]any{
			`table "members": key 1 is no slice: the primary key has the columns "tenant_id", "id"`: {[]any{1, 2}, 3},
			`key 0 has 1 values: the primary key has the columns "tenant_id", "id"`:                 {[]any{1}},
			`the primary key's column "tenant_id" is nil`:                                           {[]any{nil, 2}},
			`column "id"`: {[]any{1, "x"}},
		} {
			_, err := d.members.FindMany(ctx, keys...)
			require.ErrorContains(t, err, says, fmt.Sprint(keys))
		}
	})
}

func TestFindMany_OnShards(t *testing.T) {
	t.Parallel()
	databases := map[string]dbfleet.ConnectionConfig{}
	for _, name := range []string{"main", "even", "odd"} {
		databases[name] = conformance.ConnectionTo(dbtest.New(t, "sqlite"))
	}
	ctx, r := t.Context(), conformance.Open(t, databases)
	shard := dbfleet.ShardBy("tenant_id", func(tenant int64) string { return []string{"even", "odd"}[tenant%2] })
	for name := range databases {
		_, err := r.DB(name).ExecContext(ctx, conformance.DDL("sqlite", deskTables[0]))
		require.NoError(t, err)
	}
	members := conformance.Model[colleague](t, r, dbfleet.ModelConfig{Table: "members", PrimaryKey: []string{"tenant_id", "id"}, Shard: shard})
	for tenant := range int64(4) {
		require.NoError(t, members.Create(ctx, &colleague{TenantID: tenant + 1, ID: 1, Name: fmt.Sprint(tenant + 1)}))
	}
	list, err := members.FindMany(ctx, []any{1, 1}, []any{3, 1})
	require.NoError(t, err)
	require.Len(t, list, 2)
	_, err = members.FindMany(ctx, []any{1, 1}, []any{2, 1})
	require.ErrorIs(t, err, dbfleet.ErrMissingShardKey)
	require.ErrorContains(t, err, `the keys live on several shards ("odd" and "even"); ask each by itself`)
	byID := conformance.Model[colleague](t, r, dbfleet.ModelConfig{Table: "members", Shard: shard})
	_, err = byID.FindMany(ctx, 1)
	require.ErrorIs(t, err, dbfleet.ErrMissingShardKey)
	list, err = byID.Shard(2).FindMany(ctx, 1)
	require.NoError(t, err)
	require.Len(t, list, 2)
}
