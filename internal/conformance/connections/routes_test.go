package connections

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

type thing struct {
	ID   int64
	Name string
}

// promise 6, promise 9: the connection named on the call, else the model's, else the
// default; the model itself stays as it is.
func TestRoute_Precedence(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	memory := dbfleet.ConnectionConfig{Driver: dbfleet.SQLite, Database: ":memory:"}
	r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": memory, "other": memory, "third": memory})
	for _, name := range r.Names() {
		_, err := r.DB(name).ExecContext(ctx, `CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT)`)
		require.NoError(t, err)
		_, err = r.DB(name).Table("things").Insert(ctx, map[string]any{"name": name})
		require.NoError(t, err)
	}
	byDefault := conformance.Model[thing](t, r, dbfleet.ModelConfig{Table: "things"})
	placed := conformance.Model[thing](t, r, dbfleet.ModelConfig{Table: "things", Connection: "other"})
	for name, tt := range map[string]struct {
		q            *dbfleet.Query[thing]
		want, reason string
	}{
		"default":            {byDefault.Query(), "main", "the default"},
		"model":              {placed.Query(), "other", "the model's"},
		"call over default":  {byDefault.DB("third").Query(), "third", "named on the call"},
		"call over model":    {placed.DB("third").Query(), "third", "named on the call"},
		"query's call":       {placed.Where("id", ">", 0).DB("third"), "third", "named on the call"},
		"last call":          {placed.DB("main").DB("third").Query(), "third", "named on the call"},
		"primary":            {placed.Primary().Query(), "other", "primary"},
		"table of a handle":  {dbfleet.Table[thing](r.DB("third"), "things"), "third", "named by the handle"},
		"table of a default": {dbfleet.Table[thing](r.DB(""), "things"), "main", "named by the handle"},
	} {
		route, err := tt.q.Route(ctx)
		require.NoError(t, err, name)
		require.Equal(t, tt.want, route.Connection, name)
		require.Equal(t, tt.want, route.Node, name)
		require.Equal(t, dbfleet.RolePrimary, route.Role, name)
		require.Contains(t, route.Reason, tt.reason, name)
		require.Contains(t, route.String(), tt.want, name)
		got, err := tt.q.First(ctx)
		require.NoError(t, err, name)
		require.Equal(t, tt.want, got.Name, name)
	}
	route, err := placed.Query().Route(ctx)
	require.NoError(t, err)
	require.Equal(t, "other", route.Connection, "the model is unchanged")

	// Every write goes where a read would.
	var at []string
	defer r.OnAfterQuery(func(_ context.Context, e dbfleet.QueryEvent) { at = append(at, e.Op+" "+e.Route.Connection) })()
	third := placed.DB("third")
	x := thing{Name: "x"}
	require.NoError(t, third.Create(ctx, &x))
	require.NoError(t, third.Save(ctx, &x))
	require.NoError(t, third.CreateMany(ctx, []thing{{Name: "y"}}))
	require.NoError(t, third.Upsert(ctx, &x, dbfleet.Conflict{}))
	_, err = third.Where("name", "=", "y").Update(ctx, map[string]any{"name": "z"})
	require.NoError(t, err)
	require.NoError(t, third.Delete(ctx, &x))
	_, err = third.CreateFrom(ctx, map[string]any{})
	require.NoError(t, err)
	require.Equal(t, []string{"insert third", "update third", "insert third", "upsert third", "update third", "delete third", "insert third"}, at)
}

