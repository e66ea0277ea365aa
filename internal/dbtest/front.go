package dbtest

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"
)

// A Front is a running program that stands between clients and database servers.
// Its methods fail the test that calls them when they cannot do what they say.
// They may be called by several goroutines, one is served at a time.
type Front struct {
	Host string // a loopback address
	Port int    // the same after each restart

	name string
	dir  string // configuration, sockets and log are in here
	// configure writes the files that the program reads when it starts.
	configure func() error
	args      func() []string
	answers   func() error

	mu      sync.Mutex // protects following fields
	process *process   // nil when stopped
	paused  bool
}

// newFront prepares a program without starting it.
func newFront(name string) (*Front, error) {
	w, err := openWorkspace()
	if err != nil {
		return nil, err
	}
	f := &Front{Host: loopback, name: name}
	if f.dir, err = os.MkdirTemp(w.run, name+"-"); err != nil {
		return nil, err
	}
	if err := handOver(f.dir); err != nil {
		return nil, err
	}
	if f.Port, err = w.reservePort(); err != nil {
		return nil, err
	}
	f.configure = func() error { return nil }
	f.answers = f.listens
	return f, nil
}

// own starts the program for a test, which ends it.
func (f *Front) own(t testing.TB) {
	t.Helper()
	t.Cleanup(f.abandon)
	err := f.launch()
	for range 5 {
		if !portTaken(err) {
			break
		}
		w, errPort := openWorkspace()
		if errPort == nil {
			f.Port, errPort = w.reservePort()
		}
		if errPort != nil {
			t.Fatalf("dbtest: %v", errPort)
		}
		err = f.launch()
	}
	if err != nil {
		t.Fatalf("dbtest: %v", err)
	}
}

func (f *Front) path(name string) string { return filepath.Join(f.dir, name) }

// write makes a file that the program can read.
func (f *Front) write(name, text string) error {
	if err := os.WriteFile(f.path(name), []byte(text), 0o600); err != nil {
		return err
	}
	return handOver(f.path(name))
}

func (f *Front) listens() error {
	conn, err := net.DialTimeout("tcp", f.Addr(), time.Second)
	if err == nil {
		conn.Close()
	}
	return err
}

func (f *Front) launch() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.process != nil {
		return fmt.Errorf("%s on port %d is running", f.name, f.Port)
	}
	if err := f.configure(); err != nil {
		return err
	}
	log, err := os.OpenFile(f.path("log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	p, err := startProcess(f.args(), f.dir, log)
	if err != nil {
		return err
	}
	var last error
	poll(startTimeout, func() bool {
		last = f.answers()
		return last == nil || p.ended()
	})
	if p.ended() {
		return fmt.Errorf("%s ended at its start:\n%s", f.name, tail(f.path("log")))
	}
	if last != nil {
		p.kill()
		return fmt.Errorf("%s did not answer within %v: %w\n%s", f.name, startTimeout, last, tail(f.path("log")))
	}
	f.process, f.paused = p, false
	return nil
}

// Addr is host and port.
func (f *Front) Addr() string { return net.JoinHostPort(f.Host, strconv.Itoa(f.Port)) }

// Through is db as it is reached through the program. Its Server stays the one
// that has it.
func (f *Front) Through(db Database) Database {
	db.Host, db.Port, db.Socket = f.Host, f.Port, ""
	return db
}

// Start starts a program that was stopped or killed, on the same port.
func (f *Front) Start(t testing.TB) {
	t.Helper()
	if err := f.launch(); err != nil {
		t.Fatalf("dbtest: %v", err)
	}
}

// Kill ends the program with SIGKILL: the kernel closes its connections.
func (f *Front) Kill(testing.TB) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.process != nil {
		f.process.kill()
		f.process, f.paused = nil, false
	}
}

// Pause freezes the program (SIGSTOP): connections stay open and get no answer,
// new ones are accepted by the kernel and get none either.
func (f *Front) Pause(t testing.TB) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.process == nil {
		t.Fatalf("dbtest: %s is not running", f.name)
	}
	f.process.pause()
	f.paused = true
}

// Resume lets a paused program go on.
func (f *Front) Resume(testing.TB) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.process != nil && f.paused {
		f.process.thaw()
		f.paused = false
	}
}

// Log is what the program has written to its log so far.
func (f *Front) Log(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile(f.path("log"))
	if err != nil {
		t.Fatalf("dbtest: %v", err)
	}
	return string(text)
}

// abandon ends the program for good and removes its files.
func (f *Front) abandon() {
	f.Kill(nil)
	os.RemoveAll(f.dir)
}
