package dbfleetotel_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/dbfleet/dbfleet"
	dbfleetotel "github.com/dbfleet/dbfleet/otel"
)

// dropped takes spans and keeps none.
type dropped struct{}

func (dropped) OnStart(context.Context, sdktrace.ReadWriteSpan) {}
func (dropped) OnEnd(sdktrace.ReadOnlySpan)                     {}
func (dropped) Shutdown(context.Context) error                  { return nil }
func (dropped) ForceFlush(context.Context) error                { return nil }

type user struct {
	ID   int64
	Name string
}

// users is a model on a SQLite file with a record of key 1.
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

// samplers are what a service may have set.
var samplers = map[string]sdktrace.Sampler{"sampled": sdktrace.AlwaysSample(), "not sampled": sdktrace.NeverSample()}

func hookFor(sampler sdktrace.Sampler) dbfleet.QueryHook {
	return dbfleetotel.New(dbfleetotel.Options{
		TracerProvider: sdktrace.NewTracerProvider(sdktrace.WithSampler(sampler), sdktrace.WithSpanProcessor(dropped{})),
		MeterProvider:  sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader())),
	})
}

// BenchmarkOverhead reads a record by its key from a SQLite file, with the hook and
// without.
func BenchmarkOverhead(b *testing.B) {
	run := func(b *testing.B, hook *dbfleet.QueryHook) {
		registry, model := users(b)
		if hook != nil {
			registry.OnQuery(*hook)
		}
		b.ReportAllocs()
		for b.Loop() {
			if _, err := model.Find(context.Background(), 1); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.Run("without", func(b *testing.B) { run(b, nil) })
	for name, sampler := range samplers {
		b.Run(name, func(b *testing.B) { hook := hookFor(sampler); run(b, &hook) })
	}
}

// What the package's documentation says of allocations.
func TestBudget_Allocations(t *testing.T) {
	registry, model := users(t)
	find := func() { _, _ = model.Find(context.Background(), 1) }
	without := testing.AllocsPerRun(200, find)
	for name, most := range map[string]float64{"sampled": 22, "not sampled": 12} {
		remove := registry.OnQuery(hookFor(samplers[name]))
		with := testing.AllocsPerRun(200, find)
		remove()
		require.LessOrEqual(t, with-without, most, name)
		t.Logf("%s: %v more", name, with-without)
	}
}
