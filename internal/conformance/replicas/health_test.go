package replicas

import (
	"context"
	"errors"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// behindProxies is a connection to a database whose replicas are the same server, each
// behind a proxy of its own.
func behindProxies(t *testing.T, db dbtest.Database, n int, change ...func(c *dbfleet.ConnectionConfig)) (*dbfleet.Registry, []*dbtest.Proxy) {
	t.Helper()
	config := conformance.ConnectionTo(db)
	proxies := make([]*dbtest.Proxy, n)
	for i := range proxies {
		proxies[i] = dbtest.NewProxy(t, addressOf(db))
		config.ReadHosts = append(config.ReadHosts, proxies[i].Addr())
	}
	for _, f := range change {
		f(&config)
	}
	return conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config}), proxies
}

func addressOf(db dbtest.Database) string { return net.JoinHostPort(db.Host, strconv.Itoa(db.Port)) }

// changes collects what becomes of the nodes.
type changes struct {
	mu   sync.Mutex
	list []dbfleet.NodeEvent
}

func changesOf(r *dbfleet.Registry) *changes {
	c := &changes{}
	r.OnNodeChange(func(_ context.Context, e dbfleet.NodeEvent) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.list = append(c.list, e)
	})
	return c
}

// of returns what has become of a node, in order.
func (c *changes) of(node string) (to []dbfleet.NodeCondition) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.list {
		if e.Node == node {
			to = append(to, e.To)
		}
	}
	return to
}

// readers read on the replicas until they are stopped.
type readers struct {
	stop  chan struct{}
	group sync.WaitGroup
	reads atomic.Int64

	mu    sync.Mutex
	nodes map[string]int
	slow  time.Duration
	errs  []error
}

func reading(t *testing.T, r *dbfleet.Registry, n int) *readers {
	t.Helper()
	x := &readers{stop: make(chan struct{}), nodes: map[string]int{}}
	for range n {
		x.group.Go(func() {
			for {
				select {
				case <-x.stop:
					return
				default:
					x.read(r)
				}
			}
		})
	}
	t.Cleanup(func() { _ = x.end() })
	return x
}

func (x *readers) read(r *dbfleet.Registry) {
	ctx, cancel := context.WithTimeout(context.Background(), soon)
	defer cancel()
	var route dbfleet.Route
	var one int
	start := time.Now()
	err := r.DB("main").Read().QueryRowContext(dbfleet.WithRoute(ctx, &route), "SELECT 1").Scan(&one)
	took := time.Since(start)
	x.reads.Add(1)
	x.mu.Lock()
	defer x.mu.Unlock()
	x.nodes[route.Node]++
	x.slow = max(x.slow, took)
	if err != nil {
		x.errs = append(x.errs, err)
	}
}

// at is how many reads a node has served.
func (x *readers) at(node string) int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.nodes[node]
}

// requireServes waits until each of the nodes has served so many more reads.
func (x *readers) requireServes(t *testing.T, more int, nodes ...string) {
	t.Helper()
	for _, node := range nodes {
		before := x.at(node)
		require.Eventually(t, func() bool { return x.at(node) >= before+more }, soon, time.Millisecond, node)
	}
}

// slowest is how long the longest read took since the last call.
func (x *readers) slowest() time.Duration {
	x.mu.Lock()
	defer x.mu.Unlock()
	slow := x.slow
	x.slow = 0
	return slow
}

// end stops them, and returns the errors.
func (x *readers) end() []error {
	select {
	case <-x.stop:
	default:
		close(x.stop)
	}
	x.group.Wait()
	return x.errs
}

func stateOf(r *dbfleet.Registry, node string) dbfleet.NodeState {
	for _, n := range r.Nodes() {
		if n.Node == node {
			return n
		}
	}
	return dbfleet.NodeState{}
}

// promise: connections that are reset once are no outage.
func TestHealth_AResetCountsOnceAndCostsNobodyARead(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		// Reads that are slow on a busy machine are no sign of what resets are a sign of.
		r, proxies := behindProxies(t, db, 2, func(c *dbfleet.ConnectionConfig) { neverDoubts(nil, c) })
		seen := changesOf(r)
		x := reading(t, r, 8)
		x.requireServes(t, 1, "main/replica-1", "main/replica-2")
		for range 5 {
			proxies[0].Cut()
			x.requireServes(t, 20, "main/replica-1")
		}
		require.Empty(t, x.end())
		require.NotContains(t, seen.of("main/replica-1"), dbfleet.ConditionEjected)
		require.NotContains(t, seen.of("main/replica-2"), dbfleet.ConditionSuspect)
	})
}

