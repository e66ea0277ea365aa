package replicas

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// pause holds the replay of both replicas, and writes something that they do not have.
func (fl *fleet) pause(t *testing.T) {
	t.Helper()
	for _, s := range fl.cluster.Replicas {
		fl.cluster.PauseReplay(t, s)
	}
	t.Cleanup(func() {
		for _, s := range fl.cluster.Replicas {
			fl.cluster.ResumeReplay(t, s)
		}
	})
	fl.db.Exec(t, "INSERT INTO t VALUES (2)")
}

// goesTo waits until a read with ctx is served by a node in that role, and returns its
// route.
func (fl *fleet) goesTo(t *testing.T, ctx context.Context, role dbfleet.Role) (route dbfleet.Route) {
	t.Helper()
	require.Eventually(t, func() bool {
		require.NoError(t, fl.read(dbfleet.WithRoute(ctx, &route)))
		return route.Role == role
	}, soon, 5*time.Millisecond)
	return route
}

// promise: where no replica is within MaxLag the primary serves, and replicas do again when
// they have caught up; the nearest MaxLag counts.
func TestMaxLag_ReadsThePrimaryUntilReplicasAreFresh(t *testing.T) {
	t.Parallel()
	onFleets(t, func(c *dbfleet.ConnectionConfig) { steady(c); c.Reads.MaxLag = 500 * time.Millisecond }, func(t *testing.T, fl *fleet) {
		ctx := t.Context()
		fl.goesTo(t, ctx, dbfleet.RoleReplica)
		fl.pause(t)
		route := fl.goesTo(t, ctx, dbfleet.RolePrimary)
		require.Contains(t, route.Reason, "500ms")
		explained, err := fl.DB("main").Table("t").Route(ctx)
		require.NoError(t, err)
		require.Equal(t, route, explained)
		// What may be staler is read there still, what the query says more than the context.
		long := dbfleet.MaxLag(ctx, time.Hour)
		for range 3 {
			require.NoError(t, fl.read(dbfleet.WithRoute(long, &route)))
			require.Equal(t, dbfleet.RoleReplica, route.Role)
			_, err = fl.DB("main").Table("t").MaxLag(100 * time.Millisecond).Get(dbfleet.WithRoute(long, &route))
			require.NoError(t, err)
			require.Equal(t, dbfleet.RolePrimary, route.Role)
			_, err = fl.DB("main").Table("t").MaxLag(time.Hour).Get(dbfleet.WithRoute(dbfleet.MaxLag(ctx, time.Millisecond), &route))
			require.NoError(t, err)
			require.Equal(t, dbfleet.RoleReplica, route.Role)
			require.NoError(t, fl.DB("main").Read().QueryRowContext(dbfleet.WithRoute(ctx, &route), "SELECT COUNT(*) FROM t").Scan(new(int)))
			require.Equal(t, dbfleet.RolePrimary, route.Role)
		}
		for _, s := range fl.cluster.Replicas {
			fl.cluster.ResumeReplay(t, s)
		}
		fl.goesTo(t, ctx, dbfleet.RoleReplica)
	})
}

// promise: the fallback may forbid the primary, which is an error, or take what is stale
// within a bound.
func TestMaxLag_FailsOrReadsStaleWhereThatIsConfigured(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		reads dbfleet.ReadsConfig
		check func(t *testing.T, fl *fleet)
	}{
		"error": {dbfleet.ReadsConfig{WhenStale: dbfleet.FallbackError}, func(t *testing.T, fl *fleet) {
			fl.becomesStale(t)
			require.ErrorIs(t, fl.DB("main").ReplicaPool().PingContext(t.Context()), dbfleet.ErrStale)
			require.ErrorIs(t, fl.DB("main").Read().Ping(t.Context()), dbfleet.ErrStale)
			_, err := fl.DB("main").Table("t").Primary().Get(t.Context())
			require.NoError(t, err)
		}},
		"stale": {dbfleet.ReadsConfig{WhenStale: dbfleet.FallbackStale}, func(t *testing.T, fl *fleet) {
			var route dbfleet.Route
			require.Eventually(t, func() bool {
				require.NoError(t, fl.read(dbfleet.WithRoute(t.Context(), &route)))
				require.Equal(t, dbfleet.RoleReplica, route.Role)
				return strings.Contains(route.Reason, "the freshest replica")
			}, soon, 5*time.Millisecond)
		}},
		"stale within a bound": {dbfleet.ReadsConfig{WhenStale: dbfleet.FallbackStale, StaleLimit: 600 * time.Millisecond}, func(t *testing.T, fl *fleet) {
			fl.becomesStale(t)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.reads.MaxLag = 300 * time.Millisecond
			onFleets(t, func(config *dbfleet.ConnectionConfig) { config.Reads = c.reads; steady(config) }, func(t *testing.T, fl *fleet) {
				require.Eventually(t, func() bool { return fl.read(t.Context()) == nil }, soon, 5*time.Millisecond)
				fl.pause(t)
				c.check(t, fl)
				for _, s := range fl.cluster.Replicas {
					fl.cluster.ResumeReplay(t, s)
				}
				require.Eventually(t, func() bool { return fl.read(t.Context()) == nil }, soon, 5*time.Millisecond)
			})
		})
	}
}

