package replicas

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// patient is far longer than it takes to find out that a node is silent.
const patient = 3 * time.Minute

// outcome is what became of a call that runs beside the test.
type outcome struct {
	route dbfleet.Route
	err   error
}

// beside runs f with a context of much time.
func beside(t *testing.T, f func(ctx context.Context) error) <-chan outcome {
	t.Helper()
	over := make(chan outcome, 1)
	ctx, cancel := context.WithTimeout(t.Context(), patient)
	go func() {
		defer cancel()
		var o outcome
		o.err = f(dbfleet.WithRoute(ctx, &o.route))
		over <- o
	}()
	return over
}

// soonOver waits for an outcome, less long than the call's own context does.
func soonOver(t *testing.T, of <-chan outcome) outcome {
	t.Helper()
	select {
	case o := <-of:
		return o
	case <-time.After(patient / 3):
		require.Fail(t, "it waits for the silent primary")
		panic("unreachable")
	}
}

// silencings are the ways in which the primary of a fleet falls silent, and speaks again.
var silencings = []struct {
	name         string
	silence, end func(t *testing.T, fl *fleet)
}{
	{"stopped", func(t *testing.T, fl *fleet) { fl.cluster.Primary.Pause(t) }, func(t *testing.T, fl *fleet) { fl.cluster.Primary.Resume(t) }},
	{"cut off", func(_ *testing.T, fl *fleet) { fl.primary.Blackhole() }, func(_ *testing.T, fl *fleet) { fl.primary.Heal() }},
}

// Reads that wait at the primary when it falls silent go to replicas where the connection
// allows that; what writes and what a transaction does wait for it.
func TestFallback_ReadsThatWaitForASilentPrimaryGoToReplicas(t *testing.T) {
	t.Parallel()
	for _, s := range silencings {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			onFleets(t, func(c *dbfleet.ConnectionConfig) { c.Reads.WhenPrimaryDown = true }, func(t *testing.T, fl *fleet) {
				read := func(ctx context.Context) error { return fl.read(dbfleet.ReadPrimary(ctx)) }
				write := func(ctx context.Context) error {
					_, err := fl.DB("main").Table("t").Insert(ctx, dbfleet.Row{"id": 2})
					return err
				}
				require.NoError(t, read(t.Context()))
				begun, resume := make(chan struct{}), make(chan struct{})
				inTx := beside(t, func(ctx context.Context) error {
					return fl.Transaction(ctx, "main", func(ctx context.Context, _ *dbfleet.Tx) error {
						err := read(ctx)
						close(begun)
						<-resume
						if err == nil {
							err = read(ctx)
						}
						return err
					})
				})
				<-begun
				s.silence(t, fl)
				var reads []<-chan outcome
				for range 20 { // more than there are connections
					reads = append(reads, beside(t, read))
				}
				written := beside(t, write)
				close(resume)
				for _, r := range reads {
					o := soonOver(t, r)
					require.NoError(t, o.err)
					require.Equal(t, dbfleet.RoleReplica, o.route.Role, "%v", o.route)
				}
				select {
				case o := <-written:
					require.NotErrorIs(t, o.err, dbfleet.ErrOutcomeUnknown, "nobody else is the primary")
				case o := <-inTx:
					require.Fail(t, "a transaction is not ended by silence", "%v", o.err)
				default:
				}
				s.end(t, fl)
				if o := soonOver(t, inTx); s.name == "stopped" {
					require.NoError(t, o.err)
				} else { // the link was lost meanwhile
					require.Equal(t, dbfleet.RolePrimary, o.route.Role, "%v", o.route)
				}
			})
		})
	}
}

