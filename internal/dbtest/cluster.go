package dbtest

import (
	"testing"
	"time"
)

// replicationTimeout is how long replicas may take to do what they are asked.
const replicationTimeout = 30 * time.Second

// A Cluster is a primary and its replicas, which belong to one test. All rights,
// accounts and databases are the same on each.
//
// MariaDB does not survive a crash in the middle of DDL that it replicates: call
// WaitCaughtUp between CREATE TABLE and the Kill of a replica.
type Cluster struct {
	Primary  *Server
	Replicas []*Server

	replication replication
	all         []*Server          // also those that follow nobody now
	links       map[*Server]*Proxy // what each receives from the primary passes there
}

// replication is what differs between the databases.
type replication interface {
	// position is where the primary is.
	position(primary *Server) (string, error)
	// reached waits a moment for the replica to have applied all up to position.
	reached(replica *Server, position string) (bool, error)
	// hold stops or continues the application of what arrives, which goes on arriving.
	hold(primary, replica *Server) error
	release(replica *Server) error
	promote(replica *Server) error
	// follow makes a replica that runs follow the server that its link leads to now.
	follow(replica *Server) error
	// fence makes a server refuse writes.
	fence(s *Server) error
	// handOver makes to the primary, and the primary its replica, with all that was
	// committed.
	handOver(primary, to *Server, link *Proxy) error
	// renew starts a server that is stopped as a replica of the primary, with its data
	// and none of its own.
	renew(s, primary *Server, link *Proxy) error
}

// Database returns a fresh database that every server of the cluster has. It
// names the primary; see [Database.On] for the replicas.
func (c *Cluster) Database(t testing.TB) Database {
	t.Helper()
	db := c.Primary.create(t)
	t.Cleanup(func() {
		for _, s := range c.all {
			s.reportConnections(t, db)
		}
	})
	c.WaitCaughtUp(t)
	return db
}

// Servers are the primary and the replicas.
func (c *Cluster) Servers() []*Server { return append([]*Server{c.Primary}, c.Replicas...) }

// WaitCaughtUp waits until the replicas show all that was committed on the
// primary before the call. Replicas that are down, paused or held are waited
// for as well: name those that are not in which to wait for fewer.
func (c *Cluster) WaitCaughtUp(t testing.TB, which ...*Server) {
	t.Helper()
	if len(which) == 0 {
		which = c.Replicas
	}
	position, err := c.replication.position(c.Primary)
	if err != nil {
		t.Fatalf("dbtest: position of the primary: %v", err)
	}
	for i, replica := range which {
		var reached bool
		poll(replicationTimeout, func() bool {
			reached, err = c.replication.reached(replica, position)
			return reached
		})
		if !reached {
			t.Fatalf("dbtest: replica %d did not reach %s within %v (%v):\n%s",
				i+1, position, replicationTimeout, err, tail(replica.path("log")))
		}
	}
}

// PauseReplay makes a replica fall behind: it goes on receiving and applies
// nothing until [Cluster.ResumeReplay].
func (c *Cluster) PauseReplay(t testing.TB, replica *Server) {
	t.Helper()
	if err := c.replication.hold(c.Primary, replica); err != nil {
		t.Fatalf("dbtest: pause replay: %v", err)
	}
}

// ResumeReplay lets a replica apply what it has received.
func (c *Cluster) ResumeReplay(t testing.TB, replica *Server) {
	t.Helper()
	if err := c.replication.release(replica); err != nil {
		t.Fatalf("dbtest: resume replay: %v", err)
	}
}

// Promote makes a replica a primary of its own that takes writes, as a failover
// would. It does not touch the old primary, nor the other replicas; [Cluster.Failover]
// lets these follow it.
func (c *Cluster) Promote(t testing.TB, replica *Server) {
	t.Helper()
	if err := c.replication.promote(replica); err != nil {
		t.Fatalf("dbtest: promote: %v", err)
	}
}

// each calls f for n replicas at a time and returns their servers.
func each(t testing.TB, n int, f func(i int) (*Server, error)) []*Server {
	t.Helper()
	type result struct {
		i   int
		s   *Server
		err error
	}
	results := make(chan result)
	for i := range n {
		go func() {
			s, err := f(i)
			results <- result{i, s, err}
		}()
	}
	servers := make([]*Server, n)
	var failed error
	for range n {
		r := <-results
		servers[r.i] = r.s
		if r.s != nil {
			t.Cleanup(r.s.abandon)
		}
		if r.err != nil {
			failed = r.err
		}
	}
	if failed != nil {
		t.Fatalf("dbtest: replica: %v", failed)
	}
	return servers
}
