package dbfleetprometheus_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
	dbfleetprometheus "github.com/dbfleet/dbfleet/prometheus"
)

const canary = "canary-7f3a"

// gather returns every sample as "name{labels}", histograms as their count.
func gather(t testing.TB, g prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := g.Gather()
	require.NoError(t, err)
	out := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName()+"="+l.GetValue())
				require.NotContains(t, l.GetValue(), canary)
			}
			name := f.GetName() + "{" + strings.Join(labels, " ") + "}"
			switch {
			case m.GetHistogram() != nil:
				require.Positive(t, m.GetHistogram().GetSampleSum())
				out[name] = float64(m.GetHistogram().GetSampleCount())
			case m.GetCounter() != nil:
				out[name] = m.GetCounter().GetValue()
			default:
				out[name] = m.GetGauge().GetValue()
			}
		}
	}
	return out
}

func register(t testing.TB, r *dbfleet.Registry, options ...dbfleetprometheus.Options) *prometheus.Registry {
	t.Helper()
	c := dbfleetprometheus.New(r, options...)
	t.Cleanup(c.Close)
	reg := prometheus.NewPedanticRegistry()
	require.NoError(t, reg.Register(c))
	return reg
}

func TestCollector_CountsStatements(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		accounts := fl.Bank(t)
		reg := register(t, fl.Registry)
		ctx := t.Context()
		require.NoError(t, accounts.CreateMany(ctx, []conformance.Account{{Owner: canary}, {Owner: "b"}}))
		require.ErrorIs(t, accounts.Create(ctx, &conformance.Account{Owner: canary}), dbfleet.ErrUnique)
		for range 3 {
			_, err := accounts.Get(ctx)
			require.NoError(t, err)
		}
		_, err := fl.DB("main").ExecContext(ctx, "DELETE FROM accounts WHERE owner = '"+canary+"'")
		require.NoError(t, err)
		got := gather(t, reg)
		labels := func(operation string) string {
			return "{connection=main node=main operation=" + operation + " role=primary shard=}"
		}
		require.Equal(t, 3.0, got["dbfleet_query_duration_seconds"+labels("select")])
		require.Equal(t, 6.0, got["dbfleet_query_rows_total"+labels("select")])
		require.Equal(t, 2.0, got["dbfleet_query_duration_seconds"+labels("insert")])
		require.Equal(t, 2.0, got["dbfleet_query_rows_total"+labels("insert")])
		require.Equal(t, 1.0, got["dbfleet_query_rows_total"+labels("exec")])
		require.Equal(t, 1.0, got["dbfleet_query_errors_total{class=unique connection=main node=main operation=insert role=primary shard=}"])
		require.NoError(t, fl.Transaction(ctx, "main", func(context.Context, *dbfleet.Tx) error {
			inside := gather(t, reg)
			require.Equal(t, 1.0, inside["dbfleet_transactions{connection=main node=main}"])
			require.Equal(t, 1.0, inside["dbfleet_pool_connections{connection=main node=main role=primary state=in_use}"])
			return nil
		}))
		got = gather(t, reg)
		require.Zero(t, got["dbfleet_transactions{connection=main node=main}"])
		require.Positive(t, got["dbfleet_pool_connections{connection=main node=main role=primary state=idle}"])
		require.Positive(t, got["dbfleet_pool_max_connections{connection=main node=main role=primary}"])
		for _, name := range []string{"waits_total", "wait_seconds_total"} {
			require.Contains(t, got, "dbfleet_pool_"+name+"{connection=main node=main role=primary}")
		}
		problems, err := testutil.GatherAndLint(reg)
		require.NoError(t, err)
		require.Empty(t, problems)
	})
}

