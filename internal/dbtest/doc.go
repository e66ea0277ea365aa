// Package dbtest gives tests real databases: a file for SQLite, and a database
// of its own on a private PostgreSQL or MariaDB server that this package starts
// and stops.
//
//	func TestMain(m *testing.M) { dbtest.Main(m) }
//
//	func TestSomething(t *testing.T) {
//		t.Parallel()
//		dbtest.Each(t, func(t *testing.T, db dbtest.Database) { … })
//	}
//
// The first test that asks for a dialect starts the server, the others of the
// same test binary share it. Tests that break servers take one of their own
// ([StartPostgres], [StartMariaDB]) or a replicated set ([PostgresCluster],
// [MariaDBCluster]); tests that break connections put a [Proxy] in between.
//
// Replicated sets change as a test says: replicas are held, cut off, promoted, fenced,
// taken back.
//
//	c := dbtest.MariaDBCluster(t, 2)
//	db, proxies := c.Database(t), c.Proxies(t)
//	old, next := c.Primary, c.Replicas[0]
//	proxies[old].Blackhole()   // clients do not reach it, its replicas do
//	c.WaitCaughtUp(t)
//	c.Fence(t, old)
//	c.Failover(t, next)        // c.Primary is next, the other replica follows it
//	proxies[old].Heal()
//	c.Rejoin(t, old)           // a replica of next, without what it alone had
//
// What stands before databases in production, or leads them, is as real: [StartHAProxy],
// [StartPgBouncer], [StartPatroni], [StartGalera].
//
//	p := dbtest.StartPatroni(t, 2)
//	h := dbtest.StartHAProxy(t, dbtest.HAProxyConfig{Backends: p.Backends(), Check: "/primary"})
//	db := h.Through(p.Database(t))
//	old := p.Leader(t)
//	old.Kill(t)
//	leader := p.WaitLeader(t, old)
//
// The servers listen on a loopback port and on a unix socket, as an unprivileged
// user when the tests run as root. They speak TLS to who asks, with a certificate
// of [Database.CAFile]. They are tuned to lose data only when the machine crashes:
// a killed server comes back with all that it had committed. On Linux no server
// outlives its test binary, however that ends.
//
// Their defaults are deliberately unlike what dbfleet promises for a session:
// the time zone is not UTC, and MariaDB has a lenient sql_mode and latin1 as its
// character set. A test that passes here does not owe it to the server's settings.
//
// A database or engine that is not installed is skipped, unless DBFLEET_TEST_REQUIRE
// names it ("postgres,mysql,haproxy,pgbouncer,patroni,galera"): then it is a failure.
// DBFLEET_TEST_DIALECTS selects the dialects that tests run on ("sqlite"); the others,
// and the engines of none that is selected, are skipped as if they were not installed.
// DBFLEET_TEST_POSTGRES_BIN and DBFLEET_TEST_MARIADB_BIN name the folder of the
// programs where they are somewhere unusual.
package dbtest
