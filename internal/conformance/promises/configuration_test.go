package promises

import (
	"database/sql"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// promise 1
func TestPromise01_ManyNamedConnectionsInOneConfig(t *testing.T) {
	t.Parallel()
	names := []string{"main", "users_db", "Analytics 2", "orders-shard-1", "été"}
	onEachEstate(t, names, func(t *testing.T, e estate) {
		for i, name := range names {
			e.create("CREATE TABLE here (name {text} NOT NULL)", name)
			for range i + 1 {
				_, err := e.DB(name).Table("here").Insert(t.Context(), dbfleet.Row{"name": name})
				require.NoError(t, err)
			}
		}
		for i, name := range names {
			require.EqualValues(t, i+1, e.count(name, "here"))
		}
		require.EqualValues(t, 1, e.count("", "here"), "the default")

		_, err := dbfleet.Open(dbfleet.Config{Connections: map[string]dbfleet.ConnectionConfig{
			"a": {Driver: dbfleet.Driver(e.dialect)}, "b": {Driver: "oracle", Database: "x"},
		}})
		require.ErrorContains(t, err, `"a"`, "every fault at once")
		require.ErrorContains(t, err, `"b"`)
	})
}

// promise 2. It sets variables of the process, so it runs by itself.
func TestPromise02_EnvironmentVariablesPerConnection(t *testing.T) {
	for _, dialect := range dbtest.Dialects {
		t.Run(dialect, func(t *testing.T) {
			set := func(prefix string, db dbtest.Database) {
				t.Setenv(prefix+"DRIVER", db.Dialect)
				t.Setenv(prefix+"DATABASE", db.Name)
				if db.Host != "" {
					t.Setenv(prefix+"HOST", db.Host)
					t.Setenv(prefix+"PORT", fmt.Sprint(db.Port))
					t.Setenv(prefix+"USERNAME", db.Username)
					t.Setenv(prefix+"PASSWORD", db.Password)
				}
			}
			t.Setenv("DB_CONNECTION", "main")
			set("DB_", dbtest.New(t, dialect))
			set("DB_ANALYTICS_", dbtest.New(t, dialect))
			set("DB_ANY_NAME_AT_ALL_", dbtest.New(t, dialect))
			config, err := dbfleet.ConfigFromEnv()
			require.NoError(t, err)
			r, err := dbfleet.Open(config)
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, r.Close()) })
			require.Equal(t, "main", r.Default())
			for _, name := range []string{"", "analytics", "any_name_at_all"} {
				_, err := r.Connect(t.Context(), name)
				require.NoError(t, err, name)
			}

			t.Setenv("DB_ANALYTICS_POOL_MAX_OPEN", "canary")
			t.Setenv("DB_ANY_NAME_AT_ALL_DATABASE", "")
			_, err = dbfleet.ConfigFromEnv()
			require.ErrorContains(t, err, "DB_ANALYTICS_POOL_MAX_OPEN")
			require.ErrorContains(t, err, "DB_ANY_NAME_AT_ALL_DATABASE")
			require.NotContains(t, err.Error(), "canary")
		})
	}
}

// promise 3
func TestPromise03_TLSPerConnection(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
		config := conformance.ConnectionTo(db)
		config.SSL = true
		if db.Dialect == "sqlite" { // a file has no network to encrypt: said, not dropped
			_, err := dbfleet.Open(dbfleet.Config{Connections: map[string]dbfleet.ConnectionConfig{"main": config}})
			require.ErrorContains(t, err, "ssl")
			return
		}
		db.RequireTLS(t)
		trusting := config
		trusting.TLS.CAFile = db.CAFile
		plain := conformance.ConnectionTo(db)
		r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": trusting, "stranger": config, "plain": plain})

		query := map[string]string{
			"postgres": "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
			"mysql":    "SELECT variable_value FROM information_schema.session_status WHERE variable_name = 'Ssl_version'",
		}[db.Dialect]
		var version string
		require.NoError(t, r.DB("main").QueryRowContext(t.Context(), query).Scan(&version))
		require.Contains(t, version, "TLSv1.")

		require.ErrorContains(t, r.DB("stranger").Ping(t.Context()), "certificate", "true means verified")
		require.Error(t, r.DB("plain").Ping(t.Context()), "the server refuses plain text")
	})
}

// promise 4
func TestPromise04_OpenDialsNothing(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
		accepted := func() int {
			if _, err := os.Stat(db.Name); err == nil {
				return 1
			}
			return 0
		}
		if db.Server != nil {
			proxy := dbtest.NewProxy(t, db.Server.Addr())
			db = proxy.Through(db)
			accepted = proxy.Accepted
		}
		r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{
			"main": conformance.ConnectionTo(db),
			"down": {Driver: dbfleet.Postgres, Host: "127.0.0.1", Port: 1, Database: "none", Username: "none"},
		})
		require.Zero(t, accepted())
		require.Empty(t, r.Stats())
		_, err := r.Connect(t.Context(), "main")
		require.NoError(t, err, "what is down harms nobody who does not ask it")
		require.Equal(t, 1, accepted())
	})
}

// promise 5
func TestPromise05_ConnectionsByName(t *testing.T) {
	t.Parallel()
	onEachEstate(t, []string{"main", "analytics"}, func(t *testing.T, e estate) {
		var wg sync.WaitGroup
		pools := make([]*sql.DB, 16)
		for i := range pools {
			wg.Go(func() {
				if db, err := e.Connect(t.Context(), "analytics"); err == nil {
					pools[i] = db.Pool()
				}
			})
		}
		wg.Wait()
		require.NotNil(t, pools[0])
		for _, p := range pools {
			require.Same(t, pools[0], p, "opened once, however many ask")
		}
		require.Equal(t, "main", e.DB("").Name())
		_, err := e.Connect(t.Context(), "analytisc")
		var unknown *dbfleet.UnknownConnectionError
		require.ErrorAs(t, err, &unknown)
		require.Equal(t, []string{"analytics", "main"}, unknown.Known)
	})
}
