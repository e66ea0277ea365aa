package costs

import (
	"context"
	sqldriver "database/sql/driver"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"modernc.org/sqlite"

	"github.com/dbfleet/dbfleet"
)

// roadRecord is a record of a table on SQLite in memory.
type roadRecord struct {
	ID   int64
	Name string
}

func roadModel(t *testing.T) (*dbfleet.Registry, *dbfleet.Model[roadRecord]) {
	t.Helper()
	r, err := dbfleet.Open(dbfleet.Config{Default: "main", Connections: map[string]dbfleet.ConnectionConfig{
		"main": {Driver: dbfleet.SQLite, Database: ":memory:"},
	}})
	require.NoError(t, err)
	t.Cleanup(func() { _ = r.Close() })
	_, err = r.DB("main").ExecContext(t.Context(), `CREATE TABLE road_records (id INTEGER PRIMARY KEY, name TEXT)`)
	require.NoError(t, err)
	m, err := dbfleet.NewModel[roadRecord](r, dbfleet.ModelConfig{Table: "road_records"})
	require.NoError(t, err)
	require.NoError(t, m.Create(t.Context(), &roadRecord{Name: "Ada"}))
	return r, m
}

// framesSeen are the functions between the caller and the database at the last
// call of the SQL function dbfleet_frames.
var framesSeen atomic.Pointer[[]string]

func init() {
	sqlite.MustRegisterScalarFunction("dbfleet_frames", 0, func(*sqlite.FunctionContext, []sqldriver.Value) (sqldriver.Value, error) {
		pcs := make([]uintptr, 200)
		frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs)])
		var ours []string
		for {
			f, more := frames.Next()
			if strings.HasPrefix(f.Function, "github.com/dbfleet/dbfleet.") || strings.HasPrefix(f.Function, "github.com/dbfleet/dbfleet/internal/driver") {
				ours = append(ours, f.Function)
			}
			if !more {
				break
			}
		}
		framesSeen.Store(&ours)
		return int64(1), nil
	})
}

// Who debugs a query sees few functions between the call and the database's own
// driver.
func TestRoad_IsShort(t *testing.T) {
	_, m := roadModel(t)
	_, err := m.Where("id", "=", 1).WhereRaw("dbfleet_frames() = 1").Get(t.Context())
	require.NoError(t, err)
	frames := *framesSeen.Load()
	require.Contains(t, frames[len(frames)-1], "Query")
	require.LessOrEqual(t, len(frames), 12, "from the call to the driver: %s", strings.Join(frames, "\n"))
	t.Logf("%d frames", len(frames))
}

// A hook costs a statement two allocations: its context with the event, and the
// copy of the arguments. A context that it returns costs what it costs to make.
func TestBudget_Hooks(t *testing.T) {
	r, m := roadModel(t)
	ctx := context.Background()
	find := func() {
		if _, err := m.Find(ctx, 1); err != nil {
			t.Fatal(err)
		}
	}
	without := allocations(500, find)
	seen := 0
	after := func(_ context.Context, e dbfleet.QueryEvent) { seen += len(e.Args) }
	type key struct{}
	for _, c := range []struct {
		name string
		hook dbfleet.QueryHook
		more float64
	}{
		{"after", dbfleet.QueryHook{After: after}, 2},
		{"before and after", dbfleet.QueryHook{Before: func(ctx context.Context, _ dbfleet.QueryEvent) context.Context { return ctx }, After: after}, 2},
		{"with a value", dbfleet.QueryHook{Before: func(ctx context.Context, _ dbfleet.QueryEvent) context.Context {
			return context.WithValue(ctx, key{}, nil)
		}, After: after}, 3},
	} {
		seen = 0
		remove := r.OnQuery(c.hook)
		with := allocations(500, find)
		remove()
		require.Positive(t, seen)
		require.LessOrEqual(t, with-without, c.more, "%s: with a hook %v, without %v", c.name, with, without)
	}
}