// promise: a replica that is silent holds nobody up for long, and is back when it
// answers.
func TestHealth_ASilentReplicaIsEjectedAndComesBack(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		r, proxies := behindProxies(t, db, 2)
		seen := changesOf(r)
		x := reading(t, r, 8)
		x.requireServes(t, 1, "main/replica-1", "main/replica-2")

		x.slowest()
		lateBy := lateness(t)
		proxies[0].Blackhole()
		silent := time.Now()
		require.Eventually(t, func() bool { return stateOf(r, "main/replica-1").Resting }, soon, time.Millisecond)
		t.Logf("ejected after %v", time.Since(silent))
		x.requireServes(t, 100, "main/replica-2")
		require.NotEmpty(t, stateOf(r, "main/replica-1").LastProblem)
		require.NotZero(t, stateOf(r, "main/replica-1").LastProblemAt)

		proxies[0].Heal()
		back := time.Now()
		x.requireServes(t, 1, "main/replica-1")
		t.Logf("back after %v; the longest read took %v", time.Since(back), x.slowest())
		require.Empty(t, x.end())
		conditions := seen.of("main/replica-1")
		require.Contains(t, conditions, dbfleet.ConditionEjected)
		require.Eventually(t, func() bool { return slices.Contains(seen.of("main/replica-1"), dbfleet.ConditionSlowStart) }, soon, 10*time.Millisecond)
		if lateBy() < tooLate {
			require.NotContains(t, seen.of("main/replica-2"), dbfleet.ConditionEjected)
		}
	})
}

// A replica that refuses is left out within a moment, also while another one is mute.
func TestHealth_AMuteNodeDoesNotHoldUpWhatIsLearnedOfOthers(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		r, proxies := behindProxies(t, db, 3)
		x := reading(t, r, 4)
		x.requireServes(t, 1, "main/replica-1", "main/replica-2", "main/replica-3")
		proxies[0].Blackhole()
		require.Eventually(t, func() bool { return stateOf(r, "main/replica-1").Resting }, soon, 5*time.Millisecond)
		proxies[1].Refuse()
		require.Eventually(t, func() bool { return stateOf(r, "main/replica-2").Resting }, soon, 5*time.Millisecond)
		proxies[1].Heal()
		x.requireServes(t, 1, "main/replica-2")
		require.Empty(t, x.end())
		require.True(t, stateOf(r, "main/replica-1").Resting)
	})
}

// A slow statement says nothing of its node: the node answers when it is asked.
func TestHealth_ASlowStatementDoesNotMakeItsNodeUnfit(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		db.Exec(t, conformance.DDL(db.Dialect, conformance.AccountsTable))
		r, _ := behindProxies(t, db, 1)
		seen, lateBy := changesOf(r), lateness(t)
		locking, err := r.DB("main").Pool().Conn(t.Context())
		require.NoError(t, err)
		locks := map[string][]string{"postgres": {"BEGIN", "LOCK TABLE accounts"}, "mysql": {"LOCK TABLES accounts WRITE"}}
		for _, lock := range locks[db.Dialect] {
			_, err := locking.ExecContext(t.Context(), lock)
			require.NoError(t, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		_, err = r.DB("main").Table("accounts").Get(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NoError(t, locking.Close())
		if lateBy() < tooLate {
			require.NotContains(t, seen.of("main/replica-1"), dbfleet.ConditionEjected)
			require.False(t, stateOf(r, "main/replica-1").Resting)
		}
	})
}

// Nobody reads for a while, and nothing goes wrong: nobody is left out.
func TestHealth_IdlenessEjectsNobody(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		r, proxies := behindProxies(t, db, 2, func(c *dbfleet.ConnectionConfig) { c.Reads.ProbeInterval = 20 * time.Millisecond })
		seen, lateBy := changesOf(r), lateness(t)
		require.NoError(t, r.DB("main").Read().Ping(t.Context()))
		<-time.After(3 * time.Second)
		if lateBy() < tooLate {
			require.NotContains(t, seen.of("main/replica-1"), dbfleet.ConditionEjected)
			require.NotContains(t, seen.of("main/replica-2"), dbfleet.ConditionEjected)
		}
		require.Eventually(t, func() bool { return proxies[1].Open() <= 2 }, soon, 10*time.Millisecond, "one connection for questions, and one for reads")
	})
}

// A hook that blocks holds up the later events, and nothing else.
func TestHealth_AHookThatBlocksDoesNotHoldUpTheWatch(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		r, proxies := behindProxies(t, db, 2)
		let, stuck := make(chan struct{}), make(chan struct{})
		var once sync.Once
		remove := r.DB("main").OnNodeChange(func(context.Context, dbfleet.NodeEvent) {
			once.Do(func() { close(stuck) })
			<-let
		})
		require.NoError(t, r.DB("main").Read().Ping(t.Context()))
		<-stuck
		proxies[0].Refuse()
		require.Eventually(t, func() bool { return stateOf(r, "main/replica-1").Resting }, soon, 5*time.Millisecond)
		proxies[0].Heal()
		require.Eventually(t, func() bool { return !stateOf(r, "main/replica-1").Resting }, soon, 5*time.Millisecond)
		close(let)
		remove()
	})
}

