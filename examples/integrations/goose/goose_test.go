package goose_test

import (
	"embed"
	"io/fs"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/examples/integrations/goose"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

//go:embed migrations/*.sql
var migrations embed.FS

func TestMain(m *testing.M) { dbtest.Main(m) }

func TestGoose_MigratesEveryDatabaseTwiceInARow(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		files, err := fs.Sub(migrations, "migrations")
		require.NoError(t, err)
		db, ctx := fl.DB("main"), t.Context()

		ran, err := goose.Up(ctx, db, files)
		require.NoError(t, err)
		require.Equal(t, 2, ran)
		ran, err = goose.Up(ctx, db, files)
		require.NoError(t, err)
		require.Zero(t, ran, "everything had run")

		_, err = db.Table("books").Insert(ctx, dbfleet.Row{"id": 1, "title": "Lavinia", "pages": 280})
		require.NoError(t, err, "the connection serves on, and both migrations are there")
	})
}
