package replicas

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// foreign is a primary with a standby of its own, main/replica-1 in config, and one of
// another cluster, which has a database by the same name with other rows.
type foreign struct {
	own, other *dbtest.Cluster
	db, theirs dbtest.Database
	config     dbfleet.ConnectionConfig
	standby    string // the address of the other cluster's
}

func startForeign(t *testing.T) *foreign {
	t.Helper()
	f := &foreign{own: dbtest.PostgresCluster(t, 1), other: dbtest.PostgresClusterOfItsOwn(t, 1)}
	f.db, f.config = bankOn(t, f.own)
	f.theirs = f.db.Twin(t, f.other.Primary)
	f.theirs.Exec(t, conformance.DDL(f.db.Dialect, conformance.AccountsTable), conformance.Inserting("foreign"))
	f.other.WaitCaughtUp(t)
	f.standby = f.other.Replicas[0].Addr()
	return f
}

// ownersOf reads the owners of all accounts.
func ownersOf(ctx context.Context, db *dbfleet.DB) (string, error) {
	names, err := dbfleet.Pluck[string](ctx, db.Table("accounts").OrderBy("id", dbfleet.Asc), "owner")
	return strings.Join(names, " "), err
}

// promise: a standby of another PostgreSQL cluster serves no read, from the first one on,
// and it is told why.
func TestForeign_StandbyServesNothing(t *testing.T) {
	t.Parallel()
	f := startForeign(t)
	f.config.Reads.MaxWait = soon // a primary that a busy machine hears late is not silent
	for name, change := range map[string]func(c *dbfleet.ConnectionConfig){
		"beside one that is right": func(c *dbfleet.ConnectionConfig) { c.ReadHosts = append(c.ReadHosts, f.standby) },
		"alone":                    func(c *dbfleet.ConnectionConfig) { c.ReadHosts = []string{f.standby} },
		"first":                    func(c *dbfleet.ConnectionConfig) { c.ReadHosts = append([]string{f.standby}, c.ReadHosts...) },
		"by weight": func(c *dbfleet.ConnectionConfig) {
			c.ReadHosts, c.Reads.Balance = nil, dbfleet.BalanceWeighted
			c.Replicas = []dbfleet.ReplicaConfig{{Host: f.standby, Weight: 1000}, {Host: f.own.Replicas[0].Addr(), Weight: 1}}
		},
		"with lag, where any replica is better than none": func(c *dbfleet.ConnectionConfig) {
			c.ReadHosts = []string{f.standby}
			c.Reads.MaxLag, c.Reads.WhenStale = time.Minute, dbfleet.FallbackStale
		},
		"as one of the hosts": func(c *dbfleet.ConnectionConfig) {
			c.Hosts, c.ReadHosts = []string{f.standby}, append(c.ReadHosts, f.standby)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := f.config
			config.ReadHosts = slices.Clone(config.ReadHosts)
			change(&config)
			for range 5 {
				r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config})
				for range 20 {
					got, err := ownersOf(t.Context(), r.DB("main"))
					if name == "with lag, where any replica is better than none" && err != nil {
						require.ErrorIs(t, err, dbfleet.ErrNoReplica)
						continue
					}
					require.NoError(t, err)
					require.Equal(t, "seed", got)
				}
				require.NoError(t, r.Close())
			}
		})
	}
}

