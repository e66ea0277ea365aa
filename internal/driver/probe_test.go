//go:build !dbfleet_no_postgres && !dbfleet_no_mysql && !dbfleet_no_sqlite

package driver

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dbtest"
	"github.com/dbfleet/dbfleet/internal/position"
)

// probeOf is a probe that ends with the test.
func probeOf(t testing.TB, p *Pool) *Probe {
	t.Helper()
	pr := p.NewProbe()
	t.Cleanup(func() { require.NoError(t, pr.Close()) })
	return pr
}

func report(t testing.TB, pr *Probe) Report {
	t.Helper()
	r, err := pr.Ask(t.Context())
	require.NoError(t, err)
	return r
}

func TestProbe_TellsRolesAndPositions(t *testing.T) {
	t.Parallel()
	clusters(t, 2, func(t *testing.T, cluster *dbtest.Cluster, db dbtest.Database) {
		pool := open(t, optionsFor(db))
		writer := acquire(t, pool)
		mustExec(t, writer, "CREATE TABLE t (id INT PRIMARY KEY)")
		cluster.WaitCaughtUp(t)
		primary := probeOf(t, pool)
		a, b := probeOf(t, open(t, guardOf(db, cluster.Replicas[0]))), probeOf(t, open(t, guardOf(db, cluster.Replicas[1])))
		p, ra, rb := report(t, primary), report(t, a), report(t, b)
		require.Equal(t, []any{RoleWritable, RoleStandby, RoleStandby}, []any{p.Role, ra.Role, rb.Role})
		require.Equal(t, p.System, ra.System)
		require.Len(t, map[string]bool{p.Server: true, ra.Server: true, rb.Server: true, "": true}, 4)
		require.Equal(t, p.Server, report(t, primary).Server)
		require.False(t, p.Guessed)
		reaches := func(pr *Probe, target position.Position) {
			t.Helper()
			require.Eventually(t, func() bool { return report(t, pr).Position.Reached(target) == position.Yes }, 30*time.Second, 5*time.Millisecond)
		}
		reaches(a, p.Position)
		reaches(b, p.Position)

		// idle at the beginning of a segment, where nothing but a header was written
		if db.Dialect == "postgres" {
			for range 3 {
				_, err := db.Server.Admin().Exec("SELECT pg_switch_wal()")
				require.NoError(t, err)
				reaches(b, report(t, primary).Position)
			}
		}

		// replay paused: what is received is further than what is applied
		cluster.PauseReplay(t, cluster.Replicas[0])
		mustExec(t, writer, "INSERT INTO t VALUES (1)")
		written := positionOf(t, writer)
		require.Equal(t, position.Yes, report(t, primary).Position.Reached(written))
		reaches(b, written)
		r := report(t, a)
		require.Equal(t, position.No, r.Position.Reached(written))
		require.NotEqual(t, position.No, r.Received.Reached(r.Position))
		if db.Dialect == "postgres" {
			require.Eventually(t, func() bool { return report(t, a).Received.Reached(written) == position.Yes }, 30*time.Second, 5*time.Millisecond)
		}
		cluster.ResumeReplay(t, cluster.Replicas[0])
		reaches(a, written)

		// promoted: another role, another line
		cluster.Primary.Kill(t)
		_, err := primary.Ask(t.Context())
		require.Equal(t, Connection, Classify(err).Class, "%v", err)
		reaches(a, written) // nothing is received any more
		cluster.Promote(t, cluster.Replicas[0])
		promoted := acquire(t, open(t, optionsFor(db.On(cluster.Replicas[0]))))
		mustExec(t, promoted, "INSERT INTO t VALUES (2)")
		after := positionOf(t, promoted)
		r = report(t, a)
		require.Equal(t, RoleWritable, r.Role)
		require.Equal(t, p.System, r.System)
		require.Equal(t, position.Yes, r.Position.Reached(after))
		require.Equal(t, position.Unknown, r.Position.Reached(written), "it cannot know whether it had that")
		require.NotEqual(t, written.Line(), after.Line())
		require.NotEqual(t, position.Yes, report(t, b).Position.Reached(after), "it follows nobody")
	})
}

