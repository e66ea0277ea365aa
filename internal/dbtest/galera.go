package dbtest

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"
)

// A Galera is a cluster of MariaDB servers each of which takes writes: a transaction
// is certified on all of them when it commits, and one that another node's was before
// ends with a deadlock (1213). Each node is a server: Stop, Kill, Pause and Start do
// what they do elsewhere, and a node that starts catches up with those that run, who
// must be more than half of the last ones that met ([Galera.Bootstrap] otherwise).
//
//	g := dbtest.StartGalera(t, 3)
//	db := g.Database(t)
//	db.On(g.Nodes[1]).Exec(t, "INSERT …")
//	g.WaitCaughtUp(t)
//	g.Reject(t, g.Nodes[0])    // it is up, and answers each statement with 1047
//
// Locks, GET_LOCK, XA and LOCK TABLES know nothing of the other nodes.
type Galera struct {
	Nodes []*Server

	ports []galeraPorts

	mu   sync.Mutex // protects following fields
	held map[*Server]*sql.Conn
}

// galeraTimeout is how long nodes may take to agree.
const galeraTimeout = 60 * time.Second

// StartGalera starts a cluster of n nodes for one test and ends it with the test. A
// test without MariaDB and the Galera library is skipped, see the package comment.
// Settings are options of mariadbd without the dashes, for all.
func StartGalera(t testing.TB, n int, settings ...string) *Galera {
	t.Helper()
	needs(t, "galera")
	g := &Galera{held: map[*Server]*sql.Conn{}}
	for range n {
		ports, err := reserveGaleraPorts()
		if err != nil {
			t.Fatalf("dbtest: galera: %v", err)
		}
		g.ports = append(g.ports, ports)
	}
	start := func(i int) (*Server, error) {
		e := &galera{cluster: g, number: i}
		e.first.Store(i == 0)
		s, err := newServer(e, settings, fromTemplate(e))
		if err != nil {
			return s, err
		}
		return s, s.launchAnywhere()
	}
	g.Nodes = each(t, 1, start)
	g.Nodes = append(g.Nodes, each(t, n-1, func(i int) (*Server, error) { return start(i + 1) })...)
	g.WaitSize(t, n)
	return g
}

// Database returns a fresh database that every node has. It names the first; see
// [Database.On] for the others.
func (g *Galera) Database(t testing.TB) Database {
	t.Helper()
	db := g.Nodes[0].create(t)
	t.Cleanup(func() {
		for _, s := range g.Nodes {
			if s.Running() && s.answers() == nil { // a node that is cut off tells nothing
				s.reportConnections(t, db)
			}
		}
	})
	g.WaitCaughtUp(t)
	return db
}

// WaitCaughtUp waits until these nodes, all if none is named, show what was committed
// on any of the cluster before the call.
func (g *Galera) WaitCaughtUp(t testing.TB, which ...*Server) {
	t.Helper()
	if len(which) == 0 {
		which = g.Nodes
	}
	for _, s := range which {
		if err := execAll(s.admin, "SET SESSION wsrep_sync_wait = 15", "SELECT 1 FROM mysql.global_priv LIMIT 1"); err != nil {
			t.Fatalf("dbtest: galera: %v\n%s", err, tail(s.path("log")))
		}
	}
}

// WaitSize waits until each node that serves sees a cluster of n nodes, itself among
// them: those that left were missed, those that came are there.
func (g *Galera) WaitSize(t testing.TB, n int) {
	t.Helper()
	var last error
	agreed := poll(galeraTimeout, func() bool {
		last = nil
		serving := 0
		for _, s := range g.Nodes {
			if !s.Running() {
				continue
			}
			size, err := wsrepStatus(s, "wsrep_cluster_size")
			if status, _ := wsrepStatus(s, "wsrep_cluster_status"); err != nil || status != "Primary" {
				last = errors.Join(last, err)
				continue
			}
			serving++
			if size != fmt.Sprint(n) {
				last = fmt.Errorf("a node sees %s", size)
				return false
			}
		}
		return serving == n
	})
	if !agreed {
		t.Fatalf("dbtest: galera: no cluster of %d nodes after %v (%v):\n%s", n, galeraTimeout, last, g.logs())
	}
}

// WaitReady waits until a node serves: it is a member and has caught up.
func (g *Galera) WaitReady(t testing.TB, s *Server) {
	t.Helper()
	if !poll(galeraTimeout, func() bool { return s.answers() == nil }) {
		t.Fatalf("dbtest: galera: the node does not serve after %v: %v\n%s", galeraTimeout, s.answers(), tail(s.path("log")))
	}
}

