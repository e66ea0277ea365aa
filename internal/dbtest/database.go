package dbtest

import (
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Dialects are the names of the databases that [Each] runs a test on.
var Dialects = []string{"sqlite", "postgres", "mysql"}

// A Database is a fresh, empty database that belongs to one test: a file, or a
// database on a server with a user who owns it and has no other rights. When the
// test ends it must have no connection left, or the test fails; then it is removed.
//
// File names and passwords contain characters that need care in URLs.
type Database struct {
	Dialect            string // "sqlite", "postgres" or "mysql"
	Host               string // empty on SQLite, like all that follows except Name
	Port               int
	Socket             string // PostgreSQL: the folder of the unix socket; MariaDB: the socket
	Name               string // SQLite: the path of the file, which is not there yet
	Username, Password string
	CAFile             string // PEM, of the authority that signed the server's certificate
	Server             *Server
}

// Each runs f on a fresh database of every dialect, in parallel subtests that
// are named after the dialects.
func Each(t *testing.T, f func(t *testing.T, db Database)) {
	t.Helper()
	for _, dialect := range Dialects {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			f(t, New(t, dialect))
		})
	}
}

// New returns a fresh database on the server that the tests of this binary
// share, which it starts if it has to. It skips the test if the server is not
// installed or not selected, see the package comment.
func New(t testing.TB, dialect string) Database {
	t.Helper()
	switch dialect {
	case "sqlite":
		needs(t, dialect)
		return newFile(t)
	case "postgres":
		return sharedServer(t, dialect, sharedPostgres).Database(t)
	case "mysql":
		return sharedServer(t, dialect, sharedMariaDB).Database(t)
	}
	t.Fatalf("dbtest: unknown dialect %q; there are %s", dialect, strings.Join(Dialects, ", "))
	return Database{}
}

func newFile(t testing.TB) Database {
	db := Database{Dialect: "sqlite", Name: filepath.Join(t.TempDir(), "100%25 a file?#1.db")}
	t.Cleanup(func() { reportOpenFiles(t, db) })
	return db
}

var (
	sharedPostgres = sync.OnceValues(func() (*Server, error) { return startShared(postgres{}) })
	sharedMariaDB  = sync.OnceValues(func() (*Server, error) { return startShared(mariadb{}) })

	sharedMu      sync.Mutex // protects following fields
	sharedServers []*Server
	leftOut       = map[string]error{} // by dialect: why its tests were skipped
)

func startShared(e engine) (*Server, error) {
	s, err := newServer(e, nil, fromTemplate(e))
	if err != nil {
		return nil, err
	}
	s.shared = true
	s.closeAdmin()
	s.openAdmin()
	sharedMu.Lock()
	sharedServers = append(sharedServers, s)
	sharedMu.Unlock()
	return s, s.launchAnywhere()
}

func sharedServer(t testing.TB, dialect string, start func() (*Server, error)) *Server {
	t.Helper()
	needs(t, dialect)
	s, err := start()
	if err != nil {
		t.Fatalf("dbtest: %v", err)
	}
	return s
}

// needs skips a test, or fails it, when its database is not available.
func needs(t testing.TB, dialect string) {
	t.Helper()
	if err := available(dialect); err != nil {
		doWithout(t, dialect, err)
	}
}

// Complete says that no test of the package had to do without its database until now:
// what is counted over all of them is then whole.
func Complete() bool {
	sharedMu.Lock()
	defer sharedMu.Unlock()
	return len(leftOut) == 0
}

// doWithout ends a test whose database is not there.
func doWithout(t testing.TB, dialect string, err error) {
	t.Helper()
	var missing *missingError
	var unwanted *unwantedError
	if required(dialect) || !errors.As(err, &missing) && !errors.As(err, &unwanted) {
		t.Fatalf("dbtest: %v", err)
	}
	sharedMu.Lock()
	leftOut[dialect] = err
	sharedMu.Unlock()
	t.Skipf("dbtest: %v", err)
}

// Database returns a fresh database on this server.
func (s *Server) Database(t testing.TB) Database {
	t.Helper()
	db := s.create(t)
	t.Cleanup(func() {
		s.closeOwn(db.Name)
		s.reportConnections(t, db)
		if !s.shared || !s.Running() {
			return // its data go with the server
		}
		if err := s.engine.drop(s, db); err != nil {
			t.Errorf("dbtest: drop %s: %v", db.Name, err)
		}
	})
	return db
}