// A privileged account sees the timeline that is received, the others what the standby has noted.
func TestProbe_SaysWhetherTheTimelineIsGuessed(t *testing.T) {
	t.Parallel()
	cluster := dbtest.PostgresCluster(t, 1)
	db := cluster.Database(t)
	c := acquire(t, open(t, optionsFor(db)))
	mustExec(t, c, createT)
	cluster.WaitCaughtUp(t)
	pr := probeOf(t, open(t, guardOf(db, cluster.Replicas[0])))
	require.EqualValues(t, 1, report(t, pr).Position.Timeline())
	mustExec(t, c, "INSERT INTO t VALUES (1, 'a')")
	cluster.WaitCaughtUp(t)
	require.True(t, report(t, pr).Guessed)
	_, err := db.Server.Admin().Exec(`GRANT pg_read_all_stats TO "` + db.Username + `"`)
	require.NoError(t, err)
	cluster.WaitCaughtUp(t)
	require.Eventually(t, func() bool { return !report(t, pr).Guessed }, 30*time.Second, 5*time.Millisecond)
	cluster.Primary.Kill(t) // what was received until then is known
	for range 50 {
		r := report(t, pr)
		require.False(t, r.Guessed)
		require.EqualValues(t, 1, r.Position.Timeline())
	}
}

func TestProbe_IsOutsideOfThePool(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, db dbtest.Database) {
		o := optionsFor(db)
		o.MaxOpen = 1
		p := open(t, o)
		acquire(t, p)
		for range maxDials {
			p.dials <- struct{}{}
		}
		pr := probeOf(t, p)
		require.Equal(t, RoleWritable, report(t, pr).Role)
		for range maxDials {
			<-p.dials
		}
		require.Equal(t, 1, p.DB().Stats().OpenConnections)
	})
}

func TestProbe_OpensAgainAfterAnError(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, db dbtest.Database) {
		proxy, o := proxied(t, db)
		pr := probeOf(t, open(t, o))
		report(t, pr)
		report(t, pr)
		require.Equal(t, 1, proxy.Accepted(), "it stays open")
		proxy.Refuse()
		for range 3 {
			_, err := pr.Ask(t.Context())
			require.Equal(t, Connection, Classify(err).Class, "%v", err)
		}
		proxy.Heal()
		require.Equal(t, RoleWritable, report(t, pr).Role)
		require.NoError(t, pr.Close())
		require.NoError(t, pr.Close())
		require.NoError(t, pr.pool.Close())
		_, err := pr.Ask(t.Context())
		require.ErrorIs(t, err, ErrPoolClosed)
	})
}

func TestProbe_ReturnsWithItsContext(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, db dbtest.Database) {
		proxy, o := proxied(t, db)
		pr := probeOf(t, open(t, o))
		report(t, pr)
		proxy.Blackhole()
		for range 3 { // open, and opening
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			start := time.Now()
			_, err := pr.Ask(ctx)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.Less(t, time.Since(start), 10*time.Second, "not after the time for connecting")
			cancel()
		}
		proxy.Heal()
		report(t, pr)
	})
}

func TestProbe_OfADatabaseWithoutRolesIsAnAnswer(t *testing.T) {
	t.Parallel()
	p := open(t, optionsFor(dbtest.New(t, "sqlite")))
	require.Equal(t, Report{}, report(t, probeOf(t, p)))
}

// Seen: a session that gave a replica 50 ms was held up by it for half a second more.
func TestReport_IsBackAtTheEndOfItsTimeFromASilentServer(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, db dbtest.Database) {
		proxy, o := proxied(t, db)
		p := open(t, o)
		require.Eventually(t, func() bool { // a busy machine may be late
			proxy.Heal()
			c, err := p.Acquire(t.Context(), time.Minute)
			require.NoError(t, err)
			defer c.Release()
			proxy.Blackhole()
			ctx, cancel := context.WithTimeout(t.Context(), stopWait/10)
			defer cancel()
			began := time.Now()
			_, err = c.Report(ctx)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			return time.Since(began) < stopWait
		}, 30*time.Second, time.Millisecond)
	})
}
