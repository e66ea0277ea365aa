package queries

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

type essay struct {
	ID, TenantID int64
	Title        string
	Published    bool
	Notes        []note
}

type note struct {
	ID, ArticleID, TenantID int64
	Body                    string
}

type tenantKey struct{}

var errNoTenant = errors.New("no tenant in the context")

func asTenant(ctx context.Context, id int64) context.Context {
	return context.WithValue(ctx, tenantKey{}, id)
}

var tenantScope = dbfleet.Scope{Name: "tenant", For: func(ctx context.Context) ([]dbfleet.Cond, error) {
	id, ok := ctx.Value(tenantKey{}).(int64)
	if !ok {
		return nil, errNoTenant
	}
	if id == 0 {
		return nil, nil
	}
	return []dbfleet.Cond{dbfleet.Col[int64]("tenant_id").Eq(id)}, nil
}}

// essaysOf has articles 1 to 6, those of odd numbers of tenant 1; 1 to 4 are published.
func essaysOf(t *testing.T, fl conformance.Fleet) (*dbfleet.Model[essay], *dbfleet.Model[note]) {
	t.Helper()
	fl.Create(t,
		"CREATE TABLE articles (id {id}, tenant_id {bigint} NOT NULL, title {text} NOT NULL, published {bool} NOT NULL)",
		"CREATE TABLE notes (id {id}, article_id {bigint} NOT NULL, tenant_id {bigint} NOT NULL, body {text} NOT NULL)")
	articles := conformance.Model[essay](t, fl.Registry, dbfleet.ModelConfig{Table: "articles", Scopes: []dbfleet.Scope{
		{Name: "published", Conditions: []dbfleet.Cond{dbfleet.Col[bool]("published").Eq(true)}}, tenantScope,
	}})
	notes := conformance.Model[note](t, fl.Registry, dbfleet.ModelConfig{Table: "notes", Scopes: []dbfleet.Scope{tenantScope}})
	for i := range int64(6) {
		require.NoError(t, articles.Create(t.Context(), &essay{TenantID: 2 - (i+1)%2, Title: "a", Published: i < 4}), "a scope is not asked")
		require.NoError(t, notes.Create(t.Context(), &note{ArticleID: i/2 + 1, TenantID: 2 - (i+1)%2, Body: "n"}))
	}
	return articles, notes
}

func articleIDs(t *testing.T, q interface {
	Get(context.Context) ([]essay, error)
}, ctx context.Context, //nolint:revive // the query leads
) []int64 {
	t.Helper()
	list, err := q.Get(ctx)
	require.NoError(t, err)
	ids := []int64{}
	for _, a := range list {
		ids = append(ids, a.ID)
	}
	return ids
}

func TestScopes_HoldForReadsAndNoORLeadsOutOfThem(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		articles, notes := essaysOf(t, fl)
		one, two := asTenant(t.Context(), 1), asTenant(t.Context(), 2)
		all := articles.OrderBy("id", dbfleet.Asc)
		require.Equal(t, []int64{1, 3}, articleIDs(t, all, one))
		require.Equal(t, []int64{2, 4}, articleIDs(t, all, two))
		require.Equal(t, []int64{1, 3}, articleIDs(t, all.Where("id", "=", 2).OrWhere("id", ">", 0), one))
		require.Equal(t, []int64{1, 3}, articleIDs(t, all.WhereRaw("1 = 1 OR id = ?", 2).OrWhereRaw("1 = 1"), one))
		require.Equal(t, []int64{1, 3}, articleIDs(t, all.Union(articles), one))
		require.Equal(t, []int64{1, 3, 5}, articleIDs(t, all.WithoutScope("published"), one))
		require.Equal(t, []int64{1, 2, 3, 4, 5, 6}, articleIDs(t, all.WithoutScope("published", "tenant"), t.Context()))
		require.Equal(t, []int64{1, 3}, articleIDs(t, all.As("x").Join("notes", "notes.article_id", "=", "x.id").Distinct(), one))

		for _, q := range []*dbfleet.Query[essay]{
			all.WhereRaw("1 = 1) OR (1 = 1"), all.OrWhereRaw("1 = 1) OR (1 = 1"), all.Filter(dbfleet.Not(dbfleet.Raw("1 = 0) OR (1 = 1"))),
			all.GroupBy("id").HavingRaw("1 = 1) OR (1 = 1"), all.SelectRaw("1) AS n"), all.OrderByRaw("(id"), all.JoinRaw("JOIN notes ON (1 = 1) OR 1 = 1)"),
		} {
			_, err := q.Get(one)
			require.ErrorContains(t, err, "parentheses of the SQL do not match")
		}

		n, err := articles.Where("id", "=", 2).OrWhere("id", "=", 3).Count(one)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		n, err = articles.Limit(10).Count(two)
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		sum, err := dbfleet.Sum[int64](one, articles, "id")
		require.NoError(t, err)
		require.EqualValues(t, 4, sum)
		ids, err := dbfleet.Pluck[int64](two, articles.OrderBy("id", dbfleet.Asc), "id")
		require.NoError(t, err)
		require.Equal(t, []int64{2, 4}, ids)
		there, err := articles.Where("id", "=", 2).Exists(one)
		require.NoError(t, err)
		require.False(t, there)

		_, err = articles.Find(one, 2)
		require.ErrorIs(t, err, dbfleet.ErrNotFound)
		_, err = articles.Find(one, 1)
		require.NoError(t, err)
		list, err := articles.FindMany(one, 1, 2, 3)
		require.NoError(t, err)
		require.Len(t, list, 2)

		// Notes 1 and 2 are those of essay 1, of one tenant each.
		bodies, err := notes.WhereIn("article_id", articles.Select("id")).Count(one)
		require.NoError(t, err)
		require.EqualValues(t, 2, bodies, "notes 1 and 5, of the articles 1 and 3")
		bodies, err = notes.Query().WhereExists(articles.Query().WhereColumn("articles.id", "=", "notes.article_id").OrWhere("articles.id", ">", 0).WhereColumn("articles.id", "=", "notes.article_id")).Count(one)
		require.NoError(t, err)
		require.EqualValues(t, 2, bodies)
		notesOf := dbfleet.HasMany(articles, notes, dbfleet.On("article_id"), func(a *essay) *[]note { return &a.Notes })
		loaded, err := articles.With(notesOf).Get(one)
		require.NoError(t, err)
		for _, a := range loaded {
			require.Len(t, a.Notes, 1, a.ID)
			require.EqualValues(t, 1, a.Notes[0].TenantID)
		}
		of, err := notesOf.For(&loaded[0]).Count(two)
		require.NoError(t, err)
		require.EqualValues(t, 1, of)
	})
}