// Without replicas a read fails as soon as its node is known to be silent.
func TestHosts_AReadAtASilentPrimaryFailsSoon(t *testing.T) {
	t.Parallel()
	onClusters(t, 1, func(t *testing.T, c *dbtest.Cluster) {
		_, config := bankOn(t, c)
		config.Hosts, config.ReadHosts = []string{c.Replicas[0].Addr()}, nil
		r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config})
		accounts := conformance.Model[conformance.Account](t, r, dbfleet.ModelConfig{Table: "accounts"})
		read := func(ctx context.Context) error {
			_, err := accounts.Get(ctx)
			return err
		}
		require.NoError(t, read(t.Context()))
		c.Primary.Pause(t)
		defer c.Primary.Resume(t)
		for range 2 { // when it is known too
			err := soonOver(t, beside(t, read)).err
			require.ErrorIs(t, err, dbfleet.ErrConnection)
			require.ErrorContains(t, err, `"main"`)
		}
		waits := beside(t, read)
		c.Promote(t, c.Replicas[0])
		for {
			o := soonOver(t, waits)
			if o.err == nil {
				require.Equal(t, "main/host-2", o.route.Node)
				return
			}
			waits = beside(t, read) // nobody was the primary yet
		}
	})
}

// A replica that is known to be silent is not waited for by who asks for it by name.
func TestOnReplica_FailsSoonAtASilentNode(t *testing.T) {
	t.Parallel()
	for name, silence := range map[string]func(t *testing.T, fl *fleet){
		"stopped": func(t *testing.T, fl *fleet) {
			fl.cluster.Replicas[0].Pause(t)
			t.Cleanup(func() { fl.cluster.Replicas[0].Resume(t) })
		},
		"cut off": func(_ *testing.T, fl *fleet) { fl.proxies[0].Blackhole() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onFleets(t, func(c *dbfleet.ConnectionConfig) { c.ConnectTimeout = patient }, func(t *testing.T, fl *fleet) {
				read := func(ctx context.Context) error {
					_, err := fl.DB("main").OnReplica("replica-1").Table("t").Get(ctx)
					return err
				}
				require.NoError(t, read(t.Context()))
				silence(t, fl)
				for range 4 { // the first finds it out
					err := soonOver(t, beside(t, read)).err
					require.ErrorIs(t, err, dbfleet.ErrConnection)
					require.ErrorContains(t, err, "main/replica-1")
				}
			})
		})
	}
}

// Seen: a node fell silent, and its probe was asked a moment before the reads. That one answer
// was missing decided nothing yet, the next question needed a connection, and all reads waited
// until its time was over.
func TestSilence_ReadsDoNotWaitForTheNextQuestion(t *testing.T) {
	t.Parallel()
	const away, enough = 600 * time.Millisecond, 2 * time.Second
	onFleets(t, func(c *dbfleet.ConnectionConfig) {
		c.Reads.WhenPrimaryDown, c.Reads.MaxWait, c.ConnectTimeout = true, enough, time.Minute
	}, func(t *testing.T, fl *fleet) {
		fl.primary.Delay(away)
		fl.proxies[0].Delay(away)
		began := time.Now()
		require.NoError(t, fl.primary.Through(fl.db).SQL(t).PingContext(t.Context()))
		dial := time.Since(began) // the next question has four times as long
		for _, node := range []struct {
			name  string
			proxy *dbtest.Proxy
			read  func(ctx context.Context) error
		}{
			{"main", fl.primary, func(ctx context.Context) error { return fl.read(dbfleet.ReadPrimary(ctx)) }},
			{"main/replica-1", fl.proxies[0], func(ctx context.Context) error {
				_, err := fl.DB("main").OnReplica("replica-1").Table("t").Get(ctx)
				return err
			}},
		} {
			require.Eventually(t, func() bool {
				return node.read(t.Context()) == nil && stateOf(fl.Registry, node.name).State == dbfleet.ConditionHealthy
			}, patient, time.Millisecond)
			node.proxy.Blackhole()
			require.Eventually(t, func() bool { return stateOf(fl.Registry, node.name).State == dbfleet.ConditionSuspect }, patient, time.Millisecond)
			late := lateness(t)
			began = time.Now()
			o := soonOver(t, beside(t, node.read))
			took := time.Since(began)
			if node.name == "main" {
				require.NoError(t, o.err)
				require.Equal(t, dbfleet.RoleReplica, o.route.Role, "%v", o.route)
			}
			require.Less(t, took, enough+3*dial+late(), "%s: %v", node.name, o.err)
		}
	})
}

