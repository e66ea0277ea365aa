package connections

import (
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// asNobody runs f without root's right to write to every file, which the process of a
// test may have.
func asNobody(t *testing.T, f func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		f()
		return
	}
	done := make(chan struct{})
	go func() { // its thread ends with it
		defer close(done)
		runtime.LockOSThread()
		if _, _, errno := syscall.RawSyscall(syscall.SYS_SETFSUID, 65534, 0, 0); errno == 0 {
			f()
		}
	}()
	<-done
}

func TestHealth_AFileThatTakesNoWritesIsFound(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.Chmod(filepath.Dir(dir), 0o755)) // nobody may look into it
	for name, mode := range map[string]string{"told by the open file": "DELETE", "told by its opening": "WAL"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := dbfleet.ConnectionConfig{Driver: dbfleet.SQLite, Database: filepath.Join(dir, mode), SQLite: dbfleet.SQLiteConfig{JournalMode: mode}}
			writable := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config})
			_, err := writable.DB("main").ExecContext(t.Context(), "CREATE TABLE things (id INTEGER PRIMARY KEY)")
			require.NoError(t, err)
			require.Empty(t, writable.Health(t.Context()).Connections["main"].Nodes[0].Problem)
			require.NoError(t, writable.Close())
			require.NoError(t, os.Chmod(config.Database, 0o444))

			r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config})
			asNobody(t, func() { err = r.DB("main").Ping(t.Context()) })
			if mode == "WAL" {
				require.ErrorIs(t, err, dbfleet.ErrReadOnly)
				return
			}
			require.NoError(t, err)
			h := r.Health(t.Context())
			require.Equal(t, dbfleet.ProblemReadOnly, h.Connections["main"].Nodes[0].Problem)
			require.Equal(t, dbfleet.Degraded, h.Status)
		})
	}
}

func TestHealth_AFileMeantToBeReadIsHealthy(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t, "sqlite")
	config := conformance.ConnectionTo(db)
	config.Params = map[string]string{"query_only": "on"}
	r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config})
	require.Equal(t, dbfleet.Healthy, r.Health(t.Context()).Status)
}