func TestScopes_HoldWithinFromAndNotForItsRows(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		articles, _ := essaysOf(t, fl)
		one := asTenant(t.Context(), 1)
		listed, err := dbfleet.Pluck[int64](one, dbfleet.From(articles.Select("id"), "listed").OrderBy("id", dbfleet.Asc), "id")
		require.NoError(t, err)
		require.Equal(t, []int64{1, 3}, listed)
		// A column of the select list may have the name of one that a scope asks for.
		renamed := dbfleet.From(articles.Select("title").SelectAs("id", "tenant_id"), "renamed").OrderBy("tenant_id", dbfleet.Asc)
		ids, err := dbfleet.Pluck[int64](one, renamed, "tenant_id")
		require.NoError(t, err)
		require.Equal(t, []int64{1, 3}, ids)
		n, err := renamed.Count(one)
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		_, err = dbfleet.From(articles.Select("id"), "listed").Count(t.Context())
		require.ErrorIs(t, err, errNoTenant)
	})
}

func TestScopes_HoldForWrites(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		articles, notes := essaysOf(t, fl)
		one := asTenant(t.Context(), 1)
		n, err := articles.Where("id", "<", 3).OrWhere("id", "<", 9).Update(one, dbfleet.Row{"title": "b"})
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		_, err = articles.Query().Update(one, dbfleet.Row{"title": "c"})
		require.ErrorIs(t, err, dbfleet.ErrMissingWhere, "a scope is no condition")
		_, err = notes.Query().Delete(one)
		require.ErrorIs(t, err, dbfleet.ErrMissingWhere)
		n, err = notes.Query().AllRows().Delete(one)
		require.NoError(t, err)
		require.EqualValues(t, 3, n)
		left, err := notes.Query().WithoutScope("tenant").Count(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 3, left)

		mine, err := articles.Find(one, 1)
		require.NoError(t, err)
		mine.Title = "mine"
		require.NoError(t, articles.Save(one, &mine))
		require.ErrorIs(t, articles.Save(asTenant(one, 2), &mine), dbfleet.ErrNotFound)
		require.ErrorIs(t, articles.SaveColumns(asTenant(one, 2), &mine, "title"), dbfleet.ErrNotFound)
		require.ErrorIs(t, articles.Delete(asTenant(one, 2), &mine), dbfleet.ErrNotFound)
		again, err := articles.Find(one, 1)
		require.NoError(t, err)
		require.Equal(t, mine, again)
		require.NoError(t, articles.SaveColumns(one, &mine, "title"))
		gone, err := dbfleet.DeleteReturning(asTenant(one, 2), articles.Where("id", "=", 1).OrWhere("id", "=", 2))
		require.NoError(t, err)
		require.Len(t, gone, 1)
		require.EqualValues(t, 2, gone[0].ID)
		require.NoError(t, articles.Delete(one, &mine))
		require.ErrorIs(t, articles.Save(one, &mine), dbfleet.ErrNotFound)
	})
}

