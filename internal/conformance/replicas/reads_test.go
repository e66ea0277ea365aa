package replicas

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// fleet is a registry whose connection "main" is a primary and two replicas, each of which
// stands behind a proxy.
type fleet struct {
	*dbfleet.Registry
	cluster *dbtest.Cluster
	db      dbtest.Database // on the primary, without the proxy
	primary *dbtest.Proxy
	proxies []*dbtest.Proxy // of the replicas
	seen    *seen
}

// onFleets runs f on a cluster of each server, with a table "t" of one row.
func onFleets(t *testing.T, change func(*dbfleet.ConnectionConfig), f func(t *testing.T, fl *fleet)) {
	t.Helper()
	for _, dialect := range conformance.ClustersOf(t) {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			fl := &fleet{cluster: conformance.StartCluster(t, dialect, 2)}
			fl.db = fl.cluster.Database(t)
			fl.db.Exec(t, "CREATE TABLE t (id INT)", "INSERT INTO t VALUES (1)")
			fl.cluster.WaitCaughtUp(t)
			f(t, fl.another(t, change))
		})
	}
}

// another is a registry of its own on the same servers, behind proxies of its own.
func (fl *fleet) another(t *testing.T, change func(*dbfleet.ConnectionConfig)) *fleet {
	t.Helper()
	fl = &fleet{cluster: fl.cluster, db: fl.db, seen: &seen{}, primary: dbtest.NewProxy(t, fl.cluster.Primary.Addr())}
	config := conformance.ConnectionTo(fl.primary.Through(fl.db))
	for _, s := range fl.cluster.Replicas {
		p := dbtest.NewProxy(t, s.Addr())
		fl.proxies = append(fl.proxies, p)
		config.ReadHosts = append(config.ReadHosts, p.Addr())
	}
	if change != nil {
		change(&config)
	}
	fl.Registry = conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config})
	t.Cleanup(fl.OnAfterQuery(fl.seen.add))
	return fl
}

// read reads the row by a query.
func (fl *fleet) read(ctx context.Context) error {
	_, err := fl.DB("main").Table("t").Get(ctx)
	return err
}

// reads reads n times, each of which must succeed, and returns how many each node served.
func (fl *fleet) reads(t *testing.T, n int) map[string]int {
	t.Helper()
	served := map[string]int{}
	for range n {
		var route dbfleet.Route
		require.NoError(t, fl.read(dbfleet.WithRoute(t.Context(), &route)))
		served[route.Node]++
	}
	return served
}

// seen keeps the events of statements.
type seen struct {
	mu     sync.Mutex
	events []dbfleet.QueryEvent
}

func (s *seen) add(_ context.Context, e dbfleet.QueryEvent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, e)
}

// take returns the events since the last take.
func (s *seen) take() []dbfleet.QueryEvent {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.events
	s.events = nil
	return out
}
