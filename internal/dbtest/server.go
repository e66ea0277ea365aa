package dbtest

import (
	"database/sql"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	loopback = "127.0.0.1"

	// adminName is the superuser of every server.
	adminName = "dbtest_admin"

	startTimeout = 60 * time.Second
	stopTimeout  = 30 * time.Second
)

// An engine is what differs between the database servers.
type engine interface {
	dialect() string
	// templateKey names the data directory that initialize makes.
	templateKey() (string, error)
	// initialize makes scratch/data, a data directory whose superuser is
	// adminName with that password.
	initialize(scratch, password string) error
	// configure writes the files of s that must be there before its first start.
	configure(s *Server) error
	command(s *Server) []string
	// socket is what [Database.Socket] is on this server.
	socket(s *Server) string
	// crashed cleans up behind a server that was killed.
	crashed(s *Server)
	stopSignal() syscall.Signal
	// abandonSignal ends a server whose data nobody needs any more.
	abandonSignal() syscall.Signal

	adminDatabase() string
	// create makes the user and the database of db, which it may rename.
	create(s *Server, db *Database) error
	// drop removes both.
	drop(s *Server, db Database) error
	// sessions lists the connections to a database: one line for each, its id first.
	sessions(admin *sql.DB, db Database) ([]session, error)
	kill(admin *sql.DB, s session) error
	// demand lets the user of db connect only in a certain way from now on.
	demand(admin *sql.DB, d demand, db Database) error
}

// A preparing engine has something to do before each start.
type preparing interface{ prepare(s *Server) error }

// An answering engine knows more of whether a server serves than a ping tells.
type answering interface{ answers(s *Server) error }

// A supervised engine's command starts programs that would outlive it.
type supervised interface{ supervised() }

// A demand is what a server may ask of a user's connections beyond a password.
type demand int

const (
	demandTLS demand = iota + 1
	demandCertificate
)

// A Server is one running database server. Its methods fail the test that
// calls them when they cannot do what they say. They may be called by several
// goroutines, one is served at a time.
type Server struct {
	Dialect string // "postgres" or "mysql"
	Host    string // a loopback address
	Port    int    // the same after each restart
	Socket  string // PostgreSQL: the folder of the unix socket; MariaDB: the socket
	CAFile  string // the authority that signed the server's certificate

	engine        engine
	dir           string // data/, sockets, certificates and log are in here
	settings      []string
	adminPassword string
	shared        bool

	mu      sync.Mutex // protects following fields
	process *process   // nil when stopped
	paused  bool
	admin   *sql.DB
	kept    *sql.DB              // as admin, with connections kept where they are dear: makes, looks into and removes databases
	emptied []string             // PostgreSQL's databases that the next test can have
	own     map[Database]*sql.DB // what Exec uses for the databases of tests
}

// newServer prepares a server without starting it. fill makes its data
// directory and returns the administrator's password.
func newServer(e engine, settings []string, fill func(w *workspace, dir string) (string, error)) (*Server, error) {
	w, err := openWorkspace()
	if err != nil {
		return nil, err
	}
	s := &Server{Dialect: e.dialect(), Host: loopback, engine: e, settings: settings}
	if s.dir, err = os.MkdirTemp(w.run, e.dialect()+"-"); err != nil {
		return nil, err
	}
	if err := os.Chmod(s.dir, 0o755); err != nil {
		return nil, err
	}
	if err := handOver(s.dir); err != nil { // for the socket, and for temporary files
		return nil, err
	}
	if err := writeServerTLS(s.dir); err != nil {
		return nil, err
	}
	s.CAFile = s.path("ca.pem")
	s.Socket = e.socket(s)
	if s.Port, err = w.reservePort(); err != nil {
		return nil, err
	}
	if s.adminPassword, err = fill(w, s.path("data")); err != nil {
		return nil, err
	}
	if err := e.configure(s); err != nil {
		return nil, err
	}
	s.openAdmin()
	return s, nil
}

func fromTemplate(e engine) func(w *workspace, dir string) (string, error) {
	return func(w *workspace, dir string) (string, error) { return w.newData(e, dir) }
}

func (s *Server) path(name string) string { return filepath.Join(s.dir, name) }

func (s *Server) adminOf(database string) Database {
	return Database{
		Dialect: s.Dialect, Host: s.Host, Port: s.Port, Name: database,
		Username: adminName, Password: s.adminPassword,
	}
}

// launch starts the process and waits until it answers.
func (s *Server) launch() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil {
		return fmt.Errorf("the server on port %d is running", s.Port)
	}
	log, err := os.OpenFile(s.path("log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	if e, ok := s.engine.(preparing); ok {
		if err := e.prepare(s); err != nil {
			return err
		}
	}
	start := startProcess
	if _, ok := s.engine.(supervised); ok {
		start = startSupervised
	}
	p, err := start(s.engine.command(s), s.dir, log)
	if err != nil {
		return err
	}
	var last error
	poll(startTimeout, func() bool {
		last = s.answers()
		return last == nil || p.ended()
	})
	if p.ended() {
		s.engine.crashed(s)
		return fmt.Errorf("the %s server ended at its start:\n%s", s.Dialect, tail(s.path("log")))
	}
	if last != nil {
		p.kill()
		s.engine.crashed(s)
		return fmt.Errorf("the %s server did not answer within %v: %w\n%s", s.Dialect, startTimeout, last, tail(s.path("log")))
	}
	s.process, s.paused = p, false
	return nil
}

