package replicas

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// settles waits until reads are served by those nodes in equal parts, and none fails.
func (fl *fleet) settles(t *testing.T, nodes ...string) {
	t.Helper()
	var served map[string]int
	for end := time.Now().Add(soon); time.Now().Before(end); {
		served = fl.reads(t, 10*len(nodes))
		if !slices.ContainsFunc(nodes, func(node string) bool { return served[node] != 10 }) {
			return
		}
	}
	require.Failf(t, "reads are not served in equal parts", "%v", served)
}

// promise: a replica to which no connection can be made, with whatever code, is left out,
// and no read fails.
func TestRead_GoesElsewhereWhereNoConnectionCanBeMade(t *testing.T) {
	t.Parallel()
	onFleets(t, nil, func(t *testing.T, fl *fleet) {
		// Another server takes the replica's place, which knows neither account nor database.
		stranger := dbtest.NewProxy(t, dbtest.New(t, fl.db.Dialect).Server.Addr())
		config := conformance.ConnectionTo(fl.db)
		config.ReadHosts = []string{stranger.Addr(), fl.proxies[1].Addr()}
		steady(&config)
		fl.Registry = conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config})
		served := fl.reads(t, 40)
		require.Equal(t, map[string]int{"main/replica-2": 40}, served)
		fl.settles(t, "main/replica-2")
		// One that asks for it alone is told why it cannot be had.
		_, err := fl.DB("main").Table("t").OnReplica("replica-1").Get(t.Context())
		var failed *dbfleet.QueryError
		require.ErrorAs(t, err, &failed)
		require.Equal(t, "main/replica-1", failed.Node)
		require.NotEmpty(t, failed.Code)
	})
}

// promise: a statement above StatementTimeout is not run elsewhere, and takes no replica out.
func TestRead_ThatTakesTooLongRunsOnce(t *testing.T) {
	t.Parallel()
	onFleets(t, func(c *dbfleet.ConnectionConfig) {
		// It is doubted, and asked, while the statement runs, and has time for its answer beside that.
		c.StatementTimeout, c.Reads.MinWait, c.Reads.MaxWait = 5*time.Second, 2*time.Second, 2*time.Second
	}, func(t *testing.T, fl *fleet) {
		fl.settles(t, "main/replica-1", "main/replica-2")
		slow := "SELECT COUNT(*) AS n FROM generate_series(1, 50000) AS a, generate_series(1, 50000) AS b"
		if fl.db.Dialect == "mysql" {
			slow = "SELECT COUNT(*) AS n FROM seq_1_to_2000000000 WHERE seq % 3 = 7"
		}
		fl.seen.take()
		_, err := dbfleet.Select[int64](t.Context(), fl.DB("main").Read(), slow)
		require.ErrorIs(t, err, dbfleet.ErrTimeout)
		require.Len(t, fl.seen.take(), 1)
		// A caller without time left says nothing about a node either.
		for range 6 {
			short, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
			_, err = dbfleet.Select[int64](short, fl.DB("main").Read(), slow)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			cancel()
		}
		require.LessOrEqual(t, len(fl.seen.take()), 6)
		fl.settles(t, "main/replica-1", "main/replica-2")
	})
}

// promise: a silent replica costs no read, also of callers without a deadline, and it is
// back within a second of its return.
func TestRead_DoesNotWaitForTheDead(t *testing.T) {
	t.Parallel()
	onFleets(t, nil, func(t *testing.T, fl *fleet) {
		fl.settles(t, "main/replica-1", "main/replica-2")
		var readers sync.WaitGroup
		stop := make(chan struct{})
		errs := make(chan error, 16)
		served := make([]atomic.Int64, 16)
		for i := range served {
			readers.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					if err := fl.read(context.Background()); err != nil {
						errs <- err
						return
					}
					served[i].Add(1)
				}
			})
		}
		defer readers.Wait()
		defer close(stop)
		goOn := func() { // each of the readers
			t.Helper()
			before := make([]int64, len(served))
			for i := range served {
				before[i] = served[i].Load()
			}
			require.Eventually(t, func() bool {
				for i := range served {
					if served[i].Load() < before[i]+20 {
						return false
					}
				}
				return true
			}, soon, 10*time.Millisecond)
		}
		isServing := func(node string) bool {
			fl.seen.take()
			goOn()
			return slices.ContainsFunc(fl.seen.take(), func(e dbfleet.QueryEvent) bool { return e.Route.Node == node && e.Err == nil })
		}
		require.True(t, isServing("main/replica-1"))
		fl.proxies[0].Blackhole()
		goOn()
		require.False(t, isServing("main/replica-1"))
		fl.proxies[0].Heal()
		require.Eventually(t, func() bool { return isServing("main/replica-1") }, soon, time.Millisecond)
		select {
		case err := <-errs:
			require.NoError(t, err)
		default:
		}
	})
}

