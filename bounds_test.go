package dbfleet_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
)

// Names may come from requests: handles of unknown connections keep few
// goroutines. (It counts those of the process, so nothing runs beside it.)
func TestDB_UnknownNamesKeepFewGoroutines(t *testing.T) {
	r, err := dbfleet.Open(dbfleet.Config{})
	require.NoError(t, err)
	before := runtime.NumGoroutine()
	for i := range 1000 {
		name := fmt.Sprintf("unknown_%d", i)
		var unknown *dbfleet.UnknownConnectionError
		require.ErrorAs(t, r.DB(name).Pool().PingContext(t.Context()), &unknown)
		require.Equal(t, name, unknown.Name)
	}
	require.Eventually(t, func() bool { return runtime.NumGoroutine() < before+100 }, 30*time.Second, time.Millisecond)
	require.NoError(t, r.Close())
	require.Eventually(t, func() bool { return runtime.NumGoroutine() < before+5 }, 30*time.Second, time.Millisecond, "the registry's end ends them")
}

type passing struct{ ID int64 }

// A registry keeps the first model of each type, so that Check does not depend on when
// Go collects it, and tells of all others as long as they are in use.
func TestDescribe_ForgetsModelsThatAreDropped(t *testing.T) {
	t.Parallel()
	r, err := dbfleet.Open(dbfleet.Config{Default: "main", Connections: map[string]dbfleet.ConnectionConfig{
		"main": {Driver: dbfleet.SQLite, Database: ":memory:"},
	}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	kept, err := dbfleet.NewModel[passing](r, dbfleet.ModelConfig{Table: "kept"})
	require.NoError(t, err)
	for i := range 100 {
		_, err := dbfleet.NewModel[passing](r, dbfleet.ModelConfig{Table: fmt.Sprintf("dropped_%d", i)})
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool {
		runtime.GC()
		return len(r.Describe()) == 1
	}, 30*time.Second, time.Millisecond)
	require.Equal(t, "kept", r.Describe()[0].Table)
	runtime.KeepAlive(kept)
}

type shortly struct{ ID int64 }

// What lives on a connection that comes and goes, goes with it.
func TestDescribe_ForgetsModelsOfAConnectionThatIsRemoved(t *testing.T) {
	t.Parallel()
	memory := dbfleet.ConnectionConfig{Driver: dbfleet.SQLite, Database: ":memory:"}
	r, err := dbfleet.Open(dbfleet.Config{Default: "main", Connections: map[string]dbfleet.ConnectionConfig{"main": memory, "guest": memory}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	_, err = dbfleet.NewModel[shortly](r, dbfleet.ModelConfig{Table: "there", Connection: "guest"})
	require.NoError(t, err)
	runtime.GC()
	require.Len(t, r.Describe(), 1)
	require.NoError(t, r.Remove(t.Context(), "guest"))
	require.Eventually(t, func() bool {
		runtime.GC()
		return len(r.Describe()) == 0
	}, 30*time.Second, time.Millisecond)
}
