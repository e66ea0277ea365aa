package sessions

import (
	"context"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// torture is set for long runs.
var torture = os.Getenv("DBFLEET_TORTURE") != ""

var key = dbfleet.Secret(strings.Repeat("0123456789abcdef", 2))

const (
	table = `CREATE TABLE counters (id {id}, name {text} NOT NULL UNIQUE, value {bigint} NOT NULL)`
	soon  = 20 * time.Second
	often = 20 * time.Millisecond
)

type counter struct {
	ID    int64
	Name  string
	Value int64
}

// stage is a primary with two replicas, and a database of theirs.
type stage struct {
	t       *testing.T
	cluster *dbtest.Cluster
	db      dbtest.Database
}

// onClusters runs f on a cluster of each server.
func onClusters(t *testing.T, f func(t *testing.T, s *stage)) {
	t.Helper()
	for _, dialect := range conformance.ClustersOf(t) {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			s := &stage{t: t, cluster: conformance.StartCluster(t, dialect, 2)}
			s.db = s.cluster.Database(t)
			s.db.Exec(t, conformance.DDL(s.db.Dialect, table))
			s.cluster.WaitCaughtUp(t)
			f(t, s)
		})
	}
}

// at is a server, by its address.
type at struct {
	host string
	port int
}

func address(t *testing.T, addr string) at {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	n, err := strconv.Atoi(port)
	require.NoError(t, err)
	return at{host, n}
}

// config is a connection to a primary and replicas at addresses.
func (s *stage) config(primary string, replicas ...string) dbfleet.ConnectionConfig {
	s.t.Helper()
	c := conformance.ConnectionTo(s.db)
	p := address(s.t, primary)
	c.Host, c.Port, c.Socket, c.ReadHosts = p.host, p.port, "", replicas
	c.Reads.MinWait, c.Reads.MaxWait = soon, soon // a busy machine takes no node for down
	return c
}

// whole is the connection to the cluster as it was started.
func (s *stage) whole() dbfleet.ConnectionConfig {
	return s.config(s.cluster.Primary.Addr(), s.cluster.Replicas[0].Addr(), s.cluster.Replicas[1].Addr())
}

// client is what reads and writes through one registry.
type client struct {
	*dbfleet.Registry
	t        *testing.T
	counters *dbfleet.Model[counter]
}

func (s *stage) open(config dbfleet.ConnectionConfig) *client {
	s.t.Helper()
	r, err := dbfleet.Open(dbfleet.Config{Default: "main", SessionKeys: []dbfleet.Secret{key}, Connections: map[string]dbfleet.ConnectionConfig{"main": config}})
	require.NoError(s.t, err)
	s.t.Cleanup(func() { require.NoError(s.t, r.Close()) })
	return &client{Registry: r, t: s.t, counters: conformance.Model[counter](s.t, r, dbfleet.ModelConfig{Table: "counters"})}
}

// create makes a counter of that name, outside of any session.
func (s *stage) create(name string) {
	s.t.Helper()
	s.db.Exec(s.t, "INSERT INTO counters (name, value) VALUES ('"+name+"', 0)")
}

func (c *client) set(ctx context.Context, name string, value int64) {
	c.t.Helper()
	_, err := c.counters.Where("name", "=", name).Update(ctx, dbfleet.Row{"value": value})
	require.NoError(c.t, err)
}

// read is the counter's value, and where it was read.
func (c *client) read(ctx context.Context, name string) (int64, dbfleet.Route, error) {
	var route dbfleet.Route
	found, err := c.counters.Where("name", "=", name).First(dbfleet.WithRoute(ctx, &route))
	return found.Value, route, err
}

func (c *client) value(ctx context.Context, name string) (int64, dbfleet.Route) {
	c.t.Helper()
	value, route, err := c.read(ctx, name)
	require.NoError(c.t, err)
	return value, route
}

func (c *client) token(ctx context.Context) string {
	c.t.Helper()
	text, err := dbfleet.SessionOf(ctx).Token()
	require.NoError(c.t, err)
	return text
}

// continues is the session of a token.
func (c *client) continues(ctx context.Context, text string) context.Context {
	c.t.Helper()
	ctx, err := c.ContinueSession(ctx, text)
	require.NoError(c.t, err)
	return ctx
}

// hold has no replica apply anything.
func (s *stage) hold() {
	s.t.Helper()
	for _, r := range s.cluster.Replicas {
		s.cluster.PauseReplay(s.t, r)
	}
}

func (s *stage) release() {
	s.t.Helper()
	for _, r := range s.cluster.Replicas {
		s.cluster.ResumeReplay(s.t, r)
	}
	s.cluster.WaitCaughtUp(s.t)
}