// becomesStale waits until a read is refused, and looks at the error.
func (fl *fleet) becomesStale(t *testing.T) {
	t.Helper()
	var err error
	require.Eventually(t, func() bool {
		err = fl.read(t.Context())
		return err != nil
	}, soon, 5*time.Millisecond)
	require.ErrorIs(t, err, dbfleet.ErrStale)
	require.ErrorContains(t, err, `connection "main"`)
	require.ErrorContains(t, err, `"main/replica-1"`)
}

// Reads that no replica serves take turns on the primary, and wait for one no longer than
// for a connection.
func TestFallback_DoesNotCrushThePrimary(t *testing.T) {
	t.Parallel()
	change := func(c *dbfleet.ConnectionConfig) {
		steady(c)
		c.Pool.MaxOpen, c.Pool.AcquireTimeout, c.Reads.PrimaryReads = 10, time.Second, 1
	}
	onFleets(t, change, func(t *testing.T, fl *fleet) {
		for _, p := range fl.proxies {
			p.Refuse()
		}
		fl.goesTo(t, t.Context(), dbfleet.RolePrimary)
		locker, err := fl.db.SQL(t).Conn(t.Context())
		require.NoError(t, err)
		defer locker.Close()
		do := func(texts ...string) {
			for _, text := range texts {
				_, err := locker.ExecContext(t.Context(), text)
				require.NoError(t, err)
			}
		}
		fl.db.Exec(t, "CREATE TABLE beside (id INT)")
		lock, unlock := []string{"BEGIN", "LOCK TABLE t"}, "COMMIT"
		if fl.db.Dialect == "mysql" {
			lock, unlock = []string{"LOCK TABLES t WRITE"}, "UNLOCK TABLES"
		}
		do(lock...) // one read has its turn until it is unlocked
		results := make(chan error, 4)
		for range cap(results) {
			go func() { results <- fl.read(context.Background()) }()
		}
		for range cap(results) - 1 {
			err := <-results
			require.ErrorIs(t, err, dbfleet.ErrAcquireTimeout)
			require.ErrorContains(t, err, "because no replica serves them")
		}
		// A caller's own end counts too, and what asks for the primary is not held up.
		short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		require.ErrorIs(t, fl.read(short), context.DeadlineExceeded)
		_, err = fl.DB("main").Table("beside").Primary().Get(t.Context())
		require.NoError(t, err)
		require.Empty(t, results, "it has its turn still")
		do(unlock)
		require.NoError(t, <-results)
	})
}

// promise: replicas serve what asked for the primary when it is down, where that is allowed.
func TestFallback_ServesFromReplicasWhenThePrimaryIsDown(t *testing.T) {
	t.Parallel()
	for _, allowed := range []bool{false, true} {
		onFleets(t, func(c *dbfleet.ConnectionConfig) { steady(c); c.Reads.WhenPrimaryDown = allowed }, func(t *testing.T, fl *fleet) {
			var route dbfleet.Route
			ctx := dbfleet.WithRoute(dbfleet.ReadPrimary(t.Context()), &route)
			require.NoError(t, fl.read(ctx))
			require.Equal(t, "main", route.Node)
			// A connection that is lost is no primary that is down.
			fl.primary.Cut()
			require.NoError(t, fl.read(ctx))
			require.Equal(t, "main", route.Node, route.Reason)
			fl.primary.Refuse()
			err := fl.read(ctx)
			_, written := fl.DB("main").Table("t").Insert(t.Context(), map[string]any{"id": 3})
			require.ErrorIs(t, written, dbfleet.ErrConnection)
			if !allowed {
				require.ErrorIs(t, err, dbfleet.ErrConnection)
				return
			}
			require.NoError(t, err)
			require.Equal(t, dbfleet.RoleReplica, route.Role)
			// The monitor may have been the first to find out.
			require.Regexp(t, `failover from "main"|the primary does not answer`, route.Reason)
		})
	}
}

