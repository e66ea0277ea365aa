package dbtest

import (
	"slices"
	"testing"
)

// newLinks are the ways by which replicas of a primary receive.
func newLinks(t testing.TB, primary *Server, n int) []*Proxy {
	t.Helper()
	var links []*Proxy
	for range n {
		links = append(links, NewProxy(t, primary.Addr()))
	}
	return links
}

func newCluster(primary *Server, replicas []*Server, links []*Proxy, r replication) *Cluster {
	c := &Cluster{Primary: primary, Replicas: replicas, replication: r, links: map[*Server]*Proxy{}}
	c.all = c.Servers()
	for i, s := range replicas {
		c.links[s] = links[i]
	}
	return c
}

// Link is the way by which a replica receives from the primary: Delay makes it fall
// behind by a time, Blackhole cuts it off so that it does not notice, Heal ends that.
func (c *Cluster) Link(replica *Server) *Proxy { return c.links[replica] }

// CutReplication ends what a replica receives, who notices and tries again in vain. It
// serves on, and so does the primary. [Cluster.HealReplication] ends it.
func (c *Cluster) CutReplication(_ testing.TB, replica *Server) { c.links[replica].Refuse() }

// HealReplication lets a replica receive again, within a second or two.
func (c *Cluster) HealReplication(_ testing.TB, replica *Server) { c.links[replica].Heal() }

// Proxies puts a proxy of its own before each server, for clients: what replicates does
// not pass there.
//
//	c := dbtest.PostgresCluster(t, 2)
//	db, proxies := c.Database(t), c.Proxies(t)
//	replica := c.Replicas[0]
//	there := proxies[replica].Through(db.On(replica))
//	proxies[replica].Blackhole()
func (c *Cluster) Proxies(t testing.TB) map[*Server]*Proxy {
	t.Helper()
	proxies := map[*Server]*Proxy{}
	for _, s := range c.all {
		proxies[s] = NewProxy(t, s.Addr())
	}
	return proxies
}

// Failover promotes a replica and lets the others follow it: it is Primary then, and
// the old one, which is not touched, is none of Replicas until [Cluster.Rejoin]. A
// replica that had received more than the new primary does not follow, as PostgreSQL
// has it.
func (c *Cluster) Failover(t testing.TB, to *Server) {
	t.Helper()
	c.Promote(t, to)
	c.lead(to)
	for _, s := range c.Replicas {
		c.Follow(t, s)
	}
}

func (c *Cluster) lead(primary *Server) {
	c.Primary = primary
	c.Replicas = slices.DeleteFunc(slices.Clone(c.Replicas), func(s *Server) bool { return s == primary })
}

// Follow makes a running replica follow Primary, who is another server than the one it
// has followed until now.
func (c *Cluster) Follow(t testing.TB, replica *Server) {
	t.Helper()
	link := c.links[replica]
	link.Retarget(c.Primary.Addr())
	link.Cut()
	if err := c.replication.follow(replica); err != nil {
		t.Fatalf("dbtest: follow: %v", err)
	}
}

// Switchover is a planned change of the primary, without the loss of a transaction: the
// old one is a replica of the new one then, and the others follow too. MariaDB's stays up
// and refuses writes (1290) from then on, to those that are connected as well;
// PostgreSQL's is started anew.
func (c *Cluster) Switchover(t testing.TB, to *Server) {
	t.Helper()
	old := c.Primary
	if err := c.replication.handOver(old, to, c.linkOf(t, old, to)); err != nil {
		t.Fatalf("dbtest: switchover: %v", err)
	}
	c.lead(to)
	for _, s := range c.Replicas {
		c.Follow(t, s)
	}
	c.Replicas = append(c.Replicas, old)
}

// Fence makes a server refuse writes while it goes on serving reads, as a failover's
// tool does with a primary that is to be none. MariaDB: read_only, connections stay
// (1290). PostgreSQL: it is started anew, as a standby of nobody (25006).
// [Cluster.Promote] ends it.
func (c *Cluster) Fence(t testing.TB, s *Server) {
	t.Helper()
	if err := c.replication.fence(s); err != nil {
		t.Fatalf("dbtest: fence: %v", err)
	}
}

// Rejoin makes a server a replica of Primary that is none: one that was the primary, or
// that was promoted meanwhile, running or not. It throws its data away and takes those
// of Primary; what it alone had is lost.
func (c *Cluster) Rejoin(t testing.TB, s *Server) {
	t.Helper()
	s.Kill(t)
	if err := c.replication.renew(s, c.Primary, c.linkOf(t, s, c.Primary)); err != nil {
		t.Fatalf("dbtest: rejoin: %v\n%s", err, tail(s.path("log")))
	}
	if !slices.Contains(c.Replicas, s) {
		c.Replicas = append(c.Replicas, s)
	}
}

// linkOf is the link of a server, which leads to primary from now on.
func (c *Cluster) linkOf(t testing.TB, s, primary *Server) *Proxy {
	t.Helper()
	if c.links[s] == nil {
		c.links[s] = NewProxy(t, primary.Addr())
	}
	c.links[s].Retarget(primary.Addr())
	return c.links[s]
}

// Conflict makes a standby of PostgreSQL end each read of a table of db that began
// before, with "canceling statement due to conflict with recovery" (40001), and each
// session that is idle in such a transaction. It returns when they have been ended. A
// transaction that is open on the primary keeps it from happening.
func (c *Cluster) Conflict(t testing.TB, standby *Server, db Database) {
	t.Helper()
	if standby.Dialect != "postgres" {
		t.Fatalf("dbtest: %s knows no conflicts with recovery", standby.Dialect)
	}
	standby.Exec(t, "ALTER SYSTEM SET max_standby_streaming_delay = 0", "SELECT pg_reload_conf()")
	// Versions of rows that a reader may need are removed on the primary, and then there.
	db.On(c.Primary).Exec(t,
		"CREATE TABLE IF NOT EXISTS dbtest_conflict (id INTEGER)",
		"INSERT INTO dbtest_conflict SELECT generate_series(1, 10)",
		"DELETE FROM dbtest_conflict",
		"VACUUM dbtest_conflict")
	c.WaitCaughtUp(t, standby)
}
