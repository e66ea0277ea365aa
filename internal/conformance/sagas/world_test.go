package sagas

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

var errRefused = errors.New("not with me")

// trip is the data of the saga of these tests.
type trip struct {
	Owner string
	IDs   []int64 // of the accounts that the steps have opened
}

// world is a saga of three steps, each of which opens an account in its database.
type world struct {
	*dbfleet.Registry
	databases map[string]dbtest.Database
	saga      *dbfleet.Saga[trip]

	mu     sync.Mutex // protects following fields
	doing  func(ctx context.Context, step string) error
	undone func(ctx context.Context, step string) error
}

var steps = []string{"a", "b", "c"}

// mixes are databases of the steps. One dialect alone is one database for all of them.
var mixes = [][]string{
	{"sqlite"}, {"postgres"}, {"mysql"},
	{"postgres", "mysql", "sqlite"}, {"sqlite", "postgres", "mysql"}, {"mysql", "sqlite", "postgres"},
}

// onMixes runs f on fresh databases of each mix.
func onMixes(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	for _, mix := range mixes {
		t.Run(strings.Join(mix, "-"), func(t *testing.T) {
			t.Parallel()
			f(t, fresh(t, mix...))
		})
	}
}

// fresh is a world whose tables are made.
func fresh(t *testing.T, mix ...string) *world {
	t.Helper()
	databases := map[string]dbtest.Database{}
	for i, step := range steps {
		if i < len(mix) {
			databases[step] = dbtest.New(t, mix[i])
		} else {
			databases[step] = databases["a"]
		}
	}
	w := open(t, databases)
	require.NoError(t, w.saga.CreateTables(t.Context()))
	require.NoError(t, w.saga.CreateTables(t.Context()), "a second time")
	for i, step := range steps[:len(mix)] {
		_, err := w.DB(step).ExecContext(t.Context(), conformance.DDL(mix[i], conformance.AccountsTable))
		require.NoError(t, err)
	}
	return w
}

// open is a process of its own, as it were, on databases.
func open(t *testing.T, databases map[string]dbtest.Database) *world {
	t.Helper()
	connections := map[string]dbfleet.ConnectionConfig{}
	for name, db := range databases {
		connections[name] = conformance.ConnectionTo(db)
	}
	return over(t, databases, connections)
}

func over(t *testing.T, databases map[string]dbtest.Database, connections map[string]dbfleet.ConnectionConfig) *world {
	t.Helper()
	w := &world{Registry: conformance.Open(t, connections), databases: databases}
	var list []dbfleet.SagaStep[trip]
	for _, step := range steps {
		accounts := conformance.Model[conformance.Account](t, w.Registry, dbfleet.ModelConfig{Table: "accounts", Connection: step})
		list = append(list, dbfleet.SagaStep[trip]{
			Name: step, Connection: step,
			Do: func(ctx context.Context, data *trip) error {
				account := &conformance.Account{Owner: data.Owner + "/" + step}
				if err := accounts.Create(ctx, account); err != nil {
					return err
				}
				data.IDs = append(data.IDs, account.ID)
				return w.hook(ctx, &w.doing, step)
			},
			Undo: func(ctx context.Context, data *trip) error {
				n, err := accounts.Where("id", "=", data.IDs[len(data.IDs)-1]).Where("owner", "=", data.Owner+"/"+step).Delete(ctx)
				if err == nil && n != 1 {
					err = errors.New("it was not done")
				}
				return errors.Join(err, w.hook(ctx, &w.undone, step))
			},
		})
	}
	var err error
	w.saga, err = dbfleet.NewSaga(w.Registry, dbfleet.SagaConfig{Name: "trip", Connection: "a"}, list...)
	require.NoError(t, err)
	return w
}

func (w *world) hook(ctx context.Context, of *func(context.Context, string) error, step string) error {
	w.mu.Lock()
	f := *of
	w.mu.Unlock()
	if f == nil {
		return nil
	}
	return f(ctx, step)
}

// on sets what happens at the end of each Do and Undo.
func (w *world) on(doing, undone func(ctx context.Context, step string) error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.doing, w.undone = doing, undone
}

// failing is a hook that fails for a step.
func failing(at string) func(context.Context, string) error {
	return func(_ context.Context, step string) error {
		if step == at {
			return errRefused
		}
		return nil
	}
}

// owners are the accounts of all databases that belong to an owner, by step.
func (w *world) owners(t *testing.T, owner string) []string {
	t.Helper()
	found := []string{}
	seen := map[string]bool{}
	for _, step := range steps {
		if name := w.databases[step].Name; !seen[name] {
			seen[name] = true
			for _, o := range conformance.Owners(t, w.databases[step]) {
				if rest, ok := strings.CutPrefix(o, owner+"/"); ok {
					found = append(found, rest)
				}
			}
		}
	}
	return found
}

// run runs a trip whose owner is its id.
func (w *world) run(ctx context.Context, id string) (trip, error) {
	return w.saga.Run(ctx, id, trip{Owner: id})
}

func (w *world) requireFinished(t *testing.T) {
	t.Helper()
	open, err := w.saga.Unfinished(t.Context(), 100)
	require.NoError(t, err)
	require.Empty(t, open)
	conformance.RequireIdleSoon(t, w.Registry)
}
