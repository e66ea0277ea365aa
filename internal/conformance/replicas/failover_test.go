package replicas

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// soon bounds what should take a second, on a machine that may be busy.
const soon = 20 * time.Second

// onClusters runs f on a primary with replicas of each server.
func onClusters(t *testing.T, replicas int, f func(t *testing.T, c *dbtest.Cluster)) {
	t.Helper()
	for _, dialect := range conformance.ClustersOf(t) {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			f(t, conformance.StartCluster(t, dialect, replicas))
		})
	}
}

// bankOn makes the accounts' table on a cluster.
func bankOn(t *testing.T, c *dbtest.Cluster) (dbtest.Database, dbfleet.ConnectionConfig) {
	t.Helper()
	db := c.Database(t)
	db.Exec(t, conformance.DDL(db.Dialect, conformance.AccountsTable), conformance.Inserting("seed"))
	c.WaitCaughtUp(t)
	config := conformance.ConnectionTo(db)
	config.ConnectTimeout = 2 * time.Second
	for _, r := range c.Replicas {
		config.ReadHosts = append(config.ReadHosts, r.Addr())
	}
	return db, config
}

// load writes accounts until it is stopped, and knows what became of each.
type load struct {
	accounts *dbfleet.Model[conformance.Account]
	stop     chan struct{}
	group    sync.WaitGroup

	mu      sync.Mutex
	acked   map[string]time.Time
	unknown map[string]bool
	errs    map[string]int
	number  atomic.Int64
}

func writing(t *testing.T, accounts *dbfleet.Model[conformance.Account], writers int) *load {
	t.Helper()
	l := &load{accounts: accounts, stop: make(chan struct{}), acked: map[string]time.Time{}, unknown: map[string]bool{}, errs: map[string]int{}}
	for range writers {
		l.group.Go(func() {
			for {
				select {
				case <-l.stop:
					return
				default:
					l.write()
				}
			}
		})
	}
	t.Cleanup(l.end)
	return l
}

func (l *load) write() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	owner := fmt.Sprintf("w%d", l.number.Add(1))
	err := l.accounts.Create(ctx, &conformance.Account{Owner: owner})
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err == nil:
		l.acked[owner] = time.Now()
	case errors.Is(err, dbfleet.ErrOutcomeUnknown):
		l.unknown[owner] = true
	default:
		l.errs[err.Error()]++
	}
}

func (l *load) end() {
	select {
	case <-l.stop:
	default:
		close(l.stop)
	}
	l.group.Wait()
}

// since is how many writes were acknowledged after a time.
func (l *load) since(t time.Time) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, at := range l.acked {
		if at.After(t) {
			n++
		}
	}
	return n
}

// requireAllOn checks that every acknowledged write is on a server.
func (l *load) requireAllOn(t *testing.T, db dbtest.Database) {
	t.Helper()
	l.end()
	there := map[string]bool{}
	for _, owner := range conformance.Owners(t, db) {
		there[owner] = true
	}
	lost := 0
	for owner := range l.acked {
		if !there[owner] {
			lost++
		}
	}
	require.Zero(t, lost, "of %d acknowledged writes; unknown %d, errors %v", len(l.acked), len(l.unknown), l.errs)
}

// The primary is stopped in good order, a replica that has all is promoted: writes go on
// there, and every acknowledged one is there.
func TestFailover_FollowsAPlannedPromotion(t *testing.T) {
	t.Parallel()
	onClusters(t, 2, func(t *testing.T, c *dbtest.Cluster) {
		db, config := bankOn(t, c)
		r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config})
		accounts := conformance.Model[conformance.Account](t, r, dbfleet.ModelConfig{Table: "accounts"})
		turned := make(chan dbfleet.NodeEvent, 1024)
		r.OnNodeChange(func(_ context.Context, e dbfleet.NodeEvent) {
			if e.To == dbfleet.ConditionPromoted || e.To == dbfleet.ConditionDemoted {
				turned <- e
			}
		})
		l := writing(t, accounts, 4)
		require.Eventually(t, func() bool { return l.since(time.Time{}) > 50 }, soon, 10*time.Millisecond)

		heir := c.Replicas[0]
		lastWord := demote(t, c, heir)
		c.Promote(t, heir)
		promoted := time.Now()
		require.Eventually(t, func() bool { return l.since(promoted) > 50 }, soon, 5*time.Millisecond, "%v", l.errs)
		lastWord()
		l.requireAllOn(t, db.On(heir))

		route, err := accounts.Query().Route(t.Context())
		require.NoError(t, err)
		require.NotEqual(t, "main/replica-1", route.Node, "the primary is no replica any more: %v", route)
		wrote := dbfleet.Route{}
		require.NoError(t, accounts.Create(dbfleet.WithRoute(t.Context(), &wrote), &conformance.Account{Owner: "after"}))
		require.Equal(t, "main/replica-1", wrote.Node)
		require.Equal(t, dbfleet.RolePrimary, wrote.Role)

		require.Eventually(t, func() bool { return len(turned) >= 2 }, soon, 10*time.Millisecond)
		first, second := <-turned, <-turned
		require.Equal(t, []any{"main", dbfleet.ConditionDemoted, dbfleet.RoleReplica}, []any{first.Node, first.To, first.Role})
		require.Equal(t, []any{"main/replica-1", dbfleet.ConditionPromoted, dbfleet.RolePrimary}, []any{second.Node, second.To, second.Role})
		require.Empty(t, turned, "each is told once")
	})
}

