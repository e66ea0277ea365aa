package load

import (
	"context"
	"database/sql"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// ground is what faults befall: a primary and two replicas, each behind a proxy that is a
// network of its own.
type ground struct {
	cluster *dbtest.Cluster
	db      dbtest.Database
	nodes   []*loadNode // the primary first
	control []*dbtest.Proxy
	// stranger is a server that knows nothing of the account, and empty one that knows it
	// and not its database.
	stranger, empty *dbtest.Server

	began  time.Time
	tried  int
	untold []string // of what was tried, what the machine was too busy to tell
}

// loadNode is one node of the ground.
type loadNode struct {
	name   string
	server *dbtest.Server
	proxy  *dbtest.Proxy
}

func newGround(t *testing.T, dialect string) *ground {
	t.Helper()
	g := &ground{began: time.Now()}
	if dialect == "postgres" {
		g.cluster = dbtest.PostgresCluster(t, 2, "max_connections=300")
	} else {
		g.cluster = dbtest.MariaDBCluster(t, 2, "max-connections=400")
	}
	g.db = g.cluster.Database(t)
	rows := []string{"CREATE TABLE load_rows (id INT PRIMARY KEY, value VARCHAR(40))"}
	for id := 1; id <= loadRows; id++ {
		rows = append(rows, fmt.Sprintf("INSERT INTO load_rows VALUES (%d, '%s')", id, loadValue(id)))
	}
	g.db.Exec(t, rows...)
	g.cluster.WaitCaughtUp(t)
	for i, s := range g.cluster.Servers() {
		n := &loadNode{name: "main", server: s, proxy: dbtest.NewProxy(t, s.Addr())}
		if i > 0 {
			n.name = fmt.Sprint("main/replica-", i)
		}
		n.proxy.Delay(away)
		g.nodes = append(g.nodes, n)
		c := dbtest.NewProxy(t, s.Addr())
		c.Delay(away)
		g.control = append(g.control, c)
	}
	g.stranger, g.empty = g.alone(t), g.alone(t)
	knows := map[string]string{
		"postgres": `CREATE ROLE "%s" LOGIN PASSWORD '%s'`,
		"mysql":    `CREATE USER '%s'@'%%' IDENTIFIED BY '%s'`,
	}
	g.empty.Exec(t, fmt.Sprintf(knows[dialect], g.db.Username, g.db.Password))
	return g
}

func (g *ground) alone(t *testing.T) *dbtest.Server {
	t.Helper()
	if g.db.Dialect == "postgres" {
		return dbtest.StartPostgres(t)
	}
	return dbtest.StartMariaDB(t)
}

// open is a registry on the ground, of which all nodes are known to be well.
func (g *ground) open(t *testing.T, change func(*dbfleet.ConnectionConfig)) (*dbfleet.Registry, dbfleet.ConnectionConfig) {
	t.Helper()
	config := conformance.ConnectionTo(g.nodes[0].proxy.Through(g.db))
	for _, n := range g.nodes[1:] {
		config.ReadHosts = append(config.ReadHosts, n.proxy.Addr())
	}
	config.Pool.MaxOpen = loadReaders
	config.Reads.PrimaryReads, config.Reads.WhenPrimaryDown = -1, true
	if change != nil {
		change(&config)
	}
	r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config})
	return r, config
}

// byHand is a pool of database/sql to a node that no fault of others befalls, and the
// query that reads a row there.
func (g *ground) byHand(t *testing.T, node int) (*sql.DB, string) {
	t.Helper()
	pool := g.control[node].Through(g.db.On(g.nodes[node].server)).SQL(t)
	pool.SetMaxIdleConns(loadReaders)
	if g.db.Dialect == "postgres" {
		return pool, "SELECT value FROM load_rows WHERE id = $1"
	}
	return pool, "SELECT value FROM load_rows WHERE id = ?"
}

// well waits until the library has seen that all nodes answer.
func (g *ground) well(t *testing.T, r *dbfleet.Registry) {
	t.Helper()
	require.Eventually(t, func() bool {
		for _, n := range r.Nodes() {
			if n.State != dbfleet.ConditionHealthy {
				return false
			}
		}
		return true
	}, 3*soon, 10*time.Millisecond) // under load, each new connection takes its time on a busy machine
}

// answers waits until a new connection by hand is answered at a node, which has then
// returned from its fault: a server that was stopped first begins all the connections that
// were asked of it meanwhile, and each of them takes its time on a busy machine.
func (g *ground) answers(t *testing.T, n *loadNode) {
	t.Helper()
	pool := n.proxy.Through(g.db.On(n.server)).SQL(t)
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	require.Eventually(t, func() bool { return pool.PingContext(ctx) == nil }, soon, 10*time.Millisecond, "%s answers", n.name)
	require.NoError(t, pool.Close())
}

// fault is something that befalls nodes.
type fault struct {
	name string
	on   string // the only dialect, "" for both
	// begin has it befall a node. It goes on until end is called; nil is a fault that ends
	// by itself, in begin.
	begin func(t *testing.T, g *ground, n *loadNode) (end func())
	// slow says that the node answers, late. Only a policy that looks at latency takes
	// the load from it.
	slow bool
	// serves says that the node goes on serving.
	serves bool
}

var faults = []fault{
	{name: "killed", begin: func(t *testing.T, _ *ground, n *loadNode) func() {
		n.server.Kill(t)
		return func() { n.server.Start(t) }
	}},
	{name: "stopped", begin: func(t *testing.T, _ *ground, n *loadNode) func() {
		n.server.Pause(t)
		return func() { n.server.Resume(t) }
	}},
	{name: "cut off", begin: func(_ *testing.T, _ *ground, n *loadNode) func() {
		n.proxy.Blackhole()
		return func() {
			n.proxy.Heal()
			n.proxy.Delay(away)
		}
	}},
	{name: "restarted", begin: func(t *testing.T, _ *ground, n *loadNode) func() {
		n.server.Restart(t)
		return nil
	}},
	{name: "refusing the login", begin: func(_ *testing.T, g *ground, n *loadNode) func() {
		return n.replacedBy(g.stranger)
	}},
	{name: "without the database", begin: func(_ *testing.T, g *ground, n *loadNode) func() {
		return n.replacedBy(g.empty)
	}},
	{name: "in recovery conflict", on: "postgres", serves: true, begin: func(t *testing.T, g *ground, n *loadNode) func() {
		stop, over := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(over)
			for {
				select {
				case <-stop:
					return
				default:
					g.cluster.Conflict(t, n.server, g.db)
				}
			}
		}()
		return func() {
			close(stop)
			<-over
		}
	}},
	{name: "slow by 200 ms", slow: true, serves: true, begin: func(_ *testing.T, _ *ground, n *loadNode) func() {
		n.proxy.Delay(away + 200*time.Millisecond)
		return func() { n.proxy.Delay(away) }
	}},
}

// replacedBy has another server answer in the place of a node's.
func (n *loadNode) replacedBy(s *dbtest.Server) (end func()) {
	n.proxy.Retarget(s.Addr())
	n.proxy.Cut()
	return func() {
		n.proxy.Retarget(n.server.Addr())
		n.proxy.Cut()
	}
}