// portTaken says whether a server ended because somebody else had its port.
func portTaken(err error) bool {
	return err != nil && strings.Contains(strings.ToLower(err.Error()), "address already in use")
}

// launchAnywhere is launch for a server whose port nobody knows yet: one that
// is taken (by a program that does not reserve ports as we do) is replaced.
func (s *Server) launchAnywhere() error {
	err := s.launch()
	for range 5 {
		if !portTaken(err) {
			return err
		}
		w, errPort := openWorkspace()
		if errPort != nil {
			return errPort
		}
		if s.Port, errPort = w.reservePort(); errPort != nil {
			return errPort
		}
		s.closeAdmin()
		s.openAdmin()
		err = s.launch()
	}
	return err
}

func (s *Server) openAdmin() {
	s.admin = open(s.adminOf(s.engine.adminDatabase()))
	s.admin.SetMaxIdleConns(0) // nothing of ours is in the way of what tests count
	s.kept = s.admin
	if db := s.adminOf(s.engine.adminDatabase()); s.Dialect == "postgres" || s.shared {
		s.kept = openHouse(db)
		s.kept.SetMaxIdleConns(1)
		if s.shared {
			s.kept.SetMaxIdleConns(4)
		}
	}
}

func (s *Server) closeAdmin() {
	s.admin.Close()
	s.kept.Close()
}

func (s *Server) answers() error {
	if e, ok := s.engine.(answering); ok {
		return e.answers(s)
	}
	ctx, cancel := contextWithin(2 * time.Second)
	defer cancel()
	return s.admin.PingContext(ctx)
}

// own hands a server to a test, which ends it.
func own(t testing.TB, s *Server, err error) *Server {
	t.Helper()
	if err == nil {
		t.Cleanup(s.abandon)
		err = s.launchAnywhere()
	}
	if err != nil {
		t.Fatalf("dbtest: %v", err)
	}
	return s
}

// Addr is host and port.
func (s *Server) Addr() string { return net.JoinHostPort(s.Host, strconv.Itoa(s.Port)) }

// Running reports whether the server is there and not paused.
func (s *Server) Running() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.process != nil && !s.process.ended() && !s.paused
}

// Start starts a server that was stopped or killed, on the same port.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	if err := s.launch(); err != nil {
		t.Fatalf("dbtest: %v", err)
	}
}

// Stop shuts the server down in order: it disconnects its clients and ends.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	if err := s.shutDown(); err != nil {
		t.Errorf("dbtest: %v", err)
	}
}

func (s *Server) shutDown() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return nil
	}
	s.resume()
	s.process.signal(s.engine.stopSignal())
	ended := s.process.wait(stopTimeout)
	if !ended {
		s.process.kill()
	}
	s.process = nil
	if !ended {
		return fmt.Errorf("the %s server did not stop within %v:\n%s", s.Dialect, stopTimeout, tail(s.path("log")))
	}
	return nil
}

// Kill ends all processes of the server with SIGKILL, as a crash would. What
// was committed is there after Start.
func (s *Server) Kill(testing.TB) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.crash()
}

func (s *Server) crash() {
	if s.process == nil {
		return
	}
	s.process.kill()
	s.process, s.paused = nil, false
	s.engine.crashed(s)
}

// Restart is Stop and Start.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.Stop(t)
	s.Start(t)
}

// Pause freezes all processes of the server (SIGSTOP): connections stay open
// and get no answer, new ones are accepted by the kernel and get none either.
func (s *Server) Pause(t testing.TB) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		t.Fatalf("dbtest: the %s server is not running", s.Dialect)
	}
	s.process.pause()
	s.paused = true
}

// Resume lets a paused server go on.
func (s *Server) Resume(testing.TB) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.resume()
}

func (s *Server) resume() {
	if s.process != nil && s.paused {
		s.process.thaw()
		s.paused = false
	}
}

// abandon ends the server for good and removes its data.
func (s *Server) abandon() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closeAdmin()
	for _, pool := range s.own {
		pool.Close()
	}
	if s.process != nil {
		s.resume()
		s.process.signal(s.engine.abandonSignal())
		if s.process.wait(5 * time.Second) {
			s.process = nil
		}
		s.crash()
	}
	os.RemoveAll(s.dir)
}

// Admin is a pool of connections with all rights, for preparing and looking. It
// keeps none open, and is closed with the server.
func (s *Server) Admin() *sql.DB { return s.admin }

// Exec runs statements with all rights.
func (s *Server) Exec(t testing.TB, statements ...string) {
	t.Helper()
	if err := execAll(s.admin, statements...); err != nil {
		t.Fatalf("dbtest: %v", err)
	}
}

// Log is what the server has written to its log so far.
func (s *Server) Log(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile(s.path("log"))
	if err != nil {
		t.Fatalf("dbtest: %v", err)
	}
	return string(text)
}