// demote takes the primary's writes away in good order, as a planned promotion does, and
// waits until heir has all that was written.
func demote(t *testing.T, c *dbtest.Cluster, heir *dbtest.Server) (after func()) {
	t.Helper()
	if c.Primary.Admin() != nil && heirIsMariaDB(heir) {
		c.Primary.Exec(t, "SET GLOBAL read_only = 1")
		c.WaitCaughtUp(t, heir)
		return func() {}
	}
	// PostgreSQL ships all before a standby's sender ends.
	c.Primary.Stop(t)
	return func() {}
}

func heirIsMariaDB(s *dbtest.Server) bool {
	var version string
	return s.Admin().QueryRow("SELECT @@version_comment").Scan(&version) == nil
}

// The primary dies, a replica is promoted: writes go on there. What was acknowledged and
// had reached the replica is there; nothing is written elsewhere.
func TestFailover_FollowsThePromotionAfterADeath(t *testing.T) {
	t.Parallel()
	onClusters(t, 2, func(t *testing.T, c *dbtest.Cluster) {
		db, config := bankOn(t, c)
		r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config})
		accounts := conformance.Model[conformance.Account](t, r, dbfleet.ModelConfig{Table: "accounts"})
		require.NoError(t, accounts.Create(t.Context(), &conformance.Account{Owner: "before"}))
		c.WaitCaughtUp(t)

		c.Primary.Kill(t)
		err := accounts.Create(t.Context(), &conformance.Account{Owner: "meanwhile"})
		require.ErrorIs(t, err, dbfleet.ErrConnection)
		_, err = accounts.Get(t.Context())
		require.NoError(t, err, "replicas serve reads")

		heir := c.Replicas[1]
		c.Promote(t, heir)
		l := writing(t, accounts, 4)
		require.Eventually(t, func() bool { return l.since(time.Time{}) > 50 }, soon, 5*time.Millisecond, "%v", l.errs)
		l.requireAllOn(t, db.On(heir))
		require.Contains(t, conformance.Owners(t, db.On(heir)), "before")

		// In a transaction too, and with what it reads.
		require.NoError(t, r.Transaction(t.Context(), "main", func(ctx context.Context, tx *dbfleet.Tx) error {
			return accounts.Create(ctx, &conformance.Account{Owner: "in a transaction"})
		}))
		require.Contains(t, conformance.Owners(t, db.On(heir)), "in a transaction")
	})
}

