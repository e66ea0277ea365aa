package main

import (
	"crypto/rand"
	"database/sql"
	"errors"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite" // registers "sqlite"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// Databases are the names of the databases, in the order of the report.
var Databases = []string{"null", "sqlite", "postgres", "mariadb"}

// poolSize bounds every pool of every peer.
const poolSize = 10

// Target is one database, for one place of the operations.
type Target struct {
	Database string // of Databases
	Dialect  string // sqlite (also of null), postgres or mysql
	DSN      string // of the pgx, mysql or sqlite driver
	// Config is the same database for dbfleet, RoutedConfig with two replicas; it
	// is nil where there cannot be any.
	Config       dbfleet.ConnectionConfig
	RoutedConfig *dbfleet.ConnectionConfig

	Beside *Target // the other database of Atomic, else nil

	replicas []*Target // those of a cluster, else nil
	settle   func()    // waits until the replicas have all; nil where there are none

	null    *null
	private bool         // dbfleet has a database of its own, which nobody else sees
	trips   func() int64 // round trips so far, where they are counted
}

// Open opens a pool as a careful user of database/sql does: as many idle
// connections as there may be open ones, so that none is dialled again.
func (t *Target) Open() (*sql.DB, error) {
	db, err := t.open()
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(poolSize)
	db.SetMaxIdleConns(poolSize)
	return db, nil
}

func (t *Target) open() (*sql.DB, error) {
	switch {
	case t.null != nil:
		return sql.OpenDB(t.null), nil
	case t.Dialect == "postgres":
		config, err := pgx.ParseConfig(t.DSN)
		if err != nil {
			return nil, err
		}
		return stdlib.OpenDB(*config), nil
	default:
		return sql.Open(t.Dialect, t.DSN)
	}
}

// OpenSeveral opens n pools on the same database.
func (t *Target) OpenSeveral(n int) ([]*sql.DB, error) {
	var pools []*sql.DB
	for range n {
		db, err := t.Open()
		if err != nil {
			return nil, errors.Join(err, closeAll(pools))
		}
		pools = append(pools, db)
	}
	return pools, nil
}

func closeAll(pools []*sql.DB) error {
	var errs []error
	for _, p := range pools {
		errs = append(errs, p.Close())
	}
	return errors.Join(errs...)
}

// server is what the targets of one database live on.
type server struct {
	database string
	make     func(t testing.TB, p place) *Target
	counters func(t testing.TB, p place) *Target // make with round trips counted, nil if there are none
}

// startServer starts the database's server, which ends with t. It skips t if
// the server is not installed.
func startServer(t testing.TB, database string) *server {
	s := &server{database: database}
	switch database {
	case "null":
		s.make = nullTarget
	case "sqlite":
		s.make = sqliteTarget
	case "sqlite_memory":
		s.make = memoryTarget
	case "postgres":
		s.onServer(dbtest.StartPostgres(t, "shared_buffers=256MB"), func(_ testing.TB, db dbtest.Database) *Target { return postgresTarget(db) })
	case "mariadb":
		s.onServer(dbtest.StartMariaDB(t, "innodb-buffer-pool-size=256M"), mariadbTarget)
	case "postgres_mariadb":
		main, beside := startServer(t, "postgres"), startServer(t, "mariadb")
		both := func(make, makeBeside func(testing.TB, place) *Target) func(testing.TB, place) *Target {
			return func(t testing.TB, p place) *Target {
				target := make(t, p)
				target.Database, target.Beside = database, makeBeside(t, p)
				if trips := target.trips; trips != nil {
					target.trips = func() int64 { return trips() + target.Beside.trips() }
				}
				return target
			}
		}
		s.make, s.counters = both(main.make, beside.make), both(main.counters, beside.counters)
	case "postgres_cluster", "mariadb_cluster":
		return startCluster(t, database)
	default:
		t.Fatalf("there is no database %q", database)
	}
	return s
}

// onServer makes the server's targets on a running one.
func (s *server) onServer(run *dbtest.Server, target func(t testing.TB, db dbtest.Database) *Target) {
	s.make = func(t testing.TB, _ place) *Target { return target(t, run.Database(t)) }
	s.counters = func(t testing.TB, _ place) *Target {
		c := newCounter(t, run.Addr())
		made := target(t, c.through(run.Database(t)))
		made.trips = c.trips.Load
		return made
	}
}

func nullTarget(testing.TB, place) *Target {
	target := &Target{Database: "null", Dialect: "sqlite", null: newNull()}
	// Nothing is dialled. As MySQL it is given times as they are, as by all peers;
	// for SQLite dbfleet makes texts of them, which is otherwise the driver's work.
	target.Config = dbfleet.ConnectionConfig{Driver: dbfleet.MySQL, Connector: target.null}
	routed := target.Config
	routed.ReadHosts = []string{"null-1", "null-2"}
	target.RoutedConfig = &routed
	return target
}

func sqliteTarget(t testing.TB, p place) *Target {
	// As on the servers, no commit waits for the disk: in memory where there is
	// such a folder.
	dir := t.TempDir()
	if shm, err := os.MkdirTemp("/dev/shm", "dbfleet-bench-"); err == nil {
		t.Cleanup(func() { os.RemoveAll(shm) })
		dir = shm
	}
	file := filepath.Join(dir, string(p)+".db")
	return &Target{
		Database: "sqlite", Dialect: "sqlite",
		DSN: "file:" + file + "?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)" +
			"&_pragma=foreign_keys(ON)&_txlock=immediate&_time_format=sqlite",
		Config: dbfleet.ConnectionConfig{Driver: dbfleet.SQLite, Database: file},
	}
}

// memoryTarget is a database in memory. That of dbfleet is its registry's own.
func memoryTarget(testing.TB, place) *Target {
	return &Target{
		Database: "sqlite_memory", Dialect: "sqlite", private: true,
		DSN:    "file:/bench-" + rand.Text() + "?vfs=memdb&_pragma=busy_timeout(5000)&_pragma=foreign_keys(ON)&_txlock=immediate&_time_format=sqlite",
		Config: dbfleet.ConnectionConfig{Driver: dbfleet.SQLite, Database: ":memory:"},
	}
}

func postgresTarget(db dbtest.Database) *Target {
	dsn := url.URL{
		Scheme: "postgres", User: url.UserPassword(db.Username, db.Password),
		Host: net.JoinHostPort(db.Host, strconv.Itoa(db.Port)), Path: "/" + db.Name, RawQuery: "sslmode=disable&timezone=UTC",
	}
	t := &Target{Database: "postgres", Dialect: "postgres", DSN: dsn.String()}
	t.serve(dbfleet.Postgres, db)
	return t
}

func mariadbTarget(t testing.TB, db dbtest.Database) *Target {
	config := mysql.NewConfig()
	config.Net, config.Addr = "tcp", net.JoinHostPort(db.Host, strconv.Itoa(db.Port))
	config.User, config.Passwd, config.DBName = db.Username, db.Password, db.Name
	config.ParseTime, config.Loc = true, time.UTC
	config.Params = map[string]string{"time_zone": "'+00:00'"}
	target := &Target{Database: "mariadb", Dialect: "mysql", DSN: config.FormatDSN()}
	target.serve(dbfleet.MySQL, db)
	if _, err := mysql.ParseDSN(target.DSN); err != nil {
		t.Fatal(err)
	}
	return target
}

func (t *Target) serve(d dbfleet.Driver, db dbtest.Database) {
	t.Config = dbfleet.ConnectionConfig{
		Driver: d, Host: db.Host, Port: db.Port, Database: db.Name, Username: db.Username, Password: dbfleet.Secret(db.Password),
		TLS: dbfleet.TLSConfig{Mode: dbfleet.TLSDisable},
	}
	routed := t.Config
	// The same server under two names: a replica may be named only once.
	routed.ReadHosts = []string{"127.0.0.1", "localhost"}
	t.RoutedConfig = &routed
}
