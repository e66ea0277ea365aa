package dbtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"testing"
	"time"
)

// A Patroni is a cluster of PostgreSQL servers of which Patroni makes one the primary,
// and another one when it is gone: about ten seconds after a crash, at once after
// [Patroni.Switchover]. Each node is a server and its Patroni: Stop and Kill end both,
// Pause freezes both, Start starts Patroni, which starts the server and makes it follow
// whoever leads.
//
//	p := dbtest.StartPatroni(t, 2)
//	db := p.Database(t)
//	old := p.Leader(t)
//	old.Kill(t)
//	leader := p.WaitLeader(t, old)     // another one than old
//	db.On(leader).Exec(t, "INSERT …")
//	old.Start(t)                       // comes back as a standby
//	p.WaitStandby(t, old)
type Patroni struct {
	// Nodes are the servers, whichever leads.
	Nodes []*Server

	etcd *etcd
}

// patroniScope is the name of the cluster in etcd, which it has for itself.
const patroniScope = "dbtest"

// failoverTimeout is how long a cluster may be without a leader.
const failoverTimeout = 90 * time.Second

// StartPatroni starts a cluster of n nodes for one test and ends it with the test. A
// test without an installed Patroni and etcd is skipped, see the package comment.
// Settings are lines of postgresql.conf such as "wal_keep_size=1GB"; those that
// Patroni decides itself it ignores.
func StartPatroni(t testing.TB, n int, settings ...string) *Patroni {
	t.Helper()
	needs(t, "patroni")
	p := &Patroni{etcd: startEtcd(t)}
	config, err := json.Marshal(patroniDynamic())
	if err == nil {
		err = p.etcd.put("/service/"+patroniScope+"/config", string(config))
	}
	if err != nil {
		t.Fatalf("dbtest: patroni: %v", err)
	}
	// The first one brings the data that the others copy.
	first, err := p.node(1, settings, fromTemplate(postgres{}))
	p.Nodes = append(p.Nodes, own(t, first, err))
	p.WaitLeader(t)
	p.Nodes = append(p.Nodes, each(t, n-1, func(i int) (*Server, error) {
		s, err := p.node(i+2, settings, func(*workspace, string) (string, error) { return first.adminPassword, nil })
		if err != nil {
			return s, err
		}
		return s, s.launchAnywhere()
	})...)
	for _, s := range p.Nodes[1:] {
		p.WaitStandby(t, s)
	}
	return p
}

func (p *Patroni) node(number int, settings []string, fill func(*workspace, string) (string, error)) (*Server, error) {
	w, err := openWorkspace()
	if err != nil {
		return nil, err
	}
	api, err := w.reservePort()
	if err != nil {
		return nil, err
	}
	return newServer(patroni{name: "node" + strconv.Itoa(number), api: api, etcd: p.etcd}, settings, fill)
}

// Database returns a fresh database that every node has. It names the leader; see
// [Database.On] for the others.
func (p *Patroni) Database(t testing.TB) Database {
	t.Helper()
	leader := p.Leader(t)
	db := leader.create(t)
	t.Cleanup(func() {
		for _, s := range p.Nodes {
			s.reportConnections(t, db)
		}
	})
	p.WaitCaughtUp(t)
	return db
}

// WaitCaughtUp waits until the standbys that run show all that the leader has
// committed before the call.
func (p *Patroni) WaitCaughtUp(t testing.TB) {
	t.Helper()
	c := &Cluster{Primary: p.Leader(t), replication: streaming{}}
	for _, s := range p.Nodes {
		if s != c.Primary && s.Running() {
			c.Replicas = append(c.Replicas, s)
		}
	}
	c.WaitCaughtUp(t)
}

// APIPort is the port of a node's REST interface, for [Backend.CheckPort]: GET /primary
// answers with 200 on the leader only, /replica on a standby.
func (p *Patroni) APIPort(s *Server) int { return s.engine.(patroni).api }

// Backends are the nodes for an HAProxy with "/primary" or "/replica" as its Check.
func (p *Patroni) Backends() []Backend {
	var all []Backend
	for _, s := range p.Nodes {
		all = append(all, Backend{Server: s, CheckPort: p.APIPort(s)})
	}
	return all
}

func (p *Patroni) ask(s *Server, path string) error {
	return request(http.MethodGet, p.url(s, path), nil)
}

func (p *Patroni) url(s *Server, path string) string {
	return "http://" + net.JoinHostPort(loopback, strconv.Itoa(p.APIPort(s))) + path
}

// Leader is the node that is primary now. It waits for one.
func (p *Patroni) Leader(t testing.TB) *Server {
	t.Helper()
	return p.WaitLeader(t)
}

// WaitLeader waits until a node leads and takes writes that is none of these.
func (p *Patroni) WaitLeader(t testing.TB, except ...*Server) *Server {
	t.Helper()
	var leader *Server
	found := poll(failoverTimeout, func() bool {
		for _, s := range p.Nodes {
			excepted := false
			for _, e := range except {
				excepted = excepted || e == s
			}
			if !excepted && s.Running() && p.ask(s, "/primary") == nil && !inRecovery(s) {
				leader = s
				return true
			}
		}
		return false
	})
	if !found {
		t.Fatalf("dbtest: patroni has no leader after %v:\n%s", failoverTimeout, p.logs())
	}
	return leader
}

// WaitStandby waits until a node follows the leader.
func (p *Patroni) WaitStandby(t testing.TB, s *Server) {
	t.Helper()
	var last error
	if !poll(failoverTimeout, func() bool {
		last = errors.Join(p.ask(s, "/replica"), s.answers())
		return last == nil && receives(s)
	}) {
		t.Fatalf("dbtest: patroni: the node does not follow after %v (%v):\n%s", failoverTimeout, last, p.logs())
	}
}

// Switchover makes a standby the leader while the present one is up, which then
// follows. It returns when the standby takes writes.
func (p *Patroni) Switchover(t testing.TB, to *Server) {
	t.Helper()
	from := p.Leader(t)
	body := fmt.Sprintf(`{"leader":%q,"candidate":%q}`, from.engine.(patroni).name, to.engine.(patroni).name)
	if err := request(http.MethodPost, p.url(from, "/switchover"), []byte(body)); err != nil {
		t.Fatalf("dbtest: patroni: %v\n%s", err, p.logs())
	}
	if leader := p.WaitLeader(t, from); leader != to {
		t.Fatalf("dbtest: patroni: another node leads after the switchover:\n%s", p.logs())
	}
}

func (p *Patroni) logs() string {
	var text string
	for _, s := range p.Nodes {
		text += s.engine.(patroni).name + ":\n" + tail(s.path("log")) + "\n"
	}
	return text
}

func inRecovery(s *Server) bool {
	recovering := true
	err := queryRow(s.kept, []any{&recovering}, "SELECT pg_is_in_recovery()")
	return err != nil || recovering
}

// receives says that a standby is connected to its primary.
func receives(s *Server) bool {
	var streaming bool
	err := queryRow(s.kept, []any{&streaming}, "SELECT EXISTS (SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming')")
	return err == nil && streaming
}
