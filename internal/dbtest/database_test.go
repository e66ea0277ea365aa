package dbtest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"net"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// servers are the dialects that have a server.
var servers = []string{"postgres", "mysql"}

func eachServer(t *testing.T, f func(t *testing.T, db Database)) {
	for _, dialect := range servers {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			f(t, New(t, dialect))
		})
	}
}

func TestEach_GivesAnEmptyDatabaseOfItsOwn(t *testing.T) {
	t.Parallel()
	for range 3 {
		Each(t, func(t *testing.T, db Database) {
			pool := db.SQL(t)
			db.Exec(t, "CREATE TABLE things (id INTEGER PRIMARY KEY, name VARCHAR(100))")
			_, err := pool.Exec("INSERT INTO things VALUES (1, 'naïve 🙂')")
			require.NoError(t, err)
			var name string
			require.NoError(t, pool.QueryRow("SELECT name FROM things").Scan(&name))
			require.Equal(t, "naïve 🙂", name)
		})
	}
}

func TestNew_ServersAreShared(t *testing.T) {
	t.Parallel()
	for _, dialect := range servers {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			var wg sync.WaitGroup
			dbs := make([]Database, 4)
			for i := range dbs {
				wg.Go(func() { dbs[i] = New(t, dialect) })
			}
			wg.Wait()
			for _, db := range dbs {
				if db.Server == nil {
					t.Skip("not installed")
				}
				require.Same(t, dbs[0].Server, db.Server)
			}
			require.NotEqual(t, dbs[0].Name, dbs[1].Name)
			require.NotEqual(t, dbs[0].Username, dbs[1].Username)
		})
	}
}

func TestNew_UserOwnsOnlyItsDatabase(t *testing.T) {
	t.Parallel()
	eachServer(t, func(t *testing.T, db Database) {
		other := New(t, db.Dialect)
		other.Exec(t, "CREATE TABLE secrets (id INTEGER)")
		intruder := other
		intruder.Username, intruder.Password = db.Username, db.Password
		pool := intruder.SQL(t)
		_, err := pool.Exec("SELECT * FROM secrets")
		require.Error(t, err)
		wrong := db
		wrong.Password = "wrong"
		require.Error(t, wrong.SQL(t).Ping())
	})
}

func TestNew_ServerDefaultsAreUnlikeTheSessionsOfDbfleet(t *testing.T) {
	t.Parallel()
	ask := map[string]string{
		"postgres": "SELECT setting FROM pg_file_settings WHERE name = 'timezone'",
		"mysql":    "SELECT concat(@@global.time_zone, @@global.sql_mode)",
	}
	want := map[string]string{"postgres": "Asia/Kolkata", "mysql": "-03:30"}
	eachServer(t, func(t *testing.T, db Database) {
		var got string
		require.NoError(t, db.Server.Admin().QueryRow(ask[db.Dialect]).Scan(&got))
		require.Equal(t, want[db.Dialect], got)
	})
}

func TestNew_DropsTheDatabase(t *testing.T) {
	t.Parallel()
	for _, dialect := range servers {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			needs(t, dialect)
			var db Database
			r := record(t, func(t testing.TB) { db = New(t, dialect) })
			require.Empty(t, r.errors)
			require.Error(t, db.SQL(t).Ping())
		})
	}
}

func TestNew_DropsWhatATransactionWasPreparedIn(t *testing.T) {
	t.Parallel()
	needs(t, "postgres")
	var db Database
	r := record(t, func(t testing.TB) {
		db = New(t, "postgres")
		db.Exec(t, "CREATE TABLE a (id INT)", "BEGIN", "INSERT INTO a VALUES (1)", "PREPARE TRANSACTION 'it''s'")
	})
	require.Empty(t, r.errors)
	require.Error(t, db.SQL(t).Ping())
}

