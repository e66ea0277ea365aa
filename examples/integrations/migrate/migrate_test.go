package migrate_test

import (
	"embed"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/examples/integrations/migrate"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

//go:embed migrations/*.sql
var migrations embed.FS

func TestMain(m *testing.M) { dbtest.Main(m) }

func TestMigrate_MigratesEveryDatabaseTwiceInARow(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		db := fl.DB("main")
		for range 2 {
			require.NoError(t, migrate.Up(db, migrations, "migrations"))
		}
		_, err := db.Table("books").Insert(t.Context(), dbfleet.Row{"id": 1, "title": "Lavinia", "pages": 280})
		require.NoError(t, err, "the connection serves on, and both migrations are there")
	})
}
