package connections

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// onClusters runs f on a primary with two replicas of each server.
func onClusters(t *testing.T, f func(t *testing.T, c *dbtest.Cluster)) {
	t.Helper()
	for _, start := range []struct {
		name string
		run  func(testing.TB, int, ...string) *dbtest.Cluster
	}{{"postgres", dbtest.PostgresCluster}, {"mysql", dbtest.MariaDBCluster}} {
		t.Run(start.name, func(t *testing.T) {
			t.Parallel()
			f(t, start.run(t, 2))
		})
	}
}

// seenNodes counts the nodes that answered, by the hooks.
type seenNodes struct {
	mu    sync.Mutex
	list  []string
	roles map[dbfleet.Role]int
}

func watchNodes(r *dbfleet.Registry) *seenNodes {
	s := &seenNodes{roles: map[dbfleet.Role]int{}}
	r.OnAfterQuery(func(_ context.Context, e dbfleet.QueryEvent) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.list = append(s.list, e.Route.Node)
		s.roles[e.Route.Role]++
	})
	return s
}

// take returns the nodes since the last take.
func (s *seenNodes) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.list
	s.list = nil
	return out
}

// promises 21, 22, 23.
func TestReplicas(t *testing.T) {
	t.Parallel()
	onClusters(t, func(t *testing.T, c *dbtest.Cluster) {
		db := c.Database(t)
		db.Exec(t, conformance.DDL(db.Dialect, conformance.AccountsTable), conformance.Inserting("seed"))
		c.WaitCaughtUp(t)
		// Three replicas on two servers; the first is behind a proxy.
		proxy := dbtest.NewProxy(t, c.Replicas[0].Addr())
		config := conformance.ConnectionTo(db)
		config.ReadHosts = []string{proxy.Addr(), c.Replicas[1].Addr(), c.Replicas[0].Addr()}
		// A frozen replica is found within about twice that, and a machine that stands still
		// does it for less.
		const patience = 2 * time.Second
		config.Reads.MinWait, config.Reads.MaxWait = patience, patience
		config.ConnectTimeout, config.StatementTimeout = 2*patience, time.Minute
		r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config})
		accounts := conformance.Model[conformance.Account](t, r, dbfleet.ModelConfig{Table: "accounts"})
		nodes := watchNodes(r)
		h := r.DB("main")
		ctx := t.Context()
		read := func() {
			t.Helper()
			_, err := accounts.Get(ctx)
			require.NoError(t, err)
		}
		inTurn := []string{"main/replica-1", "main/replica-2", "main/replica-3", "main/replica-1", "main/replica-2", "main/replica-3"}

		t.Run("reads in turn", func(t *testing.T) {
			for range 6 {
				read()
			}
			require.Equal(t, inTurn, nodes.take())
			// Every way of reading takes its turn.
			_, err := accounts.Count(ctx)
			require.NoError(t, err)
			_, err = accounts.Query().Exists(ctx)
			require.NoError(t, err)
			for _, err := range accounts.Query().Iter(ctx) {
				require.NoError(t, err)
			}
			_, err = h.Table("accounts").Get(ctx)
			require.NoError(t, err)
			require.NoError(t, h.Read().QueryRowContext(ctx, "SELECT COUNT(*) FROM accounts").Scan(new(int)))
			rows, err := h.Read().QueryContext(ctx, "SELECT owner FROM accounts")
			require.NoError(t, err)
			require.NoError(t, rows.Close())
			require.Equal(t, inTurn, nodes.take())
		})

		t.Run("everything else on the primary", func(t *testing.T) {
			n := 0
			run := func(err error) { t.Helper(); require.NoError(t, err); n++ }
			a := conformance.Account{Owner: "a"}
			run(accounts.Create(ctx, &a))
			run(accounts.Save(ctx, &a))
			_, err := accounts.Where("id", "=", a.ID).Increment(ctx, "balance", 1)
			run(err)
			_, err = accounts.Primary().Get(ctx)
			run(err)
			_, err = h.Primary().Table("accounts").Get(ctx)
			run(err)
			run(h.Read().Primary().QueryRowContext(ctx, "SELECT COUNT(*) FROM accounts").Scan(new(int)))
			fresh := dbfleet.ReadPrimary(ctx)
			_, err = accounts.Get(fresh)
			run(err)
			run(h.Read().QueryRowContext(fresh, "SELECT COUNT(*) FROM accounts").Scan(new(int)))
			_, err = h.Read().Table("accounts").Count(fresh)
			run(err)
			run(h.QueryRowContext(ctx, "SELECT COUNT(*) FROM accounts").Scan(&n))
			run(r.Transaction(ctx, "", func(ctx context.Context, _ *dbfleet.Tx) error {
				_, err = accounts.Where("id", "=", a.ID).ForUpdate().Get(ctx)
				run(err)
				_, err = accounts.Where("id", "=", a.ID).ForShare().Get(ctx)
				return err
			}))
			run(r.Transaction(ctx, "", func(ctx context.Context, _ *dbfleet.Tx) error {
				read := func() { _, err := accounts.Get(ctx); require.NoError(t, err) }
				read()
				read()
				return h.Read().QueryRowContext(ctx, "SELECT COUNT(*) FROM accounts").Scan(new(int))
			}))
			run(accounts.Delete(ctx, &a))
			for _, node := range nodes.take() {
				require.Equal(t, "main", node)
			}
		})

		t.Run("a handle for reads does not write", func(t *testing.T) {
			reader := h.Read()
			_, err := reader.ExecContext(ctx, conformance.Inserting("x"))
			require.ErrorIs(t, err, dbfleet.ErrReadHandle)
			_, err = reader.PrepareContext(ctx, "SELECT 1")
			require.ErrorIs(t, err, dbfleet.ErrReadHandle)
			require.ErrorIs(t, reader.Transaction(ctx, func(context.Context, *dbfleet.Tx) error { return nil }), dbfleet.ErrReadHandle)
			_, err = reader.Table("accounts").Insert(ctx, map[string]any{"owner": "x", "balance": 1})
			require.ErrorIs(t, err, dbfleet.ErrReadHandle)
			require.Empty(t, nodes.take())
			// What hides its write in a query is refused by the server.
			for range 3 {
				rows, err := reader.QueryContext(ctx, conformance.Inserting("x")+" RETURNING id")
				if err == nil {
					for rows.Next() {
					}
					err = rows.Err()
					_ = rows.Close()
				}
				require.Error(t, err)
			}
			_, err = h.ReplicaPool().ExecContext(ctx, conformance.Inserting("x"))
			require.Error(t, err)
			// hazard 208: so is a write to a replica that is taken for a primary, with
			// the server's own message.
			alone := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"alone": conformance.ConnectionTo(db.On(c.Replicas[0]))})
			mistaken := conformance.Model[conformance.Account](t, alone, dbfleet.ModelConfig{Table: "accounts", Connection: "alone"})
			err = mistaken.Create(ctx, &conformance.Account{Owner: "x"})
			require.ErrorIs(t, err, dbfleet.ErrReadOnly)
			require.ErrorContains(t, err, "read-only")
			require.NotErrorIs(t, err, dbfleet.ErrOutcomeUnknown)
			require.NoError(t, alone.Close())
			require.Equal(t, 1, conformance.Counted(t, db, "SELECT COUNT(*) FROM accounts"))
			nodes.take()
		})

		t.Run("Route tells why", func(t *testing.T) {
			route := func(q *dbfleet.Query[conformance.Account], ctx context.Context) dbfleet.Route {
				route, err := q.Route(ctx)
				require.NoError(t, err)
				require.Equal(t, "main", route.Connection)
				return route
			}
			got := route(accounts.Query(), ctx)
			require.Equal(t, dbfleet.RoleReplica, got.Role)
			require.Contains(t, got.Reason, "in turn")
			got = route(accounts.Query().Primary(), ctx)
			require.Equal(t, dbfleet.RolePrimary, got.Role)
			require.Equal(t, "main", got.Node)
			require.Contains(t, got.Reason, "asked for")
			require.NoError(t, r.Transaction(ctx, "", func(ctx context.Context, tx *dbfleet.Tx) error {
				got := route(accounts.Query(), ctx)
				require.True(t, got.Tx)
				require.Contains(t, got.Reason, "transaction in the context")
				require.Contains(t, route(accounts.Query().Using(tx), t.Context()).Reason, "Using")
				return nil
			}))
			nodes.take()
		})

		t.Run("an error of the statement is no failure of the node", func(t *testing.T) {
			for range 6 {
				_, err := h.Read().QueryContext(ctx, "SELECT no_such_column FROM accounts")
				require.ErrorIs(t, err, dbfleet.ErrUndefined)
			}
			short, cancel := context.WithCancel(ctx)
			cancel()
			_, err := accounts.Get(short)
			require.ErrorIs(t, err, context.Canceled)
			nodes.take()
			got := map[string]int{}
			for range 6 {
				read()
			}
			for _, node := range nodes.take() {
				got[node]++
			}
			require.Equal(t, map[string]int{"main/replica-1": 2, "main/replica-2": 2, "main/replica-3": 2}, got)
		})

		// hazard 221
		t.Run("a replica that refuses is left out until its rest is over", func(t *testing.T) {
			proxy.Refuse()
			for range 9 {
				read()
			}
			served := strings.Join(nodes.take(), " ")
			require.LessOrEqual(t, strings.Count(served, "main/replica-1"), 1, "asked at most once: %s", served)
			require.NotContains(t, served+" ", "main ", "others serve, not the primary")
			health := r.Health(ctx)
			require.Equal(t, dbfleet.Degraded, health.Status)
			require.Equal(t, []bool{true, false, true, true}, ups(health.Connections["main"]))
			proxy.Heal()
			back := func() bool {
				read()
				return strings.Contains(strings.Join(nodes.take(), " "), "main/replica-1")
			}
			require.Eventually(t, back, 20*time.Second, 20*time.Millisecond)
			require.Equal(t, dbfleet.Healthy, r.Health(ctx).Status)
		})

		t.Run("a frozen replica costs its timeout once", func(t *testing.T) {
			require.Eventually(t, func() bool { read(); return len(nodes.take()) == 1 }, 20*time.Second, time.Millisecond)
			proxy.Blackhole()
			start := time.Now()
			for range 12 { // four turns of each
				read()
			}
			require.Less(t, time.Since(start), 5*patience)
			require.NotContains(t, strings.Join(nodes.take(), " ")+" ", "main ")
			proxy.Heal()
		})

		t.Run("without replicas the primary serves", func(t *testing.T) {
			for _, s := range c.Replicas {
				s.Kill(t)
			}
			for range 3 { // what is lent is not asked elsewhere, so it must be known
				read()
				require.NoError(t, h.Read().QueryRowContext(ctx, "SELECT COUNT(*) FROM accounts").Scan(new(int)))
			}
			require.Eventually(t, func() bool {
				resting := 0
				for _, n := range r.Nodes() {
					if n.Resting {
						resting++
					}
				}
				return resting == 3
			}, 30*time.Second, 5*time.Millisecond)
			for range 3 {
				read()
				var n int
				require.NoError(t, h.ReplicaPool().QueryRowContext(ctx, "SELECT COUNT(*) FROM accounts").Scan(&n))
			}
			all := nodes.take()
			require.Equal(t, "main", all[len(all)-1])
			route, err := accounts.Query().Route(ctx)
			require.NoError(t, err)
			require.Equal(t, "main", route.Node)
			require.Contains(t, route.Reason, "no replica is fit")
			health := r.Health(ctx)
			require.Equal(t, dbfleet.Degraded, health.Status)
			require.Equal(t, []bool{true, false, false, false}, ups(health.Connections["main"]))
			for _, s := range c.Replicas {
				s.Start(t)
			}
			require.Eventually(t, func() bool {
				read()
				return strings.Contains(strings.Join(nodes.take(), " "), "main/replica")
			}, 30*time.Second, 20*time.Millisecond)
		})

		t.Run("reads go on without the primary", func(t *testing.T) {
			require.Eventually(t, func() bool { return r.Health(ctx).Status == dbfleet.Healthy }, 30*time.Second, 50*time.Millisecond)
			c.Primary.Kill(t)
			nodes.take()
			for range 6 {
				read()
			}
			// The first may find out that the primary helps its replicas no more.
			require.LessOrEqual(t, strings.Count(strings.Join(nodes.take(), " ")+" ", "main "), 1)
			err := accounts.Create(ctx, &conformance.Account{Owner: "nobody takes it"})
			require.ErrorIs(t, err, dbfleet.ErrConnection)
			health := r.Health(ctx)
			require.Equal(t, dbfleet.Unhealthy, health.Connections["main"].Status)
			c.Primary.Start(t)
			require.Eventually(t, func() bool { return h.Ping(ctx) == nil }, 20*time.Second, 20*time.Millisecond)
			require.NoError(t, accounts.Create(ctx, &conformance.Account{Owner: "taken"}))
		})
	})
}

func ups(c dbfleet.ConnectionHealth) []bool {
	var out []bool
	for _, n := range c.Nodes {
		out = append(out, n.Up)
	}
	return out
}
