package tenants

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// templateOf is a connection that is another database for each tenant, beside db. The
// database of each of tenants is made.
func templateOf(t *testing.T, db dbtest.Database, tenants ...string) dbfleet.ConnectionConfig {
	t.Helper()
	c := conformance.ConnectionTo(db)
	c.Tenants = &dbfleet.TenantsConfig{}
	if db.Dialect == "sqlite" {
		folder := t.TempDir()
		for _, tenant := range tenants {
			require.NoError(t, os.WriteFile(filepath.Join(folder, tenant+".db"), nil, 0o600))
		}
		c.Database = filepath.Join(folder, "{tenant}.db")
		return c
	}
	c.Database = strings.ToLower(db.Name) + "_{tenant}"
	for _, tenant := range tenants {
		makeDatabase(t, db, strings.ReplaceAll(c.Database, "{tenant}", tenant))
	}
	return c
}

// makeDatabase makes a database until the test's end.
func makeDatabase(t *testing.T, db dbtest.Database, name string) {
	t.Helper()
	if db.Dialect == "mysql" {
		makeSchema(t, db, name)
		return
	}
	db.Server.Exec(t, `CREATE DATABASE "`+name+`" OWNER "`+db.Username+`"`)
	t.Cleanup(func() { db.Server.Exec(t, `DROP DATABASE "`+name+`"`) })
}

func TestTemplate_AFileAndTheEnvironmentGiveEachTenantItsDatabase(t *testing.T) {
	t.Parallel()
	for _, source := range []string{"file", "environment"} {
		t.Run(source, func(t *testing.T) {
			t.Parallel()
			conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
				db := fl.Database
				want := templateOf(t, db, "acme", "zeta")
				var config dbfleet.Config
				var err error
				if source == "file" {
					text, _ := json.Marshal(map[string]any{"connections": map[string]any{"shops": map[string]any{
						"driver": db.Dialect, "database": want.Database, "tenants": map[string]any{"max_open": 2},
					}}})
					require.NoError(t, json.Unmarshal(text, &config))
					shops := config.Connections["shops"]
					shops.Host, shops.Port, shops.Username, shops.Password = want.Host, want.Port, want.Username, want.Password
					config.Connections["shops"] = shops
				} else {
					list := []string{"DB_SHOPS_DRIVER=" + db.Dialect, "DB_SHOPS_DATABASE=" + want.Database, "DB_SHOPS_TENANTS_MAX_OPEN=2"}
					if db.Dialect != "sqlite" {
						list = append(list, "DB_SHOPS_HOST="+want.Host, fmt.Sprint("DB_SHOPS_PORT=", want.Port), "DB_SHOPS_USERNAME="+want.Username, "DB_SHOPS_PASSWORD="+string(want.Password))
					}
					config, err = dbfleet.ConfigFromEnv(dbfleet.EnvOptions{Lookup: func() []string { return list }})
					require.NoError(t, err)
				}
				r, err := dbfleet.Open(config)
				require.NoError(t, err)
				t.Cleanup(func() { require.NoError(t, r.Close()) })
				notes := conformance.Model[note](t, r, dbfleet.ModelConfig{Table: "notes"}) // the sole connection is the default
				for _, tenant := range []string{"acme", "zeta"} {
					ctx := dbfleet.WithTenant(t.Context(), tenant)
					require.NoError(t, dbfleet.CreateTable(ctx, notes))
					require.NoError(t, notes.Create(ctx, &note{Text: "of " + tenant}))
				}
				for _, tenant := range []string{"acme", "zeta"} {
					var route dbfleet.Route
					list, err := notes.Query().Get(dbfleet.WithRoute(dbfleet.WithTenant(t.Context(), tenant), &route))
					require.NoError(t, err)
					require.Equal(t, []note{{1, "of " + tenant}}, list)
					require.Equal(t, "shops/"+tenant, route.Connection)
				}
				_, err = notes.Query().Get(t.Context())
				require.ErrorIs(t, err, dbfleet.ErrNoTenant)
				_, err = notes.Query().Get(dbfleet.WithTenant(t.Context(), "nobody"))
				require.Error(t, err)
				require.ErrorContains(t, err, "nobody")
				if db.Dialect == "sqlite" {
					require.ErrorIs(t, err, dbfleet.ErrUnknownTenant)
					require.NoFileExists(t, strings.ReplaceAll(want.Database, "{tenant}", "nobody"), "a name that somebody came up with makes no file")
				}
				stats, err := r.TenantsStats("shops")
				require.NoError(t, err)
				require.Equal(t, 2, stats.MaxOpen)
				require.Empty(t, r.Names())
			})
		})
	}
}

// Connect may return a connection of the configuration, for tenants that there are.
func TestTemplate_ConnectMayReturnOne(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		template := templateOf(t, fl.Database, "acme")
		r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{})
		require.NoError(t, r.AddTenants("shops", dbfleet.TenantsConfig{
			Driver: template.Driver, Connect: func(_ context.Context, tenant string) (dbfleet.ConnectionConfig, error) {
				if tenant != "acme" {
					return dbfleet.ConnectionConfig{}, dbfleet.ErrUnknownTenant
				}
				return template, nil
			},
		}))
		require.NoError(t, r.DB("shops").Ping(acme(t)))
		require.ErrorIs(t, r.DB("shops").Ping(zeta(t)), dbfleet.ErrUnknownTenant)
	})
}

// PostgreSQL cuts the name of a database off behind 63 bytes, and takes what is called by
// the rest.
func TestTemplate_ANameThatWouldBeCutOffIsRefused(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		c := templateOf(t, db)
		one := strings.Repeat("a", 63)
		prefix, _, _ := strings.Cut(c.Database, "{tenant}")
		cut := (prefix + one)[:63]
		makeDatabase(t, db, cut)
		r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"shops": c})
		for _, tenant := range []string{one, one[:62] + "b"} {
			err := r.DB("shops").Ping(dbfleet.WithTenant(t.Context(), tenant))
			require.Error(t, err, "it would be the database of all whose names begin alike")
			require.ErrorContains(t, err, tenant)
		}
	})
}