// Reject makes a node answer every statement on a table with 1047 ("not yet prepared
// node for application use"), as one does that has lost the others. It stays a member
// and applies what they write. Open connections stay open.
func (g *Galera) Reject(t testing.TB, s *Server) {
	t.Helper()
	s.Exec(t, "SET GLOBAL wsrep_reject_queries = ALL")
}

// Accept ends Reject.
func (g *Galera) Accept(t testing.TB, s *Server) {
	t.Helper()
	s.Exec(t, "SET GLOBAL wsrep_reject_queries = NONE")
}

// Isolate cuts a node off from the others, whose clients reach it all the same. It
// returns when it has noticed and answers with 1047, and the others go on without it
// if they are more than half.
func (g *Galera) Isolate(t testing.TB, s *Server) {
	t.Helper()
	s.Exec(t, "SET GLOBAL wsrep_provider_options = 'gmcast.isolate=1'")
	if !poll(galeraTimeout, func() bool {
		status, err := wsrepStatus(s, "wsrep_cluster_status")
		return err == nil && status != "Primary"
	}) {
		t.Fatalf("dbtest: galera: the node serves %v after it was isolated:\n%s", galeraTimeout, tail(s.path("log")))
	}
	if rest := g.running() - 1; rest > len(g.Nodes)/2 {
		g.WaitSize(t, rest)
	}
}

// Join ends Isolate and waits until the node has caught up.
func (g *Galera) Join(t testing.TB, s *Server) {
	t.Helper()
	s.Exec(t, "SET GLOBAL wsrep_provider_options = 'gmcast.isolate=0'")
	g.WaitReady(t, s)
}

// Desync makes a node one that the others do not wait for, as a donor of a copy is: it
// serves reads of what it has, and applies nothing of what the others write until
// [Galera.Sync]. Its own writes wait until then.
func (g *Galera) Desync(t testing.TB, s *Server) {
	t.Helper()
	s.Exec(t, "SET GLOBAL wsrep_desync = ON")
	conn, err := s.admin.Conn(t.Context())
	if err == nil {
		_, err = conn.ExecContext(t.Context(), "FLUSH TABLES WITH READ LOCK")
	}
	if err != nil {
		t.Fatalf("dbtest: galera: %v", err)
	}
	g.mu.Lock()
	g.held[s] = conn
	g.mu.Unlock()
	t.Cleanup(func() { g.release(s) })
}

func (g *Galera) release(s *Server) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if conn := g.held[s]; conn != nil {
		conn.Close() // the lock ends with its connection: the pool keeps none
		delete(g.held, s)
	}
}

// Sync ends Desync and waits until the node has caught up.
func (g *Galera) Sync(t testing.TB, s *Server) {
	t.Helper()
	g.release(s)
	s.Exec(t, "SET GLOBAL wsrep_desync = OFF")
	g.WaitReady(t, s)
}

// Bootstrap starts a node as the first of a cluster, when none runs. The others follow
// with Start. The node must be the one that stopped last, or its data win.
func (g *Galera) Bootstrap(t testing.TB, s *Server) {
	t.Helper()
	s.engine.(*galera).first.Store(true)
	s.Start(t)
}

func (g *Galera) running() (n int) {
	for _, s := range g.Nodes {
		if s.Running() {
			n++
		}
	}
	return n
}

func (g *Galera) logs() (text string) {
	for i, s := range g.Nodes {
		text += fmt.Sprintf("node %d:\n%s\n", i, tail(s.path("log")))
	}
	return text
}

func wsrepStatus(s *Server, name string) (value string, err error) {
	ctx, cancel := contextWithin(5 * time.Second)
	defer cancel()
	var ignored string
	err = s.admin.QueryRowContext(ctx, "SHOW GLOBAL STATUS LIKE '"+name+"'").Scan(&ignored, &value)
	return value, err
}

// Forget removes what a stopped node knows of its state: at its next start it takes a
// copy of all that another one has, which is busy meanwhile.
func (g *Galera) Forget(t testing.TB, s *Server) {
	t.Helper()
	if s.Running() {
		t.Fatalf("dbtest: galera: the node runs")
	}
	if err := os.Remove(s.path("data/grastate.dat")); err != nil {
		t.Fatalf("dbtest: galera: %v", err)
	}
}
