package relations

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// node is a record with children on each of several connections.
type node struct {
	ID       int64
	ParentID *int64
	Children [6][]node `db:"-"`
}

// forest has one table of nodes on each of n SQLite connections, and relations from the
// first's to all.
type forest struct {
	*dbfleet.Registry
	nodes []*dbfleet.Model[node]
	all   []dbfleet.Relation[node]
}

func newForest(t *testing.T, n int) *forest {
	t.Helper()
	connections := map[string]dbfleet.ConnectionConfig{}
	for i := range n {
		connections[string(rune('a'+i))] = conformance.ConnectionTo(dbtest.New(t, "sqlite"))
	}
	f := &forest{Registry: conformance.Open(t, connections)}
	for i := range n {
		name := string(rune('a' + i))
		_, err := f.DB(name).ExecContext(t.Context(), conformance.DDL("sqlite", "CREATE TABLE nodes (id {id}, parent_id {bigint})"))
		require.NoError(t, err)
		f.nodes = append(f.nodes, conformance.Model[node](t, f.Registry, dbfleet.ModelConfig{Table: "nodes", Connection: name}))
		require.NoError(t, f.nodes[i].CreateMany(t.Context(), []node{{ID: 1}, {ID: 2, ParentID: at[int64](1)}, {ID: 3, ParentID: at[int64](2)}}))
		f.all = append(f.all, dbfleet.HasMany(f.nodes[0], f.nodes[i], dbfleet.On("parent_id"), func(n *node) *[]node { return &n.Children[i] }))
	}
	return f
}

// At most four connections are asked at once, and at least two are.
func TestWith_AsksSomeDatabasesAtOnce(t *testing.T) {
	t.Parallel()
	f := newForest(t, 6)
	var now, most atomic.Int64
	meet := make(chan struct{})
	var together sync.Once
	f.OnBeforeQuery(func(ctx context.Context, e dbfleet.QueryEvent) context.Context {
		n := now.Add(1)
		for {
			if was := most.Load(); n <= was || most.CompareAndSwap(was, n) {
				break
			}
		}
		if n == 2 {
			together.Do(func() { close(meet) })
		}
		if e.Route.Connection != "a" {
			select { // nothing but a second statement lets the first one go on
			case <-meet:
			case <-time.After(time.Minute):
			}
		}
		return ctx
	})
	f.OnAfterQuery(func(context.Context, dbfleet.QueryEvent) { now.Add(-1) })
	list, err := f.nodes[0].With(f.all...).OrderBy("id", "asc").Get(t.Context())
	require.NoError(t, err)
	for i := range 6 {
		require.Len(t, list[0].Children[i], 1)
		require.Len(t, list[2].Children[i], 0)
	}
	require.GreaterOrEqual(t, most.Load(), int64(2))
	require.LessOrEqual(t, most.Load(), int64(4))
}

// In a transaction of the context nothing runs at once, wherever it goes.
func TestWith_AsksInTurnInATransaction(t *testing.T) {
	t.Parallel()
	f := newForest(t, 4)
	var now, most int64
	var order []string
	f.OnBeforeQuery(func(ctx context.Context, e dbfleet.QueryEvent) context.Context {
		now++
		most = max(most, now)
		order = append(order, e.Route.Connection)
		return ctx
	})
	f.OnAfterQuery(func(context.Context, dbfleet.QueryEvent) { now-- })
	require.NoError(t, f.Transaction(t.Context(), "c", func(ctx context.Context, _ *dbfleet.Tx) error {
		order = nil
		_, err := f.nodes[0].With(f.all...).Get(ctx)
		return err
	}))
	require.Equal(t, []string{"a", "a", "b", "c", "d"}, order[:5])
	require.EqualValues(t, 1, most)
	order = nil
	var route dbfleet.Route
	_, err := f.nodes[0].With(f.all...).Get(dbfleet.WithRoute(t.Context(), &route))
	require.NoError(t, err)
	require.Equal(t, "d", route.Connection, "somebody wants to know the last route")
}

// The first error ends the others, and a panic reaches the caller.
func TestWith_EndsAllAtTheFirstError(t *testing.T) {
	t.Parallel()
	f := newForest(t, 4)
	_, err := f.DB("c").ExecContext(t.Context(), "DROP TABLE nodes")
	require.NoError(t, err)
	canceled := make(chan struct{}, 4)
	f.OnBeforeQuery(func(ctx context.Context, e dbfleet.QueryEvent) context.Context {
		if c := e.Route.Connection; c == "b" || c == "d" {
			<-ctx.Done()
			canceled <- struct{}{}
		}
		return ctx
	})
	_, err = f.nodes[0].With(f.all...).Get(t.Context())
	require.ErrorContains(t, err, `select on "c"`)
	require.Len(t, canceled, 2)
	conformance.RequireIdle(t, f.Registry)

	f = newForest(t, 3)
	odd := append(f.all[:2:2], dbfleet.HasMany(f.nodes[0], f.nodes[2], dbfleet.On("parent_id"), func(*node) *[]node { panic(&f) }))
	require.PanicsWithValue(t, &f, func() { _, _ = f.nodes[0].With(odd...).Get(t.Context()) })
	conformance.RequireIdle(t, f.Registry)
}
