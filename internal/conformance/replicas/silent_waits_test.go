package replicas

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// aQuestion is how long each question takes to a silent node of these tests that a connection
// must be made for. What waits for some of them, one after the other, is not over when a test ends.
const aQuestion = 10 * time.Second

// slowToAsk has a connection ask nodes for so long.
func slowToAsk(c *dbfleet.ConnectionConfig) {
	c.Reads.WhenPrimaryDown, c.Reads.MaxWait, c.ConnectTimeout = true, aQuestion, time.Minute
}

// Seen: a silent server that nobody has ever reached is asked for ever longer, and whoever
// looked for the primary waited for that, and failed then although another had become it.
func TestFailover_DoesNotWaitForASilentNodeBesideTheNextPrimary(t *testing.T) {
	t.Parallel()
	for _, dialect := range []string{"postgres", "mysql"} { // one refuses connections, the other to write
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			failsOverBesideASilentNode(t, conformance.StartCluster(t, dialect, 1))
		})
	}
}

func failsOverBesideASilentNode(t *testing.T, c *dbtest.Cluster) {
	t.Helper()
	db, config := bankOn(t, c)
	silent := dbtest.NewProxy(t, c.Primary.Addr())
	silent.Blackhole()
	config.Hosts = append(config.ReadHosts, silent.Addr())
	config.ConnectTimeout, config.Reads.ProbeInterval = time.Minute, time.Hour // nobody looks but who writes
	r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config})
	accounts := conformance.Model[conformance.Account](t, r, dbfleet.ModelConfig{Table: "accounts"})
	require.NoError(t, accounts.Create(t.Context(), &conformance.Account{Owner: "before"}))
	require.Eventually(t, func() bool { return stateOf(r, "main/host-3").State == dbfleet.ConditionEjected }, soon, time.Millisecond)

	heir := c.Replicas[0]
	demote(t, c, heir)
	c.Promote(t, heir)
	writable(t, db.On(heir))
	o := soonOver(t, beside(t, func(ctx context.Context) error {
		return accounts.Create(ctx, &conformance.Account{Owner: "after"})
	}))
	require.NoError(t, o.err)
	require.Equal(t, "main/host-2", o.route.Node)
	require.Equal(t, []string{"after", "before", "by hand", "seed"}, conformance.Owners(t, db.On(heir)))
}

// That no server is the primary is told, also beside one that does not answer.
func TestHosts_NoPrimaryIsToldBesideASilentHost(t *testing.T) {
	t.Parallel()
	onClusters(t, 1, func(t *testing.T, c *dbtest.Cluster) {
		db, config := bankOn(t, c)
		silent := dbtest.NewProxy(t, c.Primary.Addr())
		silent.Blackhole()
		config.Host, config.Port, config.Hosts = silent.Host, silent.Port, config.ReadHosts
		config.ConnectTimeout, config.Reads.WhenPrimaryDown = time.Minute, true
		r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config})
		accounts := conformance.Model[conformance.Account](t, r, dbfleet.ModelConfig{Table: "accounts"})
		read := func(ctx context.Context) error {
			_, err := accounts.Get(dbfleet.ReadPrimary(ctx))
			return err
		}
		for range 2 {
			err := soonOver(t, beside(t, func(ctx context.Context) error {
				return accounts.Create(ctx, &conformance.Account{Owner: "nobody's"})
			})).err
			require.ErrorIs(t, err, dbfleet.ErrNoPrimary)
			o := soonOver(t, beside(t, read))
			require.NoError(t, o.err)
			require.Equal(t, dbfleet.RoleReplica, o.route.Role)
		}
		c.Promote(t, c.Replicas[0])
		writable(t, db.On(c.Replicas[0]))
		require.Eventually(t, func() bool {
			return accounts.Create(t.Context(), &conformance.Account{Owner: "after"}) == nil
		}, soon, time.Millisecond)
	})
}

// Seen: the reads that had turns at the primary when it fell silent went to replicas, and those
// that waited for a turn found it out one after the other.
func TestFallback_ReadsThatWaitForATurnAtASilentPrimaryGoToReplicas(t *testing.T) {
	t.Parallel()
	onFleets(t, func(c *dbfleet.ConnectionConfig) {
		slowToAsk(c)
		c.Reads.MaxLag, c.Reads.PrimaryReads = time.Second, 1
	}, func(t *testing.T, fl *fleet) {
		fl.reads(t, 20)
		fl.pause(t)
		fl.goesTo(t, t.Context(), dbfleet.RolePrimary)
		for range 20 { // it is known how long they take
			fl.goesTo(t, t.Context(), dbfleet.RolePrimary)
		}
		fl.primary.Blackhole()
		var reads []<-chan outcome
		for range 12 {
			reads = append(reads, beside(t, fl.read))
		}
		for _, r := range reads {
			o := soonOver(t, r)
			require.NoError(t, o.err)
			require.Equal(t, dbfleet.RoleReplica, o.route.Role, "%v", o.route)
		}
	})
}

// Seen: the first reads of a program, whose primary was silent, had no time left for replicas when
// it had been looked for.
func TestRead_HasTimeForReplicasWhereThePrimaryIsSilentFromTheStart(t *testing.T) {
	t.Parallel()
	c := dbtest.PostgresCluster(t, 2)
	fl := &fleet{cluster: c, db: c.Database(t)}
	fl.db.Exec(t, "CREATE TABLE t (id INT)", "INSERT INTO t VALUES (1)")
	c.WaitCaughtUp(t)
	for name, ctx := range map[string]context.Context{"in turn": t.Context(), "of the primary": dbfleet.ReadPrimary(t.Context())} {
		require.Eventually(t, func() bool { // a busy machine may need more than its time
			fresh := fl.another(t, func(c *dbfleet.ConnectionConfig) {
				slowToAsk(c)
				proxy := dbtest.NewProxy(t, fl.cluster.Primary.Addr())
				proxy.Blackhole()
				c.Host, c.Port = proxy.Host, proxy.Port
			})
			ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
			defer cancel()
			return fresh.read(ctx) == nil
		}, time.Minute, time.Millisecond, name)
	}
}