// promise: a route never lands on a database that was not named.
func TestRoute_NeverFallsBack(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	memory := dbfleet.ConnectionConfig{Driver: dbfleet.SQLite, Database: ":memory:"}
	r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": memory, "other": memory})
	counts := conformance.Statements(t, r)
	m := conformance.Model[thing](t, r, dbfleet.ModelConfig{Table: "things"})
	lost := m.DB("analitics")
	one := thing{ID: 1}
	handle := r.DB("analitics")
	calls := map[string]func() error{
		"route": func() error { _, err := lost.Query().Route(ctx); return err },
		"sql":   func() error { _, _, err := lost.Query().SQL(ctx); return err },
		"get":   func() error { _, err := lost.Get(ctx); return err },
		"first": func() error { _, err := lost.First(ctx); return err },
		"count": func() error { _, err := lost.Count(ctx); return err },
		"pluck": func() error { _, err := dbfleet.Pluck[string](ctx, lost, "name"); return err },
		"iter": func() error {
			for _, err := range lost.Query().Iter(ctx) {
				return err
			}
			return nil
		},
		"create": func() error { return lost.Create(ctx, &one) },
		"many":   func() error { return lost.CreateMany(ctx, []thing{{}, {}}) },
		"save":   func() error { return lost.Save(ctx, &one) },
		"delete": func() error { return lost.Delete(ctx, &one) },
		"upsert": func() error { return lost.Upsert(ctx, &one, dbfleet.Conflict{}) },
		"update": func() error { _, err := lost.Query().AllRows().Update(ctx, map[string]any{"name": "x"}); return err },
		"insert": func() error { _, err := lost.Query().Insert(ctx, map[string]any{"name": "x"}); return err },
		"tx": func() error {
			return lost.Query().Transaction(ctx, func(context.Context, *dbfleet.Tx) error { return nil })
		},
		"exec":    func() error { _, err := handle.ExecContext(ctx, "SELECT 1"); return err },
		"query":   func() error { _, err := handle.QueryContext(ctx, "SELECT 1"); return err }, //nolint:rowserrcheck // there are none
		"row":     func() error { var n int; return handle.QueryRowContext(ctx, "SELECT 1").Scan(&n) },
		"prepare": func() error { _, err := handle.PrepareContext(ctx, "SELECT 1"); return err },
		"read":    func() error { _, err := handle.Read().QueryContext(ctx, "SELECT 1"); return err }, //nolint:rowserrcheck // there are none
		"table":   func() error { _, err := handle.Table("things").Get(ctx); return err },
		"ping":    func() error { return handle.Ping(ctx) },
		"connect": func() error { _, err := r.Connect(ctx, "analitics"); return err },
		"registry": func() error {
			return r.Transaction(ctx, "analitics", func(context.Context, *dbfleet.Tx) error { return nil })
		},
		"raw pool": func() error { return handle.Pool().PingContext(ctx) },
		"replica":  func() error { return handle.ReplicaPool().PingContext(ctx) },
		"remove":   func() error { return r.Remove(ctx, "analitics") },
		"model": func() error {
			_, err := dbfleet.NewModel[thing](r, dbfleet.ModelConfig{Table: "things", Connection: "analitics"})
			return err
		},
	}
	for name, call := range calls {
		var unknown *dbfleet.UnknownConnectionError
		err := call()
		require.ErrorAs(t, err, &unknown, name)
		require.Equal(t, "analitics", unknown.Name, name)
		require.Equal(t, []string{"main", "other"}, unknown.Known, name)
		require.ErrorContains(t, err, `"main", "other"`, name)
	}
	none, err := dbfleet.Open(dbfleet.Config{Connections: map[string]dbfleet.ConnectionConfig{"a": memory, "b": memory}})
	if err == nil { // there is no default: nothing is guessed
		defer none.Close()
		var unknown *dbfleet.UnknownConnectionError
		_, err = none.DB("").Table("things").Get(ctx)
		require.ErrorAs(t, err, &unknown)
	}
	require.Empty(t, counts(), "nothing was sent")
}

// Route and SQL explain without running anything.
func TestRouteAndSQL_ExplainWithoutRunning(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		counts := conformance.Statements(t, fl.Registry)
		m := conformance.Model[thing](t, fl.Registry, dbfleet.ModelConfig{Table: "things"}) // which is not there
		sql, args, err := m.Where("name", "=", "O'Brien").Where("id", ">", 5).SQL(ctx)
		require.NoError(t, err)
		require.Equal(t, map[string]string{
			"sqlite":   `SELECT "id", "name" FROM "things" WHERE "name" = ? AND "id" > ?`,
			"postgres": `SELECT "id", "name" FROM "things" WHERE "name" = $1 AND "id" > $2`,
			"mysql": "SELECT `id`, `name` FROM `things` WHERE (`name` = ? AND (COERCIBILITY(`name`) + (CHARSET(`name`) = 'binary') < 5" +
				" OR CONCAT(`name`) NOT REGEXP '^-?[0-9]+([.][0-9]+)?(e[-+]?[0-9]+)?$')) AND `id` > ?",
		}[fl.Database.Dialect], sql)
		require.Equal(t, []any{"O'Brien", int64(5)}, args)
		_, err = m.Query().Route(ctx)
		require.NoError(t, err)
		require.Empty(t, counts())
		require.Empty(t, fl.Stats(), "no pool was opened")
		_, _, err = m.Where("nmae", "=", 1).SQL(ctx)
		var unknown *dbfleet.UnknownColumnError
		require.ErrorAs(t, err, &unknown)

		require.NoError(t, fl.Transaction(ctx, "main", func(ctx context.Context, tx *dbfleet.Tx) error {
			route, err := m.Query().Route(ctx)
			require.NoError(t, err)
			require.True(t, route.Tx)
			require.Contains(t, route.Reason, "context")
			route, err = m.Using(tx).Query().Route(dbfleet.OutsideTx(ctx))
			require.NoError(t, err)
			require.True(t, route.Tx)
			require.Contains(t, route.Reason, "Using")
			route, err = m.Query().Route(dbfleet.OutsideTx(ctx))
			require.NoError(t, err)
			require.False(t, route.Tx)
			return nil
		}))
	})
}
