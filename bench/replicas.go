package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// ReadSpread is what make bench-replicas measures: one record by key, on a primary with two
// replicas that follow it. All peers have a query hook but for those without the library.
const ReadSpread Operation = "read_spread"

// Spreads are all operations of that kind.
var Spreads = []Operation{ReadSpread}

// ReplicaDatabases are those on which it is measured: clusters.
var ReplicaDatabases = []string{"postgres_cluster", "mariadb_cluster"}

// The peers of ReadSpread beside raw, raw_again and ours. raw is the library's own read of
// the same record on a connection to one of the replicas alone: what there is to pay for
// spreading reads is ours compared to that.
const (
	inSession = "session"  // ours in a session that has written
	byTurns   = "by_turns" // raw on connections to the one replica and to the other in turn: two servers alternate there as well
	onPool    = "pool"     // hand-written, on the *sql.DB that the library lends of that replica
	byHand    = "by_hand"  // hand-written database/sql, to that replica
)

// ReplicaPeers are the peers of ReadSpread.
func ReplicaPeers() []*Peer {
	return []*Peer{
		{Name: raw, Open: openAlone(1)},
		{Name: rawAgain, Open: openAlone(1)},
		{Name: ours, Open: func(ctx context.Context, t *Target) (*Session, error) { return openSpread(ctx, t, false) }},
		{Name: inSession, Open: func(ctx context.Context, t *Target) (*Session, error) { return openSpread(ctx, t, true) }},
		{Name: byTurns, Open: openAlone(2)},
		{Name: onPool, Open: openOnPool},
		{Name: byHand, Open: openByHand},
	}
}

// startCluster starts a primary with two replicas, which end with t.
func startCluster(t testing.TB, database string) *server {
	s := &server{database: database}
	start := map[string]func(testing.TB, int, ...string) *dbtest.Cluster{
		"postgres_cluster": dbtest.PostgresCluster, "mariadb_cluster": dbtest.MariaDBCluster,
	}[database]
	c := start(t, 2)
	make := func(through func(s *dbtest.Server, db dbtest.Database) dbtest.Database) *Target {
		db := c.Database(t)
		at := func(s *dbtest.Server) dbtest.Database { return through(s, db.On(s)) }
		target := clusterTarget(t, database, at(c.Primary))
		routed := target.Config
		for _, r := range c.Replicas {
			replica := at(r)
			target.replicas = append(target.replicas, clusterTarget(t, database, replica))
			routed.Replicas = append(routed.Replicas, dbfleet.ReplicaConfig{Host: net.JoinHostPort(replica.Host, strconv.Itoa(replica.Port))})
		}
		target.RoutedConfig, target.settle = &routed, func() { c.WaitCaughtUp(t) }
		return target
	}
	s.make = func(testing.TB, place) *Target {
		return make(func(_ *dbtest.Server, db dbtest.Database) dbtest.Database { return db })
	}
	s.counters = func(t testing.TB, _ place) *Target {
		counters := map[*dbtest.Server]*counter{}
		target := make(func(s *dbtest.Server, db dbtest.Database) dbtest.Database {
			if counters[s] == nil {
				counters[s] = newCounter(t, s.Addr())
			}
			return counters[s].through(db)
		})
		target.trips = func() (sum int64) {
			for _, c := range counters {
				sum += c.trips.Load()
			}
			return sum
		}
		return target
	}
	return s
}

func clusterTarget(t testing.TB, database string, db dbtest.Database) *Target {
	var target *Target
	if database == "postgres_cluster" {
		target = postgresTarget(db)
	} else {
		target = mariadbTarget(t, db)
	}
	target.Database, target.RoutedConfig = database, nil
	return target
}

// counting is what the query hooks do.
func counting(registry *dbfleet.Registry) *hooked {
	h := &hooked{}
	registry.OnQuery(dbfleet.QueryHook{After: func(_ context.Context, e dbfleet.QueryEvent) {
		h.rows.Add(e.Rows)
		h.events.Add(1)
		if e.Route.Role == dbfleet.RolePrimary {
			h.primary.Add(1)
		}
	}})
	return h
}

type hooked struct{ rows, events, primary atomic.Int64 }

// openAlone reads from so many replicas in turn, each on a connection of its own.
func openAlone(replicas int) func(context.Context, *Target) (*Session, error) {
	return func(_ context.Context, t *Target) (*Session, error) {
		var people []*dbfleet.Model[Person]
		var registries []*dbfleet.Registry
		closing := func() error {
			var errs []error
			for _, r := range registries {
				errs = append(errs, r.Close())
			}
			return errors.Join(errs...)
		}
		for _, replica := range t.replicas[:replicas] {
			model, registry, err := dbfleetModel(replica.Config)
			if err != nil {
				return nil, errors.Join(err, closing())
			}
			counting(registry)
			people, registries = append(people, model), append(registries, registry)
		}
		return &Session{Close: closing, Funcs: map[Operation]Func{
			ReadSpread: repeat(func(ctx context.Context, i int) (Person, error) { return people[i%replicas].Find(ctx, key(i)) }),
		}}, nil
	}
}

