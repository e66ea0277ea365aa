package relations

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

type band struct {
	ID      int64
	Records []album
	Number  int64  `db:"-"`
	First   string `db:"-"`
}

type album struct {
	ID        int64
	BandID    int64
	Tenant    int64
	Title     string
	DeletedAt *time.Time
}

// What a model leaves out of all its queries is not there for conditions and counts either,
// wherever it lives.
func TestHas_HonoursScopesAndDeletedRowsOfTheRelatedModel(t *testing.T) {
	t.Parallel()
	for _, from := range dbtest.Dialects {
		for _, to := range append([]string{""}, dbtest.Dialects...) {
			t.Run(from+" to "+to, func(t *testing.T) {
				t.Parallel()
				main := dbtest.New(t, from)
				connections, other := map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(main)}, "main"
				kind := from
				if to != "" {
					connections["other"], other, kind = conformance.ConnectionTo(dbtest.New(t, to)), "other", to
				}
				r := conformance.Open(t, connections)
				ctx := t.Context()
				_, err := r.DB("main").ExecContext(ctx, conformance.DDL(from, `CREATE TABLE bands (id {id})`))
				require.NoError(t, err)
				_, err = r.DB(other).ExecContext(ctx, conformance.DDL(kind, `CREATE TABLE albums (id {id}, band_id {bigint} NOT NULL, tenant {bigint} NOT NULL, title {text} NOT NULL, deleted_at {time})`))
				require.NoError(t, err)
				type tenantKey struct{}
				tenant := dbfleet.Scope{Name: "tenant", For: func(ctx context.Context) ([]dbfleet.Cond, error) {
					id, _ := ctx.Value(tenantKey{}).(int64)
					return []dbfleet.Cond{dbfleet.Or(dbfleet.Col[int64]("tenant").Eq(id), dbfleet.Col[int64]("tenant").Eq(0))}, nil
				}}
				bands := conformance.Model[band](t, r, dbfleet.ModelConfig{Table: "bands"})
				albums := conformance.Model[album](t, r, dbfleet.ModelConfig{Table: "albums", Connection: other, SoftDelete: "deleted_at", Scopes: []dbfleet.Scope{tenant}})
				require.NoError(t, bands.CreateMany(ctx, []band{{ID: 1}, {ID: 2}, {ID: 3}}))
				require.NoError(t, albums.CreateMany(ctx, []album{
					{BandID: 1, Tenant: 7, Title: "a"}, {BandID: 1, Tenant: 8, Title: "b"}, {BandID: 2, Tenant: 8, Title: "c"}, {BandID: 2, Tenant: 8, Title: "d"}, {BandID: 3, Tenant: 0, Title: "gone"},
				}))
				albumsOf := dbfleet.HasMany(bands, albums, dbfleet.On("band_id"), func(b *band) *[]album { return &b.Records })
				_, err = albums.Where("title", "=", "gone").Delete(ctx)
				require.NoError(t, err)
				count := dbfleet.CountRelated(albumsOf, func(b *band) *int64 { return &b.Number })
				first := dbfleet.MinRelated(albumsOf, "title", func(b *band) *string { return &b.First })
				for tenant, want := range map[int64][]int64{7: {1, 0, 0}, 8: {1, 2, 0}, 9: {0, 0, 0}} {
					ctx := context.WithValue(ctx, tenantKey{}, tenant)
					list, err := bands.With(count, first, albumsOf).OrderBy("id", "asc").Get(ctx)
					require.NoError(t, err)
					for i, b := range list {
						require.Equal(t, want[i], b.Number, tenant)
						require.Len(t, b.Records, int(b.Number))
						require.Equal(t, b.Number > 0, b.First != "")
						for claim, c := range map[string]struct {
							cond dbfleet.Cond
							says bool
						}{
							"has": {albumsOf.Has(), want[i] > 0}, "none": {albumsOf.HasNone(), want[i] == 0}, "two": {albumsOf.HasAtLeast(2), want[i] >= 2},
							"or": {dbfleet.Or(albumsOf.Has(dbfleet.Or(dbfleet.Col[int64]("id").Gt(0), dbfleet.Col[string]("title").Eq("x")))), want[i] > 0},
						} {
							found, err := bands.Where("id", "=", b.ID).Filter(c.cond).Exists(ctx)
							require.NoError(t, err)
							require.Equal(t, c.says, found, "%s of %d for %d", claim, b.ID, tenant)
						}
					}
				}
				all := albumsOf.Scope(func(q *dbfleet.Query[album]) *dbfleet.Query[album] { return q.WithDeleted().WithoutScope("tenant") })
				n, err := bands.Filter(all.Has()).Count(ctx)
				require.NoError(t, err)
				require.EqualValues(t, 3, n)
			})
		}
	}
}

// Scopes that ask for each other over two connections end with an error.
func TestHas_EndsWhereScopesAskForEachOther(t *testing.T) {
	t.Parallel()
	s := newShelf(t, rand.New(rand.NewPCG(1, 2)), dbtest.New(t, "sqlite"), dbtest.New(t, "sqlite"), dbtest.New(t, "sqlite")) //nolint:gosec // rows for a test
	var essaysOf dbfleet.ToMany[writer, essay]
	var authorOf dbfleet.ToOne[essay, writer]
	writers := conformance.Model[writer](t, s.Registry, dbfleet.ModelConfig{Table: "writers", Connection: "level0", Scopes: []dbfleet.Scope{
		{Name: "read", For: func(context.Context) ([]dbfleet.Cond, error) { return []dbfleet.Cond{essaysOf.Has()}, nil }},
	}})
	essays := conformance.Model[essay](t, s.Registry, dbfleet.ModelConfig{Table: "essays", Connection: "level1", Scopes: []dbfleet.Scope{
		{Name: "signed", For: func(context.Context) ([]dbfleet.Cond, error) { return []dbfleet.Cond{authorOf.Has()}, nil }},
	}})
	essaysOf = dbfleet.HasMany(writers, essays, dbfleet.On("writer_ref", "ref"), func(w *writer) *[]essay { return &w.Essays })
	authorOf = dbfleet.BelongsTo(essays, writers, dbfleet.On("writer_ref", "ref"), func(e *essay) **writer { return &e.Author })
	_, err := writers.Query().Get(t.Context())
	require.ErrorContains(t, err, "without an end")
}