// A replica is promoted while the primary takes writes still: nobody chooses between the
// two, and what is left in the end is followed.
func TestFailover_RefusesToChooseBetweenTwoPrimaries(t *testing.T) {
	t.Parallel()
	onClusters(t, 1, func(t *testing.T, c *dbtest.Cluster) {
		db, config := bankOn(t, c)
		r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config})
		accounts := conformance.Model[conformance.Account](t, r, dbfleet.ModelConfig{Table: "accounts"})
		_, err := accounts.Get(t.Context())
		require.NoError(t, err)
		require.Eventually(t, func() bool { return r.Nodes()[1].State == dbfleet.ConditionHealthy }, soon, 10*time.Millisecond)

		told := make(chan dbfleet.NodeEvent, 16)
		r.OnNodeChange(func(_ context.Context, e dbfleet.NodeEvent) {
			if e.To == dbfleet.ConditionTwoPrimaries {
				told <- e
			}
		})
		// A transaction that was begun before it is known does not commit after.
		err = r.Transaction(t.Context(), "main", func(ctx context.Context, _ *dbfleet.Tx) error {
			require.NoError(t, accounts.Create(ctx, &conformance.Account{Owner: "lost in a transaction"}))
			c.Promote(t, c.Replicas[0])
			outside := dbfleet.OutsideTx(ctx)
			require.Eventually(t, func() bool {
				return errors.Is(accounts.Create(outside, &conformance.Account{Owner: "before it is known"}), dbfleet.ErrTwoPrimaries)
			}, soon, 20*time.Millisecond)
			return nil
		})
		require.ErrorIs(t, err, dbfleet.ErrTwoPrimaries)
		require.NotContains(t, conformance.Owners(t, db), "lost in a transaction")
		require.ElementsMatch(t, []string{"main", "main/replica-1"}, []string{(<-told).Node, (<-told).Node})
		health := r.Health(t.Context())
		require.NotEqual(t, dbfleet.Healthy, health.Status)
		for _, n := range health.Connections["main"].Nodes {
			require.Equal(t, dbfleet.ProblemTwoPrimaries, n.Problem, n.Name)
		}
		err = accounts.Create(t.Context(), &conformance.Account{Owner: "lost"})
		require.ErrorContains(t, err, "main/replica-1")
		require.ErrorContains(t, err, `connection "main"`)
		var two *dbfleet.TwoPrimariesError
		require.ErrorAs(t, err, &two)
		require.Equal(t, []string{"main", "main/replica-1"}, two.Nodes)
		for range 20 {
			require.ErrorIs(t, accounts.Create(t.Context(), &conformance.Account{Owner: "lost"}), dbfleet.ErrTwoPrimaries)
			require.ErrorIs(t, r.Transaction(t.Context(), "main", func(context.Context, *dbfleet.Tx) error { return nil }), dbfleet.ErrTwoPrimaries)
		}
		require.NotContains(t, conformance.Owners(t, db), "lost")

		c.Primary.Stop(t)
		require.Eventually(t, func() bool {
			err = accounts.Create(t.Context(), &conformance.Account{Owner: "after"})
			return err == nil
		}, soon, 20*time.Millisecond, "%v", err)
		require.Contains(t, conformance.Owners(t, db.On(c.Replicas[0])), "after")
	})
}

// With Hosts the primary is found by its role, in whatever order they stand.
func TestHosts_ThePrimaryIsFoundByItsRole(t *testing.T) {
	t.Parallel()
	onClusters(t, 2, func(t *testing.T, c *dbtest.Cluster) {
		db, config := bankOn(t, c)
		config.Host, config.Port, config.ReadHosts = "", 0, nil
		config.Hosts = []string{c.Replicas[0].Addr(), c.Primary.Addr(), c.Replicas[1].Addr()}
		r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config})
		accounts := conformance.Model[conformance.Account](t, r, dbfleet.ModelConfig{Table: "accounts"})
		var route dbfleet.Route
		require.NoError(t, accounts.Create(dbfleet.WithRoute(t.Context(), &route), &conformance.Account{Owner: "first"}))
		require.Equal(t, dbfleet.RolePrimary, route.Role)
		require.Contains(t, conformance.Owners(t, db), "first")
		c.WaitCaughtUp(t)

		c.Primary.Kill(t)
		c.Promote(t, c.Replicas[1])
		l := writing(t, accounts, 2)
		require.Eventually(t, func() bool { return l.since(time.Time{}) > 20 }, soon, 5*time.Millisecond, "%v", l.errs)
		l.requireAllOn(t, db.On(c.Replicas[1]))
	})
}

func TestHosts_NobodyInTheRoleIsAnError(t *testing.T) {
	t.Parallel()
	onClusters(t, 2, func(t *testing.T, c *dbtest.Cluster) {
		_, config := bankOn(t, c)
		config.Host, config.Port, config.ReadHosts = "", 0, nil
		config.Hosts = []string{c.Replicas[0].Addr(), c.Replicas[1].Addr()}
		r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config})
		accounts := conformance.Model[conformance.Account](t, r, dbfleet.ModelConfig{Table: "accounts"})
		err := accounts.Create(t.Context(), &conformance.Account{Owner: "lost"})
		require.ErrorIs(t, err, dbfleet.ErrNoPrimary)
		require.ErrorContains(t, err, `connection "main"`)
		c.Promote(t, c.Replicas[0])
		require.Eventually(t, func() bool { return accounts.Create(t.Context(), &conformance.Account{Owner: "found"}) == nil }, soon, 20*time.Millisecond)
	})
}

