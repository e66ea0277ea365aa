package sagas

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// victim is what a process that is killed does.
type victim struct {
	Databases map[string]dbtest.Database
	ID        string
	Fails     bool  // the last step does
	DiesAfter int64 // that many statements
}

const victimVariable = "DBFLEET_TEST_SAGA_VICTIM"

// A process dies after its first statement, the next one after its second, and so on.
// Whatever it was, another one finishes what it has left: all steps or none.
func TestSaga_SurvivesADeathAfterEachStatement(t *testing.T) {
	if text := os.Getenv(victimVariable); text != "" {
		die(t, text)
		return
	}
	t.Parallel()
	for _, fails := range []bool{false, true} {
		for _, mix := range [][]string{{"sqlite"}, {"postgres", "mysql", "sqlite"}, {"mysql", "sqlite", "postgres"}} {
			t.Run(fmt.Sprintf("%s/fails=%t", strings.Join(mix, "-"), fails), func(t *testing.T) {
				t.Parallel()
				w := fresh(t, mix...)
				if fails {
					w.on(failing("c"), nil)
				}
				const most = 150
				for n := int64(1); ; n++ {
					require.Less(t, n, int64(most), "it never ends")
					id := fmt.Sprint("run ", n)
					survived := kill(t, w.databases, victim{ID: id, Fails: fails, DiesAfter: n})
					if !survived {
						left, err := w.saga.Unfinished(t.Context(), 10)
						require.NoError(t, err)
						finished, err := w.saga.Resume(t.Context(), 0)
						require.NoError(t, err, id)
						require.Len(t, left, finished)
					}
					_, err := w.run(t.Context(), id)
					var told *dbfleet.SagaError
					switch {
					case fails:
						require.ErrorAs(t, err, &told)
						require.True(t, told.Undone)
						require.Empty(t, w.owners(t, id), id)
					default:
						require.NoError(t, err)
						require.Equal(t, steps, w.owners(t, id), id)
					}
					w.requireFinished(t)
					if survived {
						require.Greater(t, n, int64(20))
						return
					}
				}
			})
		}
	}
}

// kill runs a victim, and says whether it has survived.
func kill(t *testing.T, databases map[string]dbtest.Database, v victim) (survived bool) {
	t.Helper()
	v.Databases = map[string]dbtest.Database{}
	for name, db := range databases {
		db.Server = nil
		v.Databases[name] = db
	}
	text, err := json.Marshal(v)
	require.NoError(t, err)
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestSaga_SurvivesADeathAfterEachStatement$", "-test.count=1")
	child.Env = append(os.Environ(), victimVariable+"="+string(text))
	out, err := child.CombinedOutput()
	if err == nil {
		return true
	}
	var ended *exec.ExitError
	require.ErrorAs(t, err, &ended)
	require.Equal(t, -1, ended.ExitCode(), "it was to be killed: %s", out)
	return false
}

// die is the victim.
func die(t *testing.T, text string) {
	var v victim
	require.NoError(t, json.Unmarshal([]byte(text), &v))
	w := open(t, v.Databases)
	if v.Fails {
		w.on(failing("c"), nil)
	}
	var sent atomic.Int64
	w.OnAfterQuery(func(context.Context, dbfleet.QueryEvent) {
		if sent.Add(1) == v.DiesAfter {
			self, err := os.FindProcess(os.Getpid())
			require.NoError(t, err)
			require.NoError(t, self.Kill())
			select {}
		}
	})
	_, err := w.run(t.Context(), v.ID)
	require.True(t, err == nil || errors.Is(err, errRefused), err)
}
