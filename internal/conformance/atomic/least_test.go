package atomic

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// An account of MariaDB with rights on its tables and no other (none to see the process list,
// to monitor replication, to create a table) can do all: a cancelled statement ends on the
// server, atomic commits are recovered by it, and replicas are measured.
func TestRights_OnTablesAreEnoughOnMariaDB(t *testing.T) {
	t.Parallel()
	c := dbtest.MariaDBCluster(t, 1)
	const account = "least"
	admin := func(text string) {
		t.Helper()
		_, err := c.Primary.Admin().ExecContext(t.Context(), text)
		require.NoError(t, err, text)
	}
	a, b := c.Database(t), c.Database(t)
	admin(fmt.Sprintf("CREATE USER '%s'@'%%' IDENTIFIED BY '%s'", account, a.Password))
	for _, db := range []dbtest.Database{a, b} {
		db.Exec(t, conformance.DDL(db.Dialect, conformance.AccountsTable),
			"CREATE TABLE dbfleet_ledger (id varchar(64) NOT NULL, number integer NOT NULL, state varchar(16) NOT NULL, detail longtext NOT NULL, made bigint NOT NULL, created bigint NOT NULL, finished bigint, incidents longtext NOT NULL, PRIMARY KEY (id, number)) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin")
		for _, table := range []string{"accounts", "dbfleet_ledger"} {
			admin(fmt.Sprintf("GRANT SELECT, INSERT, UPDATE, DELETE ON `%s`.%s TO '%s'@'%%'", db.Name, table, account))
		}
	}
	c.WaitCaughtUp(t)
	proxy := dbtest.NewProxy(t, c.Primary.Addr())
	least := func(db dbtest.Database, addr string) dbfleet.ConnectionConfig {
		db.Username, db.Password = account, a.Password
		host, port, err := net.SplitHostPort(addr)
		require.NoError(t, err)
		db.Host = host
		db.Port, err = strconv.Atoi(port)
		require.NoError(t, err)
		return conformance.ConnectionTo(db)
	}
	open := func(second string) *dbfleet.Registry {
		first := least(a, c.Primary.Addr())
		first.ReadHosts = []string{c.Replicas[0].Addr()}
		first.Reads.MaxLag, first.Reads.ProbeInterval = time.Minute, 50*time.Millisecond
		r, err := dbfleet.Open(dbfleet.Config{Default: "a", Connections: map[string]dbfleet.ConnectionConfig{"a": first, "b": least(b, second)}})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, r.Close()) })
		return r
	}
	r := open(proxy.Addr())

	// A replica, as fresh as is asked.
	require.Eventually(t, func() bool {
		var route dbfleet.Route
		_, err := r.DB("a").Table("accounts").Count(dbfleet.WithRoute(t.Context(), &route))
		return err == nil && route.Node == "a/replica-1"
	}, patience, conformance.WaitingTick)
	for _, n := range r.Nodes() {
		require.True(t, n.Node != "a/replica-1" || n.LagKnown && !n.Lagging)
	}

	// A statement in a transaction that is cancelled.
	ctx, cancel := context.WithCancel(t.Context())
	sleeping := func() (n int) {
		require.NoError(t, c.Primary.Admin().QueryRow("SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'least' AND info LIKE '%SLEEP(61)%'").Scan(&n))
		return n
	}
	over := make(chan error, 1)
	go func() {
		over <- r.Transaction(ctx, "a", func(ctx context.Context, tx *dbfleet.Tx) error {
			if _, err := r.DB("a").ExecContext(ctx, conformance.Inserting("cancelled")); err != nil {
				return err
			}
			_, err := r.DB("a").ExecContext(ctx, "UPDATE accounts SET balance = SLEEP(61)")
			return err
		})
	}()
	require.Eventually(t, func() bool { return sleeping() == 1 }, patience, conformance.WaitingTick)
	cancel()
	select {
	case err := <-over:
		require.ErrorIs(t, err, context.Canceled)
	case <-time.After(patience):
		require.Fail(t, "it hangs")
	}
	require.Eventually(t, func() bool { return sleeping() == 0 }, patience, conformance.WaitingTick, "the server works on")
	require.Empty(t, conformance.Owners(t, a))

	// An atomic commit, and one that a process leaves to another.
	both := func(r *dbfleet.Registry, owner string) error {
		return r.Atomic(t.Context(), []string{"a", "b"}, func(ctx context.Context) error {
			for _, name := range []string{"a", "b"} {
				if _, err := r.DB(name).ExecContext(ctx, conformance.Inserting(owner)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	require.NoError(t, both(r, "one"))
	proxy.On(dbtest.Fault{Marker: "XA COMMIT", Action: dbtest.CutRequest})
	require.ErrorIs(t, both(r, "two"), dbfleet.ErrCommitPending)
	other := open(c.Primary.Addr())
	require.Eventually(t, func() bool {
		found, err := other.Recover(t.Context())
		require.NoError(t, err)
		require.Empty(t, found.Incidents)
		return found.Committed == 1
	}, patience, conformance.WaitingTick)
	list, err := other.InDoubt(t.Context())
	require.NoError(t, err)
	require.Empty(t, list)
	require.Equal(t, []string{"one", "two"}, conformance.Owners(t, a))
	require.Equal(t, []string{"one", "two"}, conformance.Owners(t, b))
	h := other.Health(t.Context())
	require.Equal(t, dbfleet.Healthy, h.Status, "%+v", h)
}