// Seen: that a primary was left out because reads showed what one question had was told to nobody.
func TestSilence_OfAPrimaryThatReadsShowIsTold(t *testing.T) {
	t.Parallel()
	onFleets(t, func(c *dbfleet.ConnectionConfig) {
		c.Reads.WhenPrimaryDown, c.Reads.MaxWait, c.ConnectTimeout = true, 2*time.Second, time.Minute
	}, func(t *testing.T, fl *fleet) {
		read := func(ctx context.Context) error { return fl.read(dbfleet.ReadPrimary(ctx)) }
		for range 20 {
			require.NoError(t, read(t.Context()))
		}
		told := changesOf(fl.Registry)
		fl.primary.Blackhole()
		require.Eventually(t, func() bool { return slices.Contains(told.of("main"), dbfleet.ConditionSuspect) }, soon, time.Millisecond)
		o := soonOver(t, beside(t, read))
		require.NoError(t, o.err)
		require.Equal(t, dbfleet.RoleReplica, o.route.Role, "%v", o.route)
		require.Eventually(t, func() bool { return slices.Contains(told.of("main"), dbfleet.ConditionEjected) }, soon, time.Millisecond)
		fl.primary.Heal()
		want := []dbfleet.NodeCondition{dbfleet.ConditionSuspect, dbfleet.ConditionEjected, dbfleet.ConditionHealthy}
		require.Eventually(t, func() bool { return slices.Equal(told.of("main"), want) }, soon, time.Millisecond, "%v", told.of("main"))
	})
}

// A primary that lets nobody in any more does answer: what it works on ends well, be it slow.
func TestSilence_IsNotThatOfAPrimaryWhichRefusesConnections(t *testing.T) {
	t.Parallel()
	var changed sync.Map // the addresses of servers that have another password
	onFleets(t, func(c *dbfleet.ConnectionConfig) {
		password := string(c.Password)
		c.Reads.WhenPrimaryDown, c.Password = true, ""
		c.PasswordFunc = func(_ context.Context, address string) (string, error) {
			if _, other := changed.Load(address); other {
				return "the 0ld passw0rd", nil
			}
			return password, nil
		}
	}, func(t *testing.T, fl *fleet) {
		read := func(ctx context.Context) error { return fl.read(dbfleet.ReadPrimary(ctx)) }
		for range 20 {
			require.NoError(t, read(t.Context()))
		}
		locker, err := fl.db.SQL(t).Conn(t.Context())
		require.NoError(t, err)
		defer locker.Close()
		do := func(texts ...string) {
			for _, text := range texts {
				_, err := locker.ExecContext(t.Context(), text)
				require.NoError(t, err)
			}
		}
		unlock, question := "COMMIT", "pg_control_system"
		if fl.db.Dialect == "mysql" {
			unlock, question = "UNLOCK TABLES", "gtid_binlog_pos"
			do("LOCK TABLES t WRITE")
		} else {
			do("BEGIN", "LOCK TABLE t")
		}
		slow := beside(t, read)
		require.Eventually(t, func() bool { return inUse(fl, "main") }, soon, time.Millisecond)
		changed.Store(fl.primary.Addr(), true)
		fl.primary.On(dbtest.Fault{Marker: question, Action: dbtest.CutRequest, Reset: true, Times: 1})
		require.Eventually(t, func() bool { return isDown(stateOf(fl.Registry, "main")) }, soon, time.Millisecond)
		select {
		case o := <-slow:
			require.Fail(t, "it was ended", "%v %v", o.route, o.err)
		case <-time.After(time.Second):
		}
		do(unlock)
		o := soonOver(t, slow)
		require.NoError(t, o.err)
		require.Equal(t, dbfleet.RolePrimary, o.route.Role, "%v", o.route)
	})
}
