package replicas

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// A program that starts while two claim to be the primary writes nothing, not even first. It
// waits for a quarter of a second for one of them that has not said so, which may be all that a
// busy machine needs at times.
func TestTwoPrimaries_AreSeenBeforeTheFirstWrite(t *testing.T) {
	t.Parallel()
	onClusters(t, 1, func(t *testing.T, c *dbtest.Cluster) {
		db, config := bankOn(t, c)
		c.Promote(t, c.Replicas[0])
		hosts := config
		hosts.ReadHosts, hosts.Hosts = nil, config.ReadHosts
		configs := map[string]dbfleet.ConnectionConfig{"Hosts": hosts}
		if !heirIsMariaDB(c.Primary) { // of which a replica that takes writes may be meant so
			configs["ReadHosts"] = config
		}
		const waits = 250 * time.Millisecond
		late := []string{"seed"}
		for name, config := range configs {
			for i := range 10 {
				began := time.Now()
				r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config})
				db := r.DB("main")
				write := fmt.Sprintf("INSERT INTO accounts (owner, balance) VALUES ('%s %d', 0)", name, i)
				var err error
				switch i % 4 {
				case 0:
					_, err = db.ExecContext(t.Context(), write)
				case 1:
					err = db.Transaction(t.Context(), func(ctx context.Context, tx *dbfleet.Tx) error {
						_, err := tx.ExecContext(ctx, write)
						return err
					})
				case 2:
					_, err = db.Pool().ExecContext(t.Context(), write)
				case 3:
					_, err = db.PrepareContext(t.Context(), write)
				}
				if err == nil && time.Since(began) >= waits {
					late = append(late, fmt.Sprintf("%s %d", name, i))
					continue
				}
				require.ErrorIs(t, err, dbfleet.ErrTwoPrimaries, "%s, way %d", name, i%4)
				var two *dbfleet.TwoPrimariesError
				require.ErrorAs(t, err, &two)
				require.Len(t, two.Nodes, 2)
			}
		}
		require.LessOrEqual(t, len(late), 1+2*len(configs), "%q were written", late)
		require.Subset(t, late, conformance.Owners(t, db))
		require.Equal(t, []string{"seed"}, conformance.Owners(t, db.On(c.Replicas[0])))
	})
}

// A node that cannot be reached does not hold up the first write.
func TestTwoPrimaries_WhoCannotBeReachedIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	onClusters(t, 1, func(t *testing.T, c *dbtest.Cluster) {
		_, config := bankOn(t, c)
		config.ConnectTimeout = patient
		c.Replicas[0].Pause(t)
		defer c.Replicas[0].Resume(t)
		hosts := config
		hosts.ReadHosts, hosts.Hosts = nil, config.ReadHosts
		for name, config := range map[string]dbfleet.ConnectionConfig{"Hosts": hosts, "ReadHosts": config} {
			r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config})
			o := soonOver(t, beside(t, func(ctx context.Context) error {
				_, err := r.DB("main").ExecContext(ctx, fmt.Sprintf("INSERT INTO accounts (owner, balance) VALUES ('%s', 0)", name))
				return err
			}))
			require.NoError(t, o.err, name)
			require.Equal(t, "main", o.route.Node)
		}
	})
}

// What was lent or prepared before its server was demoted sends nothing there afterwards,
// also where that server takes writes still.
func TestFailover_NothingIsSentToTheDemotedByWhatWasLentBefore(t *testing.T) {
	t.Parallel()
	for name, lost := range map[string]bool{"one that this program does not see any more": true, "one of two": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onClusters(t, 1, func(t *testing.T, c *dbtest.Cluster) { nothingIsSentTo(t, c, lost) })
		})
	}
}

// nothingIsSentTo has a standby promoted, and the primary lost or not.
func nothingIsSentTo(t *testing.T, c *dbtest.Cluster, lost bool) {
	t.Helper()
	db, config := bankOn(t, c)
	why := "claim to be the primary"
	if lost {
		why = `"main" is not the primary any more`
	}
	proxy := dbtest.NewProxy(t, c.Primary.Addr())
	config.Host, config.Port = proxy.Host, proxy.Port
	config.Hosts, config.ReadHosts = config.ReadHosts, nil
	r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config})
	main := r.DB("main")
	const write = "INSERT INTO accounts (owner, balance) VALUES ('lost', 0)"
	const harmless = "UPDATE accounts SET balance = 1 WHERE owner = 'seed'"
	pool := main.Pool()
	ofPool, err := pool.PrepareContext(t.Context(), write)
	require.NoError(t, err)
	defer func() { _ = ofPool.Close() }()
	prepared, err := main.PrepareContext(t.Context(), write)
	require.NoError(t, err)
	defer func() { _ = prepared.Close() }()
	held, err := pool.Conn(t.Context())
	require.NoError(t, err)
	defer func() { _ = held.Close() }()
	tx, err := pool.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	defer func() { _ = tx.Rollback() }()
	_, err = tx.ExecContext(t.Context(), write)
	require.NoError(t, err)

	pinned := main.Conn(t.Context(), func(ctx context.Context, kept *dbfleet.Conn) error {
		_, err := kept.ExecContext(ctx, harmless)
		require.NoError(t, err)
		if lost { // by this program alone, as in a partition
			proxy.Refuse()
		}
		c.Promote(t, c.Replicas[0])
		require.Eventually(t, func() bool {
			var route dbfleet.Route
			_, err := main.ExecContext(dbfleet.WithRoute(ctx, &route), harmless)
			return !lost && errors.Is(err, dbfleet.ErrTwoPrimaries) || err == nil && route.Node == "main/host-2"
		}, soon, 10*time.Millisecond)

		_, err = kept.ExecContext(ctx, write)
		require.ErrorContains(t, err, why, "a Conn")
		require.NotErrorIs(t, err, dbfleet.ErrOutcomeUnknown)
		return nil
	})
	require.NoError(t, pinned)
	for name, exec := range map[string]func() error{
		"a pool":                func() error { _, err := pool.ExecContext(t.Context(), write); return err },
		"a statement of a pool": func() error { _, err := ofPool.ExecContext(t.Context()); return err },
		"a statement":           func() error { _, err := prepared.ExecContext(t.Context()); return err },
		"a *sql.Conn":           func() error { _, err := held.ExecContext(t.Context(), write); return err },
		"a *sql.Tx":             tx.Commit,
	} {
		err := exec()
		require.ErrorContains(t, err, why, name)
	}
	require.Equal(t, []string{"seed"}, conformance.Owners(t, db))
	if _, err = main.Pool().ExecContext(t.Context(), harmless); lost {
		require.NoError(t, err, "a pool that is lent now")
	} else {
		require.ErrorIs(t, err, dbfleet.ErrTwoPrimaries, "a pool that is lent now")
	}
}