func TestCollector_TellsWhichReplicaRests(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		config := conformance.ConnectionTo(db)
		at := net.JoinHostPort(config.Host, strconv.Itoa(config.Port))
		proxy := dbtest.NewProxy(t, at)
		config.ReadHosts = []string{proxy.Addr(), at}
		r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config})
		reg := register(t, r)
		states := func() (out [2]float64) {
			got := gather(t, reg)
			require.NotContains(t, got, "dbfleet_replica_up{connection=main node=main}")
			for i := range out {
				key := fmt.Sprintf("dbfleet_replica_up{connection=main node=main/replica-%d}", i+1)
				require.Contains(t, got, key)
				out[i] = got[key]
			}
			return out
		}
		require.Equal(t, [2]float64{1, 1}, states())
		read := func() string {
			var route dbfleet.Route
			require.NoError(t, r.DB("main").Read().QueryRowContext(dbfleet.WithRoute(t.Context(), &route), "SELECT 1").Scan(new(int)))
			return route.Node
		}
		const lost = "dbfleet_query_errors_total{class=connection connection=main node=main/replica-1 operation=query role=replica shard=}"
		for range 100 { // until it is asked before it is known that it does not answer
			proxy.Heal()
			require.Eventually(t, func() bool { return read() == "main/replica-1" }, 20*time.Second, time.Millisecond)
			proxy.Refuse()
			_, _ = read(), read()
			if gather(t, reg)[lost] > 0 {
				break
			}
		}
		require.NotZero(t, gather(t, reg)[lost])
		require.Eventually(t, func() bool { return states() == [2]float64{0, 1} }, 20*time.Second, time.Millisecond)
	})
}

// What a connection left behind goes with it, so that tenants may come and go.
func TestCollector_ForgetsConnectionsThatAreRemoved(t *testing.T) {
	t.Parallel()
	memory := dbfleet.ConnectionConfig{Driver: dbfleet.SQLite, Database: ":memory:"}
	r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": memory})
	reg := register(t, r)
	ctx := t.Context()
	count := func(connection string) (n int) {
		for name := range gather(t, reg) {
			if strings.Contains(name, "connection="+connection+" ") || strings.Contains(name, "connection="+connection+"}") {
				n++
			}
		}
		return n
	}
	for range 2 {
		require.NoError(t, r.Add("tenant", memory))
		for _, name := range []string{"main", "tenant"} {
			_, err := r.DB(name).ExecContext(ctx, "SELECT 1")
			require.NoError(t, err)
			_, err = r.DB(name).ExecContext(ctx, "SELEC")
			require.Error(t, err)
		}
		require.Equal(t, count("main"), count("tenant"))
		require.Positive(t, count("tenant"))
		require.NoError(t, r.Remove(ctx, "tenant"))
		require.Zero(t, count("tenant"))
		require.Positive(t, count("main"))
	}
}

func TestCollector_IsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	memory := dbfleet.ConnectionConfig{Driver: dbfleet.SQLite, Database: ":memory:"}
	r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": memory})
	reg := register(t, r)
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			name := fmt.Sprintf("tenant%d", i)
			for range 20 {
				if err := errors.Join(r.Add(name, memory), run(r.DB(name)), run(r.DB("main")), r.Remove(context.Background(), name)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Go(func() {
		for range 50 {
			if _, err := reg.Gather(); err != nil {
				t.Error(err)
			}
		}
	})
	all.Wait()
	require.Equal(t, 80.0, gather(t, reg)["dbfleet_query_duration_seconds{connection=main node=main operation=exec role=primary shard=}"])
}

func run(db *dbfleet.DB) error {
	_, err := db.ExecContext(context.Background(), "SELECT 1")
	return err
}

func TestCollector_TellsShardsAndSpeaksForSeveralRegistries(t *testing.T) {
	t.Parallel()
	type order struct{ ID, UserID int64 }
	memory := dbfleet.ConnectionConfig{Driver: dbfleet.SQLite, Database: ":memory:"}
	reg := prometheus.NewPedanticRegistry()
	for _, part := range []string{"a", "b"} {
		r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"s0": memory, "s1": memory})
		for _, name := range r.Names() {
			_, err := r.DB(name).ExecContext(t.Context(), "CREATE TABLE orders (id INTEGER PRIMARY KEY, user_id INTEGER)")
			require.NoError(t, err)
		}
		orders := conformance.Model[order](t, r, dbfleet.ModelConfig{Table: "orders", Shard: dbfleet.ShardBy("user_id", func(id int64) string { return fmt.Sprintf("s%d", id%2) })})
		c := dbfleetprometheus.New(r, dbfleetprometheus.Options{Namespace: "shop", Buckets: []float64{1}, ConstLabels: prometheus.Labels{"part": part}})
		reg.MustRegister(c)
		require.NoError(t, orders.Create(t.Context(), &order{UserID: 7}))
		c.Close()
		require.NoError(t, orders.Create(t.Context(), &order{UserID: 9}))
	}
	got := gather(t, reg)
	for _, part := range []string{"a", "b"} {
		require.Equal(t, 1.0, got["shop_query_duration_seconds{connection=s1 node=s1 operation=insert part="+part+" role=primary shard=s1}"])
	}
	require.PanicsWithValue(t, "dbfleetprometheus: New: the registry is nil", func() { dbfleetprometheus.New(nil) })
	require.PanicsWithValue(t, "dbfleetprometheus: New: more than one Options", func() {
		dbfleetprometheus.New(&dbfleet.Registry{}, dbfleetprometheus.Options{}, dbfleetprometheus.Options{})
	})
}