// What asks for it by its name, or was lent before, is refused as well; health, hooks and
// states tell it.
func TestForeign_StandbyIsToldAndRefused(t *testing.T) {
	t.Parallel()
	f := startForeign(t)
	f.config.Replicas = []dbfleet.ReplicaConfig{{Host: f.standby, Name: "wrong"}}
	r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": f.config})
	seen := changesOf(r)
	require.NoError(t, r.DB("main").Ping(t.Context()))
	const node = "main/wrong"
	require.Eventually(t, func() bool { return slices.Contains(seen.of(node), dbfleet.ConditionForeign) }, soon, 10*time.Millisecond)
	require.NotContains(t, seen.of("main/replica-1"), dbfleet.ConditionForeign)
	n := stateOf(r, node)
	require.False(t, n.InTurn)
	require.Contains(t, n.LastProblem, "another database cluster")

	c := r.Health(t.Context()).Connections["main"]
	require.Equal(t, dbfleet.Degraded, c.Status)
	at := slices.IndexFunc(c.Nodes, func(n dbfleet.NodeHealth) bool { return n.Name == node })
	require.Equal(t, dbfleet.ProblemForeign, c.Nodes[at].Problem)
	require.True(t, c.Nodes[at].Up)
	require.ErrorContains(t, c.Nodes[at].Err, "another database cluster")

	for name, read := range map[string]func() error{
		"a query": func() error { _, err := r.DB("main").Table("accounts").OnReplica("wrong").Get(t.Context()); return err },
		"raw rows": func() error {
			rows, err := r.DB("main").OnReplica("wrong").QueryContext(t.Context(), "SELECT 1")
			if err == nil {
				_ = rows.Close()
			}
			return err
		},
		"a pool": func() error { return r.DB("main").OnReplica("wrong").ReplicaPool().PingContext(t.Context()) },
	} {
		err := read()
		require.ErrorIs(t, err, dbfleet.ErrNoReplica, name)
		require.ErrorContains(t, err, `node "main/wrong" is a standby of another database cluster`, name)
	}
}

// A pool that was lent while the server was right sends nothing to another one that has
// come in its place; when it is right again, it serves again.
func TestForeign_ServerInThePlaceOfAnother(t *testing.T) {
	t.Parallel()
	f := startForeign(t)
	link := dbtest.NewProxy(t, f.own.Replicas[0].Addr())
	f.config.ReadHosts = []string{link.Addr()}
	f.config.Reads.ProbeInterval = 50 * time.Millisecond
	r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": f.config})
	seen := changesOf(r)
	const node = "main/replica-1"
	require.Eventually(t, func() bool { return readOnce(t, r).Node == node }, soon, 10*time.Millisecond)
	pool := r.DB("main").ReplicaPool()
	ask := func() (name string, err error) {
		err = pool.QueryRowContext(t.Context(), "SELECT owner FROM accounts").Scan(&name)
		return name, err
	}
	got, err := ask()
	require.NoError(t, err)
	require.Equal(t, "seed", got)

	link.Retarget(f.standby)
	link.Cut()
	require.Eventually(t, func() bool { return slices.Contains(seen.of(node), dbfleet.ConditionForeign) }, soon, 10*time.Millisecond)
	for range 20 {
		got, err := ownersOf(t.Context(), r.DB("main"))
		require.NoError(t, err)
		require.Equal(t, "seed", got)
		_, err = ask()
		require.ErrorContains(t, err, "another database cluster")
	}

	link.Retarget(f.own.Replicas[0].Addr())
	link.Cut()
	require.Eventually(t, func() bool { return readOnce(t, r).Node == node }, soon, 10*time.Millisecond)
	require.Eventually(t, func() bool { got, err := ask(); return err == nil && got == "seed" }, soon, 10*time.Millisecond)
}

// A replica that is set or discovered at run time serves once it has told whose it is.
func TestForeign_StandbyThatComesLaterServesNothing(t *testing.T) {
	t.Parallel()
	f := startForeign(t)
	r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": f.config})
	require.NoError(t, r.DB("main").Ping(t.Context()))
	for i := range 20 {
		list := []dbfleet.ReplicaConfig{{Host: f.own.Replicas[0].Addr(), Name: fmt.Sprint("own-", i)}, {Host: f.standby, Name: fmt.Sprint("wrong-", i)}}
		require.NoError(t, r.SetReplicas(t.Context(), "main", list))
		for range 20 {
			got, err := ownersOf(t.Context(), r.DB("main"))
			require.NoError(t, err)
			require.Equal(t, "seed", got)
		}
	}
	require.Eventually(t, func() bool { return readOnce(t, r).Node == "main/own-19" }, soon, 10*time.Millisecond)
}