// promise: who closes with a bound is back at the bound, whatever hangs.
func TestHealth_ShutdownCutsOffWhatHangsAndWhatRuns(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		for name, hang := range map[string]func(primary *dbtest.Proxy) string{
			"a silent primary": func(p *dbtest.Proxy) string { p.Blackhole(); return "SELECT 1" },
			"slow statements":  func(*dbtest.Proxy) string { return conformance.Slow(db.Dialect) },
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				replica, primary := dbtest.NewProxy(t, addressOf(db)), dbtest.NewProxy(t, addressOf(db))
				config := conformance.ConnectionTo(primary.Through(db))
				config.ReadHosts = []string{replica.Addr()}
				if db.Dialect == "postgres" { // which may not be told within half a second that it works for nobody
					config.Params = map[string]string{"client_connection_check_interval": "100ms"}
				}
				r, err := dbfleet.Open(dbfleet.Config{Connections: map[string]dbfleet.ConnectionConfig{"main": config}})
				require.NoError(t, err)
				require.NoError(t, r.DB("main").Ping(t.Context()))
				query := hang(primary)
				errs := make(chan error)
				for range 4 {
					go func() { _, err := r.DB("main").ExecContext(context.Background(), query); errs <- err }()
				}
				go func() {
					errs <- r.Transaction(context.Background(), "main", func(ctx context.Context, tx *dbfleet.Tx) error {
						_, err := tx.ExecContext(ctx, query)
						return err
					})
				}()
				require.Eventually(t, func() bool { return r.Stats()["main"].OpenConnections >= 4 }, soon, time.Millisecond)
				ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
				defer cancel()
				start := time.Now()
				require.ErrorIs(t, r.Shutdown(ctx), context.DeadlineExceeded)
				for range 5 {
					require.Error(t, <-errs)
				}
				require.Less(t, time.Since(start), soon)
				t.Logf("over after %v", time.Since(start))
			})
		}
	})
}

// promise: all connections of a replica's pool are in use, and it is well.
func TestHealth_ABusyReplicaIsUp(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		r, proxies := behindProxies(t, db, 1, func(c *dbfleet.ConnectionConfig) { c.ReadPool = &dbfleet.PoolConfig{MaxOpen: 1} })
		rows, err := r.DB("main").Read().QueryContext(t.Context(), "SELECT 1 UNION ALL SELECT 2")
		require.NoError(t, err)
		h := r.Health(t.Context()).Connections["main"]
		require.Equal(t, dbfleet.Healthy, h.Status)
		require.True(t, h.Nodes[1].Up)
		require.Equal(t, dbfleet.ProblemPool, h.Nodes[1].Problem)
		require.NoError(t, errors.Join(rows.Close(), rows.Err()))

		proxies[0].Blackhole()
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second) // the primary has as long
		defer cancel()
		h = r.Health(ctx).Connections["main"]
		require.Equal(t, dbfleet.Degraded, h.Status)
		require.False(t, h.Nodes[1].Up)
		require.True(t, h.Nodes[0].Up)
	})
}

// A primary that does not answer is told as a replica is, with the reason, and when it is back.
func TestHealth_APrimaryThatDoesNotAnswerIsTold(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		primary := dbtest.NewProxy(t, addressOf(db))
		config := conformance.ConnectionTo(primary.Through(db))
		config.ReadHosts = []string{addressOf(db)}
		steady(&config)
		r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config})
		seen := changesOf(r)
		require.NoError(t, r.DB("main").Ping(t.Context()))
		require.Eventually(t, func() bool { return stateOf(r, "main").State == dbfleet.ConditionHealthy }, soon, time.Millisecond)
		primary.Refuse()
		require.Eventually(t, func() bool { return slices.Contains(seen.of("main"), dbfleet.ConditionEjected) }, soon, time.Millisecond)
		n := stateOf(r, "main")
		require.Equal(t, dbfleet.ConditionEjected, n.State)
		require.NotEmpty(t, n.LastProblem)
		require.WithinDuration(t, time.Now(), n.LastProblemAt, soon)
		require.NoError(t, r.DB("main").Read().Ping(t.Context()), "the replica answers")
		primary.Heal()
		require.Eventually(t, func() bool {
			to := seen.of("main")
			return to[len(to)-1] == dbfleet.ConditionHealthy
		}, soon, time.Millisecond)
		require.Equal(t, dbfleet.ConditionHealthy, stateOf(r, "main").State)
		require.NoError(t, r.DB("main").Ping(t.Context()))
	})
}