func (s *Server) create(t testing.TB) Database {
	t.Helper()
	name := "t" + strings.ToLower(rand.Text()[:14])
	db := Database{
		Dialect: s.Dialect, Host: s.Host, Port: s.Port, Socket: s.Socket, Name: name,
		Username: name + "_u", Password: "p@ss:w/rd?#%25&=+ \"" + rand.Text()[:8],
		CAFile: s.CAFile, Server: s,
	}
	if err := s.engine.create(s, &db); err != nil {
		t.Fatalf("dbtest: create %s: %v", db.Name, err)
	}
	return db
}

// On is the same database as another server of its cluster has it.
func (db Database) On(s *Server) Database {
	db.Host, db.Port, db.Socket, db.CAFile, db.Server = s.Host, s.Port, s.Socket, s.CAFile, s
	return db
}

// Twin makes an empty database by the same name, of the same account, on another server
// that has none. It ends with that server.
func (db Database) Twin(t testing.TB, s *Server) Database {
	t.Helper()
	twin := db.On(s)
	if err := s.engine.create(s, &twin); err != nil || twin.Name != db.Name {
		t.Fatalf("dbtest: create %s (it is %s): %v", db.Name, twin.Name, err)
	}
	return twin
}

// SQL is a plain database/sql pool, for preparing and looking without dbfleet.
// Times are UTC. [Database.Connections] does not count what it keeps while nobody uses it. It
// is closed when the test ends.
func (db Database) SQL(t testing.TB) *sql.DB {
	t.Helper()
	pool := openKept(db)
	t.Cleanup(func() { pool.Close() })
	return pool
}

// Exec runs statements on one connection, which nobody else has then and which is as new.
func (db Database) Exec(t testing.TB, statements ...string) {
	t.Helper()
	pool, done := db.ownPool()
	defer done()
	if err := execAll(pool, statements...); err != nil {
		t.Fatalf("dbtest: %v", err)
	}
}

// RequireTLS makes the server refuse this user's connections without TLS.
func (db Database) RequireTLS(t testing.TB) {
	t.Helper()
	db.demand(t, demandTLS)
}

// RequireClientCertificate makes the server refuse this user's connections
// without a certificate of [ClientCertificate]. The password is still needed.
func (db Database) RequireClientCertificate(t testing.TB) {
	t.Helper()
	db.demand(t, demandCertificate)
}

func (db Database) demand(t testing.TB, d demand) {
	t.Helper()
	if err := db.Server.engine.demand(db.Server.kept, d, db); err != nil {
		t.Fatalf("dbtest: %v", err)
	}
}

// Connections is how many connections to this database are open, other than
// those of the administrator. SQLite has no answer: it fails the test.
func (db Database) Connections(t testing.TB) int {
	t.Helper()
	return len(db.sessionsNow(t))
}

// KillConnections makes the server close every connection to this database, and
// returns how many that were once they are gone.
func (db Database) KillConnections(t testing.TB) int {
	t.Helper()
	sessions := db.sessionsNow(t)
	killed := map[int64]bool{}
	for _, s := range sessions {
		if err := db.Server.engine.kill(db.Server.kept, s); err != nil {
			t.Fatalf("dbtest: kill %v: %v", s, err)
		}
		killed[s.id] = true
	}
	gone := poll(replicationTimeout, func() bool {
		for _, s := range db.sessionsNow(t) {
			if killed[s.id] {
				return false
			}
		}
		return true
	})
	if !gone {
		t.Fatalf("dbtest: connections to %s are still there %v after they were killed", db.Name, replicationTimeout)
	}
	return len(sessions)
}

func (db Database) sessionsNow(t testing.TB) []session {
	t.Helper()
	if db.Server == nil {
		t.Fatalf("dbtest: %s has no server that could tell its connections", db.Dialect)
	}
	sessions, err := db.Server.engine.sessions(db.Server.kept, db)
	if err != nil {
		t.Fatalf("dbtest: %v", err)
	}
	return sessions
}

// String hides the password.
func (db Database) String() string {
	return fmt.Sprintf("%s %s on %s:%d", db.Dialect, db.Name, db.Host, db.Port)
}
