package vectors_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/examples/integrations/vectors"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

func TestVectors_AreFieldsOfModelsAndOnConnectTellsTheDriverMore(t *testing.T) {
	t.Parallel()
	database, ctx := dbtest.New(t, "postgres"), t.Context()
	migrations := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(database)})
	for _, s := range []string{
		`CREATE EXTENSION cube`,
		`CREATE TYPE dimensions AS (width INTEGER, height INTEGER)`,
		`CREATE TABLE pictures (id BIGSERIAL PRIMARY KEY, title TEXT NOT NULL, embedding CUBE NOT NULL, size DIMENSIONS)`,
	} {
		_, err := migrations.DB("main").ExecContext(ctx, s)
		require.NoError(t, err, s)
	}

	config := conformance.ConnectionTo(database)
	config.OnConnect = vectors.Prepare
	registry := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config})
	pictures := conformance.Model[vectors.Picture](t, registry, dbfleet.ModelConfig{Table: "pictures"})
	require.NoError(t, pictures.CreateMany(ctx, []vectors.Picture{
		{Title: "Lake", Embedding: vectors.Vector{1, 0.5}},
		{Title: "Storm", Embedding: vectors.Vector{9, 9}},
	}))

	near, err := vectors.Nearest(ctx, pictures, vectors.Vector{8, 8}, 1)
	require.NoError(t, err)
	require.Equal(t, []vectors.Picture{{ID: 2, Title: "Storm", Embedding: vectors.Vector{9, 9}}}, near)

	_, err = registry.DB("main").ExecContext(ctx, "UPDATE pictures SET size = $1 WHERE id = 2", vectors.Dimensions(800, 600))
	require.NoError(t, err)
	titles, err := vectors.OfDimensions(ctx, registry.DB("main"), 800, 600)
	require.NoError(t, err)
	require.Equal(t, []string{"Storm"}, titles)
	_, err = vectors.OfDimensions(ctx, migrations.DB("main"), 800, 600)
	require.Error(t, err, "without OnConnect")
}