// The package's documentation lists what there is.
func TestDoc_ListsEveryMetric(t *testing.T) {
	t.Parallel()
	c := dbfleetprometheus.New(conformance.OnSQLite(t).Registry)
	descs := make(chan *prometheus.Desc, 100)
	c.Describe(descs)
	close(descs)
	var names []string
	for d := range descs {
		names = append(names, d.String())
	}
	documented := documentedMetrics(t)
	require.Len(t, names, len(documented))
	for name, labels := range documented {
		require.True(t, slices.ContainsFunc(names, func(d string) bool {
			return strings.Contains(d, strconv.Quote(name)) && strings.Contains(d, "variableLabels: {"+labels+"}")
		}), "%s {%s} is none of\n%s", name, labels, strings.Join(names, "\n"))
	}
}

type user struct {
	ID   int64
	Name string
}

func users(tb testing.TB) (*dbfleet.Registry, *dbfleet.Model[user]) {
	tb.Helper()
	registry, err := dbfleet.Open(dbfleet.Config{Default: "main", Connections: map[string]dbfleet.ConnectionConfig{
		"main": {Driver: dbfleet.SQLite, Database: filepath.Join(tb.TempDir(), "app.db")},
	}})
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = registry.Close() })
	_, err = registry.DB("main").ExecContext(context.Background(), "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT)")
	require.NoError(tb, err)
	model, err := dbfleet.NewModel[user](registry, dbfleet.ModelConfig{Table: "users"})
	require.NoError(tb, err)
	require.NoError(tb, model.Create(context.Background(), &user{Name: "Ada"}))
	return registry, model
}

// BenchmarkOverhead reads a record by its key from a SQLite file, with the collector
// and without.
func BenchmarkOverhead(b *testing.B) {
	for _, with := range []bool{false, true} {
		b.Run(map[bool]string{false: "without", true: "with"}[with], func(b *testing.B) {
			registry, model := users(b)
			if with {
				dbfleetprometheus.New(registry)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := model.Find(context.Background(), 1); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// What the package's documentation says of allocations.
func TestBudget_Allocations(t *testing.T) {
	registry, model := users(t)
	find := func() { _, _ = model.Find(context.Background(), 1) }
	without := testing.AllocsPerRun(200, find)
	defer dbfleetprometheus.New(registry).Close()
	require.LessOrEqual(t, testing.AllocsPerRun(200, find)-without, 2.0)
}

func ExampleNew() {
	registry, err := dbfleet.Open(dbfleet.Config{Default: "main", Connections: map[string]dbfleet.ConnectionConfig{
		"main": {Driver: dbfleet.SQLite, Database: ":memory:"},
	}})
	if err != nil {
		panic(err)
	}
	defer registry.Close()
	metrics := prometheus.NewRegistry() // or prometheus.DefaultRegisterer
	metrics.MustRegister(dbfleetprometheus.New(registry))
	handler := promhttp.HandlerFor(metrics, promhttp.HandlerOpts{})

	_, _ = registry.DB("main").ExecContext(context.Background(), "SELECT 1")
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/metrics", nil))
	for line := range strings.Lines(answer.Body.String()) {
		if strings.HasPrefix(line, "dbfleet_query_duration_seconds_count") {
			fmt.Print(line)
		}
	}
	// Output: dbfleet_query_duration_seconds_count{connection="main",node="main",operation="exec",role="primary",shard=""} 1
}
