package dbtest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// leakTimeout is how long a closed connection may take to disappear from its
// server's list: the server ends it when it next has the processor.
const leakTimeout = 20 * time.Second

// NoConnections fails the test if db has a connection open (on SQLite: if this
// process has the file open) and does not lose it within twenty seconds. Each
// database is checked so when its test ends; a test calls it where that is
// too late to tell.
func NoConnections(t testing.TB, db Database) {
	t.Helper()
	if left := connectionsLeft(db); len(left) > 0 {
		t.Errorf("dbtest: %d connections to %s were not closed:\n%s", len(left), db.Name, strings.Join(left, "\n"))
	}
}

func connectionsLeft(db Database) []string {
	var left []string
	poll(leakTimeout, func() bool {
		if db.Server == nil {
			left = openFiles(db.Name)
			return len(left) == 0
		}
		sessions, err := db.Server.engine.sessions(db.Server.kept, db)
		if err != nil {
			left = []string{fmt.Sprintf("cannot tell: %v", err)}
			return false
		}
		left = left[:0]
		for _, s := range sessions {
			left = append(left, s.String())
		}
		return len(left) == 0
	})
	return left
}

// reportConnections checks a test's database on a server when the test ends.
// A server that the test left stopped, killed or paused is not asked, and a test
// that has failed already may have stopped half-way.
func (s *Server) reportConnections(t testing.TB, db Database) {
	t.Helper()
	if s.Running() && !t.Failed() {
		NoConnections(t, db.On(s))
	}
}

func reportOpenFiles(t testing.TB, db Database) {
	t.Helper()
	if !t.Failed() {
		NoConnections(t, db)
	}
}

// openFiles returns those of the database's files (itself, -wal, -shm, -journal)
// that this process has open. It can tell on Linux only.
func openFiles(path string) []string {
	if folder, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		path = filepath.Join(folder, filepath.Base(path))
	}
	entries, _ := os.ReadDir("/proc/self/fd")
	var open []string
	for _, e := range entries {
		target, err := os.Readlink(filepath.Join("/proc/self/fd", e.Name()))
		if err == nil && strings.HasPrefix(target, path) {
			open = append(open, target)
		}
	}
	return open
}