// A name leads to another server after a failover, and the old one answers still: the
// first refusal drops the connections to it.
func TestFailover_OfANameDropsTheConnectionsToTheOldServer(t *testing.T) {
	t.Parallel()
	onClusters(t, 1, func(t *testing.T, c *dbtest.Cluster) {
		db, config := bankOn(t, c)
		var now atomic.Value
		now.Store(c.Primary.Addr())
		config.Host, config.Port, config.ReadHosts = "primary.example", 1, nil
		config.TLS.Mode = dbfleet.TLSDisable
		config.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, now.Load().(string))
		}
		r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config})
		accounts := conformance.Model[conformance.Account](t, r, dbfleet.ModelConfig{Table: "accounts"})
		var group sync.WaitGroup
		for i := range 8 {
			group.Go(func() {
				if err := accounts.Create(t.Context(), &conformance.Account{Owner: fmt.Sprint("warm ", i)}); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		c.WaitCaughtUp(t)

		c.Promote(t, c.Replicas[0])
		now.Store(c.Replicas[0].Addr())
		if heirIsMariaDB(c.Primary) {
			c.Primary.Exec(t, "SET GLOBAL read_only = 1")
		} else {
			c.Primary.Exec(t, "ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()")
			require.Eventually(t, func() bool {
				var on string
				return c.Primary.Admin().QueryRow("SHOW default_transaction_read_only").Scan(&on) == nil && on == "on"
			}, soon, 10*time.Millisecond)
		}
		failed := 0
		for i := range 50 {
			if err := accounts.Create(t.Context(), &conformance.Account{Owner: fmt.Sprint("new ", i)}); err != nil {
				require.ErrorIs(t, err, dbfleet.ErrReadOnly)
				failed++
			}
		}
		require.LessOrEqual(t, failed, 1)
		require.NotContains(t, conformance.Owners(t, db), "new 49")
		require.Contains(t, conformance.Owners(t, db.On(c.Replicas[0])), "new 49")
	})
}

// Whoever lists the replicas after a failover leaves the one out that was promoted: it
// goes on as the primary, and is there once if it is listed again.
func TestFailover_ThePromotedIsThePrimaryListedOrNot(t *testing.T) {
	t.Parallel()
	onClusters(t, 2, func(t *testing.T, c *dbtest.Cluster) {
		db, config := bankOn(t, c)
		r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config})
		accounts := conformance.Model[conformance.Account](t, r, dbfleet.ModelConfig{Table: "accounts"})
		_, err := accounts.Get(t.Context())
		require.NoError(t, err)
		require.Eventually(t, func() bool { return r.Nodes()[1].State == dbfleet.ConditionHealthy }, soon, 10*time.Millisecond)
		c.Primary.Kill(t)
		c.Promote(t, c.Replicas[0])
		require.Eventually(t, func() bool { return accounts.Create(t.Context(), &conformance.Account{Owner: "promoted"}) == nil }, soon, 20*time.Millisecond)

		both := []dbfleet.ReplicaConfig{{Host: c.Replicas[0].Addr(), Name: "replica-1"}, {Host: c.Replicas[1].Addr(), Name: "replica-2"}}
		for i, list := range [][]dbfleet.ReplicaConfig{both[1:], both, both[1:], nil} {
			require.NoError(t, r.SetReplicas(t.Context(), "main", list))
			require.NoError(t, accounts.Create(t.Context(), &conformance.Account{Owner: fmt.Sprint("listed ", i)}))
			names := map[string]int{}
			for _, n := range r.Nodes() {
				names[n.Node]++
			}
			for name, times := range names {
				require.Equal(t, 1, times, name)
			}
		}
		require.Contains(t, conformance.Owners(t, db.On(c.Replicas[0])), "listed 3")
	})
}

// A primary that falls silent does not hold up reads that replicas may serve.
func TestFallback_ASilentPrimaryIsNotAskedForReads(t *testing.T) {
	t.Parallel()
	onClusters(t, 2, func(t *testing.T, c *dbtest.Cluster) {
		_, config := bankOn(t, c)
		config.Reads.WhenPrimaryDown = true
		config.Reads.MaxLag = time.Second
		r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config})
		accounts := conformance.Model[conformance.Account](t, r, dbfleet.ModelConfig{Table: "accounts"})
		_, err := accounts.Primary().Get(t.Context())
		require.NoError(t, err)
		c.Primary.Pause(t)
		defer c.Primary.Resume(t)
		read := func(ctx context.Context) bool {
			ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
			defer cancel()
			_, err := accounts.Get(ctx)
			return err == nil
		}
		require.Eventually(t, func() bool { return read(dbfleet.ReadPrimary(t.Context())) }, soon, 10*time.Millisecond)
		for range 50 {
			require.True(t, read(dbfleet.ReadPrimary(t.Context())))
			require.True(t, read(t.Context()), "nor one for which replicas are not fresh enough")
		}
	})
}
