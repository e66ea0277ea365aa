package replicas

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// A standby is promoted under the load of writers, in sessions too, planned and after a
// death: every write that is acknowledged (after a death: since the promotion) is on the
// new primary, a session reads what it has written, and the first write comes through not much later than
// that of a loop that polls the new primary.
func TestHosts_APromotionUnderWriters(t *testing.T) {
	t.Parallel()
	for name, planned := range map[string]bool{"planned": true, "by a kill": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onClusters(t, 1, func(t *testing.T, c *dbtest.Cluster) { promotedUnderWriters(t, c, planned) })
		})
	}
}

func promotedUnderWriters(t *testing.T, c *dbtest.Cluster, planned bool) {
	t.Helper()
	db, config := bankOn(t, c)
	config.Hosts = config.ReadHosts // they serve reads too
	r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config})
	accounts := conformance.Model[conformance.Account](t, r, dbfleet.ModelConfig{Table: "accounts"})
	l := writing(t, accounts, 4)
	var stale, seen atomic.Int64
	for i := range 2 {
		l.group.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-l.stop:
					return
				default:
				}
				ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
				ctx = dbfleet.WithSession(ctx)
				owner := fmt.Sprintf("s%d-%d", i, n)
				if accounts.Create(ctx, &conformance.Account{Owner: owner}) == nil {
					l.mu.Lock()
					l.acked[owner] = time.Now()
					l.mu.Unlock()
					found, err := accounts.Where("owner", "=", owner).Count(ctx)
					switch {
					case err == nil && found == 1:
						seen.Add(1)
					case err == nil && planned: // after a kill it may not have reached the heir
						stale.Add(1)
					}
				}
				cancel()
			}
		})
	}
	require.Eventually(t, func() bool { return l.since(time.Time{}) > 50 && seen.Load() > 5 }, soon, 10*time.Millisecond)

	heir := c.Replicas[0]
	if planned {
		demote(t, c, heir)
	} else {
		c.Primary.Kill(t)
	}
	c.Promote(t, heir)
	promoted, late := time.Now(), lateness(t)
	control := writable(t, db.On(heir))
	require.Eventually(t, func() bool { return l.since(promoted) > 50 }, soon, 5*time.Millisecond, "%v", l.errs)
	lateBy := late()
	l.end()
	first := time.Time{}
	for _, at := range l.acked {
		if at.After(promoted) && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	require.Less(t, first.Sub(promoted), 3*(control.Sub(promoted)+time.Second+lateBy))
	require.Zero(t, stale.Load(), "of %d reads of a session's own write", seen.Load())
	if !planned { // asynchronous replication may have lost the last before it
		for owner, at := range l.acked {
			if at.Before(promoted) {
				delete(l.acked, owner)
			}
		}
	}
	l.requireAllOn(t, db.On(heir))
}

// writable is when a server has first taken a write, as a loop on database/sql sees it.
func writable(t *testing.T, db dbtest.Database) time.Time {
	t.Helper()
	ask := "SELECT NOT pg_is_in_recovery()"
	if db.Dialect != "postgres" {
		ask = "SELECT @@global.read_only = 0"
	}
	require.Eventually(t, func() bool {
		var yes bool
		err := admin(db).QueryRow(ask).Scan(&yes)
		return err == nil && yes
	}, soon, time.Millisecond)
	db.Exec(t, conformance.Inserting("by hand"))
	return time.Now()
}

func admin(db dbtest.Database) *sql.DB { return db.Server.Admin() }

// hazard: standbys that are listed as replicas too have the names of hosts, which none may be
// given; a list without names must be as good the second time, from whoever tells it.
func TestHosts_ThatAreReplicasAreListedAgain(t *testing.T) {
	t.Parallel()
	onClusters(t, 2, func(t *testing.T, c *dbtest.Cluster) {
		_, config := bankOn(t, c)
		config.Hosts = config.ReadHosts
		list := []dbfleet.ReplicaConfig{{Host: c.Replicas[0].Addr(), Weight: 2}, {Host: c.Replicas[1].Addr()}}
		r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config})
		require.NoError(t, r.DB("main").Ping(t.Context()))
		all := []string{"main", "main/host-2", "main/host-3"}
		for _, listed := range [][]dbfleet.ReplicaConfig{list, list, {list[1], list[0]}, list[:1], nil, list[1:], list} {
			require.NoError(t, r.SetReplicas(t.Context(), "main", listed))
			require.Equal(t, all, names(r))
			for i, name := range []string{"host-2", "host-3"} {
				is := slices.ContainsFunc(listed, func(r dbfleet.ReplicaConfig) bool { return r.Host == list[i].Host })
				err := r.DB("main").OnReplica(name).Ping(t.Context())
				var unknown *dbfleet.UnknownReplicaError
				require.Equal(t, !is, errors.As(err, &unknown), "%s of %v: %v", name, listed, err)
			}
		}
		require.Equal(t, 2, stateOf(r, "main/host-2").Weight)
		// A replica beside them gets a name that is free.
		beside := dbtest.NewProxy(t, c.Replicas[0].Addr())
		for range 2 {
			require.NoError(t, r.SetReplicas(t.Context(), "main", append(list[:1:1], dbfleet.ReplicaConfig{Host: beside.Addr()})))
			require.Equal(t, append(all, "main/replica-2"), names(r))
		}
	})
}