func TestNew_PostgresDatabaseIsHandedOnOnlyAsNew(t *testing.T) {
	t.Parallel()
	s := StartPostgres(t)
	s.shared = true // so that databases are dropped as their tests end
	use := func(asAdmin bool, statements ...string) (name string) {
		r := record(t, func(t testing.TB) {
			db := s.Database(t)
			name = db.Name
			if asAdmin {
				open := open(s.adminOf(db.Name))
				defer open.Close()
				require.NoError(t, execAll(open, statements...))
			} else {
				db.Exec(t, statements...)
			}
		})
		require.Empty(t, r.errors)
		return name
	}
	first := use(false, "CREATE TABLE a (id SERIAL)", "CREATE SCHEMA b", "CREATE TYPE b.c AS ENUM ('x')",
		"CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "SELECT lo_create(0)")
	second := use(false, "CREATE TABLE a (id SERIAL)") // there is none
	require.Equal(t, first, second)
	for _, statement := range []string{"CREATE TABLE admins (id INT)", "REVOKE ALL ON SCHEMA public FROM PUBLIC"} {
		spoiled := use(true, statement)
		require.NotEqual(t, spoiled, use(false, "SELECT 1"))
	}
}

func TestNew_ReportsConnectionsThatAreLeft(t *testing.T) {
	t.Parallel()
	for _, dialect := range Dialects {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			if dialect != "sqlite" {
				needs(t, dialect)
			}
			var pool *sql.DB
			r := record(t, func(t testing.TB) {
				db := New(t, dialect)
				pool = open(db)
				_, err := pool.Exec("CREATE TABLE a (id INTEGER)")
				require.NoError(t, err)
			})
			defer pool.Close()
			require.Contains(t, r.String(), "were not closed")
		})
	}
}

func TestNew_SkipsWhatIsNotInstalledUnlessRequired(t *testing.T) {
	missing := &missingError{dialect: "oracle", looked: []string{"/nowhere"}}
	t.Cleanup(func() { delete(leftOut, "oracle") })
	without := func(t testing.TB) { doWithout(t, "oracle", missing) }

	t.Setenv(requireEnv, "postgres")
	r := record(t, without)
	require.Empty(t, r.errors)
	require.Contains(t, r.skips[0], "oracle is not installed (looked in /nowhere)")
	require.Equal(t, missing, leftOut["oracle"], "Main tells it")

	t.Setenv(requireEnv, "postgres, oracle")
	r = record(t, without)
	require.Empty(t, r.skips)
	require.Contains(t, r.String(), "oracle is not installed")
}

func TestNew_RefusesAnUnknownDialect(t *testing.T) {
	t.Parallel()
	require.Contains(t, record(t, func(t testing.TB) { New(t, "oracle") }).String(), "there are sqlite, postgres, mysql")
}

func TestFindFolder_SaysWhereItLooked(t *testing.T) {
	t.Parallel()
	empty := t.TempDir()
	_, err := findFolder("postgres", []string{empty}, "postgres")
	var missing *missingError
	require.ErrorAs(t, err, &missing)
	require.ErrorContains(t, err, empty)
	require.Greater(t, versionIn("/usr/lib/postgresql/15/bin"), versionIn("/usr/lib/postgresql/9.6/bin"))
}

func TestDatabase_ConnectionsAreCountedAndKilled(t *testing.T) {
	t.Parallel()
	eachServer(t, func(t *testing.T, db Database) {
		require.Zero(t, db.Connections(t))
		pool := db.SQL(t)
		conn, err := pool.Conn(context.Background())
		require.NoError(t, err)
		defer conn.Close()
		require.Equal(t, 1, db.Connections(t))
		require.Equal(t, 1, db.KillConnections(t))
		require.Error(t, conn.PingContext(context.Background()))
		require.Zero(t, db.Connections(t))
	})
}

// What is kept has nothing of the session that used it, and is no connection that is left.
func TestDatabase_WhatIsKeptIsAsNewAndNotCounted(t *testing.T) {
	t.Parallel()
	db := New(t, "postgres")
	pool := db.SQL(t)
	var pid, again int
	require.NoError(t, pool.QueryRow("SELECT pg_backend_pid()").Scan(&pid))
	for range 2 {
		db.Exec(t, "CREATE TEMPORARY TABLE mine (id int)", "SET timezone = 'Asia/Kolkata'", "SELECT pg_advisory_lock(1)")
		var free bool
		require.NoError(t, pool.QueryRow("SELECT pg_try_advisory_lock(1)").Scan(&free))
		require.True(t, free)
		require.Zero(t, db.Connections(t))
	}
	conn, err := pool.Conn(t.Context())
	require.NoError(t, err)
	_, err = conn.ExecContext(t.Context(), "BEGIN")
	require.NoError(t, err)
	require.Equal(t, 1, db.Connections(t))
	require.NoError(t, conn.Close())
	require.NoError(t, pool.QueryRow("SELECT pg_backend_pid()").Scan(&again))
	require.NotEqual(t, pid, again, "a connection is not kept in a transaction")
}