// promise: whoever might answer is asked before an error.
func TestRead_AsksReplicasThatAreLeftOutBeforeItFails(t *testing.T) {
	t.Parallel()
	onFleets(t, nil, func(t *testing.T, fl *fleet) {
		for _, p := range append(fl.proxies, fl.primary) {
			p.Refuse()
		}
		require.ErrorIs(t, fl.read(t.Context()), dbfleet.ErrConnection)
		left := func() bool {
			for _, n := range fl.Nodes()[1:] {
				if !n.Resting {
					return false
				}
			}
			return true
		}
		require.Eventually(t, left, soon, time.Millisecond)
		fl.seen.take()
		for _, p := range fl.proxies {
			p.Heal()
		}
		require.NoError(t, fl.read(t.Context()), "at once, without waiting for anybody to find out")
		events := fl.seen.take()
		require.Equal(t, dbfleet.RoleReplica, events[len(events)-1].Route.Role)
		for range 20 {
			require.NoError(t, fl.read(t.Context()))
		}
	})
}

// promise: the share of a missing node is spread over the others, and explaining a route
// takes nobody's turn.
func TestRead_SpreadsTheShareOfAMissingNode(t *testing.T) {
	t.Parallel()
	c := dbtest.PostgresCluster(t, 1)
	db := c.Database(t)
	db.Exec(t, "CREATE TABLE t (id INT)")
	c.WaitCaughtUp(t)
	config := conformance.ConnectionTo(db)
	gone := dbtest.NewProxy(t, c.Replicas[0].Addr())
	config.ReadHosts = []string{c.Replicas[0].Addr(), gone.Addr(), dbtest.NewProxy(t, c.Replicas[0].Addr()).Addr()}
	steady(&config)
	fl := &fleet{Registry: conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config})}
	fl.settles(t, "main/replica-1", "main/replica-2", "main/replica-3")
	gone.Refuse()
	served := fl.reads(t, 60)
	require.Zero(t, served["main/replica-2"])
	require.InDelta(t, 30, served["main/replica-1"], 2, "%v", served)
	fl.settles(t, "main/replica-1", "main/replica-3")
	for range 20 { // nor is the pool of one that is known to be gone lent
		require.NoError(t, fl.DB("main").ReplicaPool().PingContext(t.Context()))
	}
	for range 20 {
		route, err := fl.DB("main").Table("t").Route(t.Context())
		require.NoError(t, err)
		again, err := fl.DB("main").Table("t").Route(t.Context())
		require.NoError(t, err)
		require.Equal(t, route, again)
		var taken dbfleet.Route
		require.NoError(t, fl.read(dbfleet.WithRoute(t.Context(), &taken)))
		require.Equal(t, route, taken, "it goes where Route has said")
	}
}

// promise: a read that a standby cancels to go on replaying is answered elsewhere.
func TestRead_GoesElsewhereFromARecoveryConflict(t *testing.T) {
	t.Parallel()
	c := dbtest.PostgresCluster(t, 2, "max_standby_streaming_delay=0")
	db := c.Database(t)
	db.Exec(t, "CREATE TABLE t (id INT)", "INSERT INTO t VALUES (1)")
	c.WaitCaughtUp(t)
	config := conformance.ConnectionTo(db)
	config.ReadHosts = []string{c.Replicas[0].Addr(), c.Replicas[1].Addr()}
	steady(&config) // the slow ones leave the servers little of this machine
	fl := &fleet{Registry: conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config}), cluster: c, db: db, seen: &seen{}}
	fl.settles(t, "main/replica-1", "main/replica-2")
	fl.OnAfterQuery(fl.seen.add)
	// Ended by the first conflict, so it takes what is locked meanwhile.
	many := fmt.Sprintf("generate_series(1, CASE WHEN inet_server_port() = %d THEN 50000 ELSE 1 END)", c.Replicas[0].Port)
	slow := "SELECT COUNT(*) AS n FROM t, " + many + " AS a, " + many + " AS b"
	answer := make(chan error, 2)
	for range 2 { // one of which begins there
		go func() {
			n, err := dbfleet.Select[int64](context.Background(), fl.DB("main").Read(), slow)
			if err == nil && (len(n) != 1 || n[0] != 1) {
				err = fmt.Errorf("answered %v", n)
			}
			answer <- err
		}()
	}
	require.Eventually(t, func() bool { return running(t, fl, 0) == 1 }, soon, 10*time.Millisecond)
	db.Exec(t, "ALTER TABLE t ADD COLUMN more INT")
	for range 2 {
		require.NoError(t, <-answer)
	}
	conflicts := 0
	for _, e := range fl.seen.take() {
		if e.Err != nil {
			require.ErrorIs(t, e.Err, dbfleet.ErrSerialization)
			conflicts++
		}
	}
	require.Equal(t, 1, conflicts)
	fl.settles(t, "main/replica-1", "main/replica-2")
}