func TestScopes_TellWhatIsWrongBeforeAnythingIsSent(t *testing.T) {
	t.Parallel()
	fl := conformance.OnSQLite(t)
	articles, notes := essaysOf(t, fl)
	count, _ := sent(fl.Registry)
	before := count()
	_, err := articles.Get(t.Context())
	require.ErrorIs(t, err, errNoTenant)
	require.ErrorContains(t, err, `scope "tenant" of table "articles"`)
	_, err = articles.Get(asTenant(t.Context(), 0))
	require.ErrorContains(t, err, "its function has returned no condition")
	_, err = notes.Query().WithoutScope("tenant").WhereIn("article_id", articles.Select("id")).Get(t.Context())
	require.ErrorIs(t, err, errNoTenant, "the subquery has its own")
	_, err = articles.Query().WithoutScope("tenants").Get(t.Context())
	require.ErrorContains(t, err, `the model has no scope "tenants"; it has "published", "tenant"`)
	_, err = articles.Query().WithoutScope().Get(t.Context())
	require.ErrorContains(t, err, "no scope is named")
	require.Equal(t, before, count())

	always := func(context.Context) ([]dbfleet.Cond, error) { return []dbfleet.Cond{dbfleet.And()}, nil }
	_, err = dbfleet.NewModel[essay](fl.Registry, dbfleet.ModelConfig{Table: "articles", Scopes: []dbfleet.Scope{{Name: "x"}, {For: always}, {Name: "x", For: always}}})
	for _, says := range []string{`"x" has neither Conditions nor For`, "number 2 has no name", `two of the name "x"`} {
		require.ErrorContains(t, err, says)
	}
	var round *dbfleet.Model[note]
	round = conformance.Model[note](t, fl.Registry, dbfleet.ModelConfig{Table: "notes", Scopes: []dbfleet.Scope{{
		Name: "round", For: func(context.Context) ([]dbfleet.Cond, error) {
			return []dbfleet.Cond{dbfleet.Raw("id IN ?", round.Select("id"))}, nil
		},
	}}})
	_, err = round.Get(t.Context())
	require.ErrorContains(t, err, "refer to each other without an end")
	all := conformance.Model[note](t, fl.Registry, dbfleet.ModelConfig{Table: "notes", Scopes: []dbfleet.Scope{{Name: "all", For: always}}})
	list, err := all.Get(t.Context())
	require.NoError(t, err)
	require.Len(t, list, 6)
}

func TestScopes_SayWhichShardIsAsked(t *testing.T) {
	t.Parallel()
	databases := map[string]dbfleet.ConnectionConfig{}
	for _, name := range []string{"even", "odd"} {
		databases[name] = conformance.ConnectionTo(dbtest.New(t, "sqlite"))
	}
	r := conformance.Open(t, databases)
	for name := range databases {
		_, err := r.DB(name).ExecContext(t.Context(), "CREATE TABLE notes (id INTEGER PRIMARY KEY, article_id INTEGER, tenant_id INTEGER, body TEXT)")
		require.NoError(t, err)
	}
	notes := conformance.Model[note](t, r, dbfleet.ModelConfig{
		Table: "notes", Scopes: []dbfleet.Scope{tenantScope},
		Shard: dbfleet.ShardBy("tenant_id", func(tenant int64) string { return []string{"even", "odd"}[tenant%2] }),
	})
	for tenant := range int64(4) {
		require.NoError(t, notes.Create(t.Context(), &note{TenantID: tenant + 1, Body: "n"}))
	}
	list, err := notes.Get(asTenant(t.Context(), 3))
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.EqualValues(t, 3, list[0].TenantID)
	require.NoError(t, dbfleet.ChunkParallel(asTenant(t.Context(), 3), notes.Query(), 1, 1, func(_ context.Context, list []note) error {
		require.EqualValues(t, 3, list[0].TenantID)
		return nil
	}))
	_, err = notes.Query().WithoutScope("tenant").Get(t.Context())
	require.ErrorIs(t, err, dbfleet.ErrMissingShardKey)
}

// A CTE of the table's name has to have what the scopes look at.
func TestScopes_HoldForACTEOfTheTablesName(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		articles, notes := essaysOf(t, fl)
		ctx := asTenant(t.Context(), 1)
		bare := dbfleet.CTE{Name: "articles", Query: notes.Query().WithoutScope("tenant").Select("id").SelectAs("body", "title")}
		_, err := articles.Select("id", "title").WithCTE(bare).Get(ctx)
		require.ErrorContains(t, err, `"published"`)
		var unknown *dbfleet.UnknownColumnError
		require.ErrorAs(t, err, &unknown)
		_, err = articles.Query().WithoutScope("published", "tenant").WithCTE(bare).Where("published", "=", true).Select("id").Get(ctx)
		require.ErrorAs(t, err, &unknown)
		_, err = articles.Query().WithoutScope("published", "tenant").WithCTE(bare).Get(ctx)
		require.ErrorAs(t, err, &unknown, "no column is made up")
		all, err := articles.Select("id", "title").WithoutScope("published", "tenant").WithCTE(bare).Get(ctx)
		require.NoError(t, err)
		require.Len(t, all, 6)
		whole := dbfleet.CTE{Name: "articles", Query: notes.Query().WithoutScope("tenant").Select("id", "tenant_id").SelectAs("body", "title").SelectRaw("1 = 1 AS published")}
		some, err := articles.Select("id").WithCTE(whole).Get(ctx)
		require.NoError(t, err)
		require.Len(t, some, 3)
	})
}
