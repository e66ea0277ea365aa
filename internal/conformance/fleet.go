package conformance

import (
	"context"
	"hash/fnv"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// A Fleet is what most tests need: a registry whose connection "main" is a fresh
// database of one kind.
type Fleet struct {
	*dbfleet.Registry
	Database dbtest.Database
}

// OnEach runs f on a fresh database of every kind.
func OnEach(t *testing.T, f func(t *testing.T, fl Fleet)) {
	t.Helper()
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
		f(t, on(t, db, ConnectionTo(db)))
	})
}

// OnServers runs f on a fresh database of each server.
func OnServers(t *testing.T, f func(t *testing.T, db dbtest.Database)) {
	t.Helper()
	for _, dialect := range []string{"postgres", "mysql"} {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			f(t, dbtest.New(t, dialect))
		})
	}
}

// ClustersOf are the databases on whose clusters a test runs. What concerns clusters takes
// long, and most of it is the same on both: a test runs on one, by its name, and under
// DBFLEET_TORTURE, or where DBFLEET_TEST_DIALECTS names the databases, on all.
func ClustersOf(t *testing.T) []string {
	t.Helper()
	all := []string{"postgres", "mysql"}
	if os.Getenv("DBFLEET_TORTURE") != "" || os.Getenv("DBFLEET_TEST_DIALECTS") != "" {
		return all
	}
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(t.Name()))
	one := sum.Sum32() % 2
	return all[one : one+1]
}

// StartCluster starts a cluster of a database with so many replicas.
func StartCluster(t *testing.T, dialect string, replicas int) *dbtest.Cluster {
	t.Helper()
	if dialect == "mysql" {
		return dbtest.MariaDBCluster(t, replicas)
	}
	return dbtest.PostgresCluster(t, replicas)
}

// OnSQLite is a fleet of one SQLite file.
func OnSQLite(t *testing.T) Fleet {
	t.Helper()
	db := dbtest.New(t, "sqlite")
	return on(t, db, ConnectionTo(db))
}

// OnPostgres is a fleet of one PostgreSQL database.
func OnPostgres(t *testing.T) Fleet {
	t.Helper()
	db := dbtest.New(t, "postgres")
	return on(t, db, ConnectionTo(db))
}

// ThroughProxy is a fleet whose connections a proxy can break.
func ThroughProxy(t *testing.T, db dbtest.Database, change ...func(*dbfleet.ConnectionConfig)) (Fleet, *dbtest.Proxy) {
	t.Helper()
	proxy := dbtest.NewProxy(t, db.Server.Addr())
	config := ConnectionTo(proxy.Through(db))
	for _, f := range change {
		f(&config)
	}
	return on(t, db, config), proxy
}

func on(t *testing.T, db dbtest.Database, config dbfleet.ConnectionConfig) Fleet {
	t.Helper()
	return Fleet{Registry: Open(t, map[string]dbfleet.ConnectionConfig{"main": config}), Database: db}
}

// ConnectionTo configures a connection to a test's database.
func ConnectionTo(db dbtest.Database) dbfleet.ConnectionConfig {
	return dbfleet.ConnectionConfig{
		Driver: dbfleet.Driver(db.Dialect), Host: db.Host, Port: db.Port,
		Database: db.Name, Username: db.Username, Password: dbfleet.Secret(db.Password),
	}
}

// Patient has replicas stay in turn on a machine that stands still for a while: they, and
// what is dialled, have half a minute to answer. A test that counts where reads go needs it.
func Patient(c *dbfleet.ConnectionConfig) {
	const patience = 30 * time.Second
	c.ConnectTimeout, c.Reads.MinWait, c.Reads.MaxWait = patience, patience, patience
}

// Open opens a registry that is closed at the test's end; "main" is its default.
func Open(t *testing.T, connections map[string]dbfleet.ConnectionConfig) *dbfleet.Registry {
	t.Helper()
	config := dbfleet.Config{Connections: connections}
	if _, ok := connections["main"]; ok {
		config.Default = "main"
	}
	r, err := dbfleet.Open(config)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	return r
}

// Create runs statements written with the types of [DDL] on "main".
func (fl Fleet) Create(t *testing.T, statements ...string) {
	t.Helper()
	for _, s := range statements {
		_, err := fl.DB("main").ExecContext(context.Background(), DDL(fl.Database.Dialect, s))
		require.NoError(t, err, s)
	}
}

// Model makes a model and fails the test on a fault.
func Model[T any](t *testing.T, r *dbfleet.Registry, config dbfleet.ModelConfig) *dbfleet.Model[T] {
	t.Helper()
	m, err := dbfleet.NewModel[T](r, config)
	require.NoError(t, err)
	return m
}