func TestDatabase_SocketLeadsToTheSameServer(t *testing.T) {
	t.Parallel()
	eachServer(t, func(t *testing.T, db Database) {
		db.Exec(t, "CREATE TABLE here (id INTEGER)")
		var pool *sql.DB
		if db.Dialect == "postgres" {
			conn, err := pgx.Connect(t.Context(), "host="+db.Socket+" port="+strconv.Itoa(db.Port)+" user="+db.Username+" database="+db.Name+" password='"+db.Password+"'")
			require.NoError(t, err)
			defer conn.Close(context.Background())
			_, err = conn.Exec(t.Context(), "SELECT * FROM here")
			require.NoError(t, err)
			return
		}
		config := mysql.NewConfig()
		config.Net, config.Addr = "unix", db.Socket
		config.User, config.Passwd, config.DBName = db.Username, db.Password, db.Name
		connector, err := mysql.NewConnector(config)
		require.NoError(t, err)
		pool = sql.OpenDB(connector)
		defer pool.Close()
		_, err = pool.Exec("SELECT * FROM here")
		require.NoError(t, err)
	})
}

func TestDatabase_TLSIsServedAndCanBeDemanded(t *testing.T) {
	t.Parallel()
	eachServer(t, func(t *testing.T, db Database) {
		ca, err := os.ReadFile(db.CAFile)
		require.NoError(t, err)
		trusted := &tls.Config{RootCAs: x509.NewCertPool(), ServerName: "localhost"}
		require.True(t, trusted.RootCAs.AppendCertsFromPEM(ca))
		strange, err := os.ReadFile(NewStranger(t, "x").CAFile)
		require.NoError(t, err)
		untrusting := &tls.Config{RootCAs: x509.NewCertPool(), ServerName: "localhost"}
		require.True(t, untrusting.RootCAs.AppendCertsFromPEM(strange))

		require.NoError(t, pingTLS(t, db, nil))
		require.NoError(t, pingTLS(t, db, trusted))
		require.Error(t, pingTLS(t, db, untrusting))

		db.RequireTLS(t)
		require.Error(t, pingTLS(t, db, nil))
		require.NoError(t, pingTLS(t, db, trusted))

		db.RequireClientCertificate(t)
		require.Error(t, pingTLS(t, db, trusted))
		certFile, keyFile := ClientCertificate(t, db.Username)
		pair, err := tls.LoadX509KeyPair(certFile, keyFile)
		require.NoError(t, err)
		trusted.Certificates = []tls.Certificate{pair}
		require.NoError(t, pingTLS(t, db, trusted))
		stranger := NewStranger(t, db.Username)
		pair, err = tls.LoadX509KeyPair(stranger.CertFile, stranger.KeyFile)
		require.NoError(t, err)
		trusted.Certificates = []tls.Certificate{pair}
		require.Error(t, pingTLS(t, db, trusted))
	})
}

// pingTLS connects once; config nil is without TLS.
func pingTLS(t *testing.T, db Database, config *tls.Config) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if db.Dialect == "postgres" {
		c, err := pgx.ParseConfig("host=" + db.Host)
		require.NoError(t, err)
		c.Port, c.User, c.Password, c.Database = uint16(db.Port), db.Username, db.Password, db.Name
		c.TLSConfig, c.Fallbacks = config, nil
		conn, err := pgx.ConnectConfig(ctx, c)
		if err != nil {
			return err
		}
		return conn.Close(ctx)
	}
	c := mysql.NewConfig()
	c.Net, c.Addr = "tcp", net.JoinHostPort(db.Host, strconv.Itoa(db.Port))
	c.User, c.Passwd, c.DBName, c.TLS = db.Username, db.Password, db.Name, config
	c.Logger = &mysql.NopLogger{}
	connector, err := mysql.NewConnector(c)
	require.NoError(t, err)
	pool := sql.OpenDB(connector)
	defer pool.Close()
	return pool.PingContext(ctx)
}