// A primary that is late is waited for: one question may be lost by itself.
func TestForeign_StandbyServesNothingWhileThePrimaryIsLate(t *testing.T) {
	t.Parallel()
	f := startForeign(t)
	f.config.ReadHosts = []string{f.standby}
	f.config.ConnectTimeout, f.config.Reads.MaxWait = patient, 3*time.Second
	f.own.Primary.Pause(t)
	resume := sync.OnceFunc(func() { f.own.Primary.Resume(t) })
	defer resume()
	r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": f.config})
	read := func() <-chan outcome {
		return beside(t, func(ctx context.Context) error {
			got, err := ownersOf(ctx, r.DB("main"))
			if err == nil && got != "seed" {
				err = fmt.Errorf("read %q", got)
			}
			return err
		})
	}
	reads := []<-chan outcome{read()}
	require.Eventually(t, func() bool { return stateOf(r, "main").State == dbfleet.ConditionSuspect }, soon, time.Millisecond)
	for range 5 {
		reads = append(reads, read())
	}
	resume()
	for _, over := range reads {
		require.NoError(t, soonOver(t, over).err)
	}
}

// Whose data a replica has is not known while the primary is silent. Then replicas serve,
// also the first read of a program.
func TestForeign_ReplicasServeWhileThePrimaryIsSilent(t *testing.T) {
	t.Parallel()
	c := dbtest.PostgresCluster(t, 1)
	_, config := bankOn(t, c)
	config.ConnectTimeout = patient
	c.Primary.Pause(t)
	defer c.Primary.Resume(t)
	// Half of the deadline is over when one question has had no answer, and the next one waits.
	for _, deadline := range []time.Duration{0, 10 * time.Second} {
		config.Reads.MaxWait = deadline / 4
		r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config})
		o := soonOver(t, beside(t, func(ctx context.Context) error {
			if deadline > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, deadline)
				defer cancel()
			}
			_, err := ownersOf(ctx, r.DB("main"))
			return err
		}))
		require.NoError(t, o.err, deadline)
		require.Equal(t, "main/replica-1", o.route.Node)
	}
}

// A standby of another cluster that is promoted there is not followed, nor does it serve
// reads: not while the connection's own primary is there, nor when it is gone.
func TestForeign_PromotedStandbyIsNotFollowed(t *testing.T) {
	t.Parallel()
	f := startForeign(t)
	f.config.ReadHosts = append(f.config.ReadHosts, f.standby)
	f.config.Reads.ProbeInterval = 50 * time.Millisecond
	r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": f.config})
	seen := changesOf(r)
	require.NoError(t, r.DB("main").Ping(t.Context()))
	require.Eventually(t, func() bool { return slices.Contains(seen.of("main/replica-2"), dbfleet.ConditionForeign) }, soon, 10*time.Millisecond)
	f.other.Promote(t, f.other.Replicas[0])
	write := func(name string) error {
		_, err := r.DB("main").ExecContext(t.Context(), conformance.Inserting(name))
		return err
	}
	require.NoError(t, write("mine"))
	f.own.WaitCaughtUp(t)
	f.own.Primary.Kill(t)
	until := time.Now().Add(time.Second)
	for i := 0; time.Now().Before(until); i++ {
		require.Error(t, write(fmt.Sprint("lost-", i)))
		time.Sleep(20 * time.Millisecond)
	}
	require.NotContains(t, seen.of("main/replica-2"), dbfleet.ConditionPromoted)
	require.Equal(t, []string{"foreign"}, conformance.Owners(t, f.theirs.On(f.other.Replicas[0])))
	f.own.Promote(t, f.own.Replicas[0])
	require.Eventually(t, func() bool { return write("mine again") == nil }, soon, 10*time.Millisecond)
	got, err := ownersOf(dbfleet.ReadPrimary(t.Context()), r.DB("main"))
	require.NoError(t, err)
	require.Equal(t, "seed mine mine again", got)
}