func openOnPool(_ context.Context, t *Target) (*Session, error) {
	_, registry, err := dbfleetModel(t.replicas[0].Config)
	if err != nil {
		return nil, err
	}
	db, text := registry.DB("main").Pool(), t.bind(selectPerson+` WHERE id = ?`)
	return &Session{Close: registry.Close, Funcs: map[Operation]Func{
		ReadSpread: repeat(func(ctx context.Context, i int) (Person, error) { return readByHand(ctx, db, text, key(i)) }),
	}}, nil
}

func openByHand(_ context.Context, t *Target) (*Session, error) {
	db, err := t.replicas[0].Open()
	if err != nil {
		return nil, err
	}
	text := t.bind(selectPerson + ` WHERE id = ?`)
	return &Session{Close: db.Close, Funcs: map[Operation]Func{
		ReadSpread: repeat(func(ctx context.Context, i int) (Person, error) { return readByHand(ctx, db, text, key(i)) }),
	}}, nil
}

// steady is how long it may take until all replicas serve what a session has written.
const steady = 20 * time.Second

// openSpread reads from the replicas in turn, in a session if within says so, which has
// written and whose write the replicas are known to have.
func openSpread(ctx context.Context, t *Target, within bool) (*Session, error) {
	people, registry, err := dbfleetModel(*t.RoutedConfig)
	if err != nil {
		return nil, err
	}
	events := counting(registry)
	session := context.WithoutCancel(ctx)
	if within {
		session = dbfleet.WithSession(session)
		p := stored[0]
		if err := people.Save(session, &p); err != nil {
			return nil, errors.Join(err, registry.Close())
		}
		t.settle()
	}
	read := func(ctx context.Context, i int) (Person, error) {
		if within {
			ctx = session
		}
		return people.Find(ctx, key(i))
	}
	if err := settled(session, people); err != nil {
		return nil, errors.Join(err, registry.Close())
	}
	before, primary := events.events.Load(), events.primary.Load()
	return &Session{
		Close: func() error {
			err := registry.Close()
			if all, strayed := events.events.Load()-before, events.primary.Load()-primary; strayed > all/100 {
				err = errors.Join(err, fmt.Errorf("%d of %d reads were served by the primary", strayed, all))
			}
			return err
		},
		Funcs: map[Operation]Func{ReadSpread: repeat(read)},
	}, nil
}

// settled reads until each replica has served twenty times one after the other.
func settled(ctx context.Context, people *dbfleet.Model[Person]) error {
	served := map[string]int{}
	var route dbfleet.Route
	for until := time.Now().Add(steady); ; {
		if _, err := people.Find(dbfleet.WithRoute(ctx, &route), 1); err != nil {
			return err
		}
		if served[route.Node]++; route.Role == dbfleet.RolePrimary {
			clear(served)
		}
		if len(served) == 2 && min(served["main/replica-1"], served["main/replica-2"]) >= 20 {
			return nil
		}
		if time.Now().After(until) {
			return fmt.Errorf("the replicas have not taken the reads over: %v, the last by %s", served, route)
		}
	}
}

// replicaCost is the section about replicas, from the file of their own measurement. It is
// empty when there is none.
func replicaCost(file string) (string, error) {
	r, err := readReport(file)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return r.replicas(), nil
}

var spreadTitles = []struct{ peer, title string }{
	{raw, "dbfleet, a connection to one replica alone"}, {rawAgain, "the same once more, the noise"}, {ours, "dbfleet, two replicas in turn"},
	{inSession, "the same in a session that has written"}, {byTurns, "two connections to one replica each, in turn"}, {onPool, "by hand on the `*sql.DB` of `Pool`"}, {byHand, "by hand on `database/sql`"},
}

func (r *Report) replicas() string {
	var b strings.Builder
	b.WriteString(`## Replicas

One record by its key, on a primary with two replicas that follow it by streaming or binary log replication. dbfleet has a query hook that counts rows.
What it costs to spread reads, and to have those of a session find what it has written, is told by the ratio to the same read of dbfleet on a
connection that has one of the replicas as its only node. The session has written before, and both replicas are known to have it. Hand-written code goes to
that replica too. What is read in turn keeps two servers busy, which costs by itself where all of them share one processor: what it costs so
is told by two connections to one replica each, between which the caller changes. Ratios within a round; allocations; round trips to all three servers, which proxies counted in runs of their own, with
those of the monitor, which asks each server once a second.

`)
	fmt.Fprintf(&b, "Measured %s with %s on %s (%s, GOMAXPROCS %d), %d rounds. To do it again:\n\n    make bench-replicas\n\n",
		r.When.Format("2006-01-02"), r.Go, r.System, r.CPU, r.GOMAXPROCS, r.Rounds)
	b.WriteString("| read | time | ratio | half of the rounds | least times: ratio | allocations | trips |\n|---|---:|---:|---:|---:|---:|---:|\n")
	for _, database := range ReplicaDatabases {
		base := r.find(database, ReadSpread, raw)
		for _, of := range spreadTitles {
			x := r.find(database, ReadSpread, of.peer)
			if x == nil || base == nil {
				continue
			}
			fmt.Fprintf(&b, "| %s: %s | %s | **%.2f** | %.2f–%.2f | %.2f | %.0f | %s |\n", titles[database], of.title, shortTime(x.Ns), x.Ratio, x.Low, x.High,
				x.Least/cmp.Or(base.Least, x.Least, 1), x.Allocs, x.trips())
		}
	}
	return b.String()
}