// OnReplica asks that replica and no other node, in whatever state it is.
func TestOnReplica_AsksThatOneAlone(t *testing.T) {
	t.Parallel()
	onFleets(t, steady, func(t *testing.T, fl *fleet) {
		ctx, db := t.Context(), fl.DB("main")
		var route dbfleet.Route
		told := dbfleet.WithRoute(ctx, &route)
		for range 3 {
			_, err := db.Table("t").OnReplica("replica-2").Get(dbfleet.ReadPrimary(told))
			require.NoError(t, err)
			require.Equal(t, dbfleet.Route{Connection: "main", Node: "main/replica-2", Role: dbfleet.RoleReplica, Reason: "named by the handle; the replica was asked for"}, route)
			require.NoError(t, db.OnReplica("main/replica-2").QueryRowContext(told, "SELECT COUNT(*) FROM t").Scan(new(int)))
			require.Equal(t, "main/replica-2", route.Node)
			n, err := db.OnReplica("replica-2").Table("t").Count(told)
			require.NoError(t, err)
			require.Equal(t, int64(1), n)
			require.Equal(t, "main/replica-2", route.Node)
		}
		var unknown *dbfleet.UnknownReplicaError
		_, err := db.Table("t").OnReplica("replica-3").Get(ctx)
		require.ErrorAs(t, err, &unknown)
		require.Equal(t, []string{"main/replica-1", "main/replica-2"}, unknown.Known)
		_, err = db.OnReplica("replica-2").ExecContext(ctx, "DELETE FROM t")
		require.ErrorIs(t, err, dbfleet.ErrReadHandle)
		_, err = db.Table("t").OnReplica("replica-2").SelectRaw("my_function(id) AS n").Get(ctx)
		require.ErrorIs(t, err, dbfleet.ErrReadHandle)
		require.ErrorContains(t, fl.Transaction(ctx, "", func(ctx context.Context, _ *dbfleet.Tx) error {
			_, err := db.Table("t").OnReplica("replica-2").Get(ctx)
			return err
		}), "in a transaction")
		fl.proxies[1].Refuse()
		for range 3 {
			_, err = db.Table("t").OnReplica("replica-2").Get(told)
			require.ErrorIs(t, err, dbfleet.ErrConnection)
			require.Equal(t, "main/replica-2", route.Node)
		}
		fl.proxies[1].Heal()
		require.Eventually(t, func() bool { // what dials as the node is found silent is ended with the rest
			_, err = db.Table("t").OnReplica("replica-2").Get(told)
			return err == nil
		}, 30*time.Second, 10*time.Millisecond, "%v", err)
	})
}

// WithRoute tells where the last statement went: also one that failed, in a transaction and
// of raw SQL.
func TestWithRoute_TellsTheLastStatement(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t, "sqlite")
	db.Exec(t, "CREATE TABLE t (id INT)")
	r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(db)})
	var route, inner dbfleet.Route
	ctx := dbfleet.WithRoute(t.Context(), &route)
	_, err := r.DB("main").Table("t").Get(ctx)
	require.NoError(t, err)
	require.Equal(t, dbfleet.Route{Connection: "main", Node: "main", Role: dbfleet.RolePrimary, Reason: "named by the handle"}, route)
	_, err = r.DB("main").ExecContext(ctx, "INSERT INTO missing VALUES (1)")
	require.Error(t, err)
	require.Contains(t, route.Reason, "a write")
	failure := errors.New("over")
	require.ErrorIs(t, r.Transaction(ctx, "", func(ctx context.Context, tx *dbfleet.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO t VALUES (1)")
		require.NoError(t, err)
		require.True(t, route.Tx)
		route = dbfleet.Route{}
		_, err = tx.Table("t").Get(dbfleet.WithRoute(ctx, &inner))
		require.NoError(t, err)
		require.True(t, inner.Tx)
		require.Zero(t, route, "the innermost counts")
		_, err = r.DB("main").Table("t").Get(ctx)
		require.NoError(t, err)
		require.True(t, route.Tx)
		route = dbfleet.Route{}
		return failure
	}), failure)
	require.Zero(t, route, "ROLLBACK tells nothing")
}

// The primary helps replicas that have just come back. A read that meets one which has fallen
// silent is bounded as one at a replica, goes to a replica then, and is the last to be sent there.
func TestFallback_NoReadWaitsForASilentPrimaryThatHelps(t *testing.T) {
	t.Parallel()
	onFleets(t, nil, func(t *testing.T, fl *fleet) {
		tooBusy := 0
		for range 10 { // until one has met it: the primary helps for a second
			for _, p := range fl.proxies {
				p.Refuse()
				p.Cut()
			}
			fl.goesTo(t, t.Context(), dbfleet.RolePrimary)
			for _, p := range fl.proxies {
				p.Heal()
			}
			fl.goesTo(t, t.Context(), dbfleet.RoleReplica)
			fl.seen.take()
			late := lateness(t)
			fl.primary.Blackhole()
			fl.reads(t, 50)
			var met []dbfleet.QueryEvent
			for _, e := range fl.seen.take() {
				if e.Err != nil && e.Route.Node == "main" {
					met = append(met, e)
				}
			}
			fl.primary.Heal()
			switch lateBy := late(); {
			case len(met) > 0 && lateBy >= tooLate:
				tooBusy++
			case len(met) > 0:
				require.Len(t, met, 1)
				require.NotContains(t, met[0].Err.Error(), "connect to main", "the monitor, which takes two seconds, was the first to find out")
				return
			}
		}
		require.NotZero(t, tooBusy, "no read was sent to the primary")
	})
}
