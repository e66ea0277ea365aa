package dbfleetotel_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	dbfleetotel "github.com/dbfleet/dbfleet/otel"
)

const canary = "canary-7f3a"

// watched is a registry's telemetry in memory.
type watched struct {
	exporter *tracetest.InMemoryExporter
	provider *sdktrace.TracerProvider
	reader   *sdkmetric.ManualReader
	options  dbfleetotel.Options
}

func watch(t testing.TB) *watched {
	t.Helper()
	w := &watched{exporter: tracetest.NewInMemoryExporter(), reader: sdkmetric.NewManualReader()}
	w.provider = sdktrace.NewTracerProvider(sdktrace.WithSyncer(w.exporter))
	w.options = dbfleetotel.Options{TracerProvider: w.provider, MeterProvider: sdkmetric.NewMeterProvider(sdkmetric.WithReader(w.reader))}
	return w
}

// spans are those since the last call.
func (w *watched) spans() tracetest.SpanStubs {
	out := w.exporter.GetSpans()
	w.exporter.Reset()
	return out
}

// one is the only span since the last call.
func (w *watched) one(t testing.TB) (tracetest.SpanStub, map[attribute.Key]attribute.Value) {
	t.Helper()
	spans := w.spans()
	require.Len(t, spans, 1)
	return spans[0], attributes(spans[0])
}

func attributes(s tracetest.SpanStub) map[attribute.Key]attribute.Value {
	out := map[attribute.Key]attribute.Value{}
	for _, a := range s.Attributes {
		out[a.Key] = a.Value
	}
	return out
}

var systems = map[string]string{"postgres": "postgresql", "mysql": "mysql", "sqlite": "sqlite"}

func TestNew_SpansFollowTheConventions(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		w := watch(t)
		accounts := fl.Bank(t)
		fl.OnQuery(dbfleetotel.New(w.options))
		var last dbfleet.QueryEvent
		fl.OnAfterQuery(func(_ context.Context, e dbfleet.QueryEvent) { last = e })
		ctx := t.Context()
		require.NoError(t, accounts.Create(ctx, &conformance.Account{Owner: canary}))
		span, a := w.one(t)
		require.Equal(t, "INSERT accounts", span.Name)
		require.Equal(t, trace.SpanKindClient, span.SpanKind)
		require.Equal(t, codes.Unset, span.Status.Code)
		require.WithinDuration(t, last.Start, span.StartTime, 0)
		require.Equal(t, last.Duration, span.EndTime.Sub(span.StartTime))
		require.Equal(t, systems[fl.Database.Dialect], a["db.system.name"].AsString())
		require.Equal(t, last.Database, a["db.namespace"].AsString())
		require.NotEmpty(t, last.Database)
		require.Equal(t, "accounts", a["db.collection.name"].AsString())
		require.Equal(t, "INSERT", a["db.operation.name"].AsString())
		require.Equal(t, last.SQL, a["db.query.text"].AsString())
		require.Equal(t, "main", a["dbfleet.connection"].AsString())
		require.Equal(t, "main", a["dbfleet.node"].AsString())
		require.Equal(t, "primary", a["dbfleet.role"].AsString())
		require.Equal(t, int64(1), a["dbfleet.rows"].AsInt64())
		require.NotEmpty(t, a["dbfleet.route.reason"].AsString())
		require.NotContains(t, a, attribute.Key("error.type"))
		require.NotContains(t, a, attribute.Key("dbfleet.shard"))
		if fl.Database.Dialect == "sqlite" {
			require.NotContains(t, a, attribute.Key("server.address"))
		} else {
			require.NotEmpty(t, a["server.address"].AsString())
		}
		for key, value := range a {
			require.NotContains(t, value.String(), canary, string(key))
		}

		_, err := fl.DB("main").ExecContext(ctx, "UPDATE accounts SET balance = 17 WHERE owner = '"+canary+"'")
		require.NoError(t, err)
		span, a = w.one(t)
		require.Equal(t, last.Database, span.Name, "text of the caller's own is not guessed at")
		require.Equal(t, "UPDATE accounts SET balance = ? WHERE owner = ?", a["db.query.text"].AsString())
		require.NotContains(t, a, attribute.Key("db.operation.name"))
		require.NotContains(t, a, attribute.Key("db.collection.name"))
	})
}

func TestNew_TellsFailures(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		w := watch(t)
		accounts := fl.Bank(t)
		ctx := t.Context()
		require.NoError(t, accounts.Create(ctx, &conformance.Account{Owner: canary}))
		fl.OnQuery(dbfleetotel.New(w.options))

		err := accounts.Create(ctx, &conformance.Account{Owner: canary})
		require.ErrorIs(t, err, dbfleet.ErrUnique)
		var q *dbfleet.QueryError
		require.ErrorAs(t, err, &q)
		span, a := w.one(t)
		require.Equal(t, codes.Unset, span.Status.Code, "expected")
		require.Equal(t, "unique", a["dbfleet.error.class"].AsString())
		require.Equal(t, q.Code, a["db.response.status_code"].AsString())
		require.Equal(t, q.Code, a["error.type"].AsString())

		_, err = accounts.Where("owner", "=", "nobody").First(ctx)
		require.ErrorIs(t, err, dbfleet.ErrNotFound)
		span, a = w.one(t)
		require.Equal(t, codes.Unset, span.Status.Code)
		require.NotContains(t, a, attribute.Key("error.type"))

		canceled, cancel := context.WithCancel(ctx)
		cancel()
		_, err = accounts.Get(canceled)
		require.ErrorIs(t, err, context.Canceled)
		span, a = w.one(t)
		require.Equal(t, codes.Unset, span.Status.Code)
		require.Equal(t, "canceled", a["error.type"].AsString())

		_, err = fl.DB("main").ExecContext(ctx, "DELETE FROM nowhere WHERE x = '"+canary+"'")
		require.Error(t, err)
		span, a = w.one(t)
		require.Equal(t, codes.Error, span.Status.Code)
		require.NotEmpty(t, span.Status.Description)
		require.NotContains(t, span.Status.Description, canary)
		require.NotEmpty(t, a["db.response.status_code"].AsString())
	})
}

// A statement's span is a child of the caller's, in a transaction too, and nothing
// that hooks run is a span.
func TestNew_SpansAreInTheCallersTrace(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		w := watch(t)
		accounts := fl.Bank(t)
		fl.OnQuery(dbfleetotel.New(w.options))
		ctx, parent := w.provider.Tracer("test").Start(t.Context(), "request")
		require.NoError(t, fl.Transaction(ctx, "main", func(ctx context.Context, tx *dbfleet.Tx) error {
			require.NoError(t, accounts.Create(ctx, &conformance.Account{Owner: "a"}))
			inner, span := w.provider.Tracer("test").Start(ctx, "inner")
			defer span.End()
			return errors.Join(accounts.Create(inner, &conformance.Account{Owner: "b"}), tx.Transaction(ctx, func(context.Context, *dbfleet.Tx) error { return nil }))
		}))
		parent.End()
		spans := w.spans()
		byID := map[trace.SpanID]string{}
		for _, s := range spans {
			byID[s.SpanContext.SpanID()] = s.Name
			require.Equal(t, parent.SpanContext().TraceID(), s.SpanContext.TraceID())
		}
		database := attributes(spans[0])["db.namespace"].AsString()
		var seen []string
		for _, s := range spans {
			seen = append(seen, strings.ReplaceAll(s.Name+" < "+byID[s.Parent.SpanID()], database, "db"))
		}
		require.Equal(t, []string{
			"BEGIN db < request", "INSERT accounts < request", "INSERT accounts < inner", "SAVEPOINT db < request", "RELEASE db < request",
			"inner < request", "COMMIT db < request", "request < ",
		}, seen)
	})
}

// traced writes the span's id into each record, as the usual bridges do.
type traced struct {
	slog.Handler
	ids *[]string
}

func (h traced) Handle(ctx context.Context, _ slog.Record) error {
	*h.ids = append(*h.ids, trace.SpanContextFromContext(ctx).SpanID().String())
	return nil
}

func (h traced) Enabled(context.Context, slog.Level) bool { return true }

// Logs find the span of their statement, whichever hook was added first.
func TestNew_LogsFindTheSpan(t *testing.T) {
	t.Parallel()
	fl := conformance.OnSQLite(t)
	w := watch(t)
	var ids []string
	logger := slog.New(traced{slog.DiscardHandler, &ids})
	fl.OnQuery(dbfleet.LogQueries(logger))
	fl.OnQuery(dbfleetotel.New(w.options))
	fl.OnQuery(dbfleet.LogQueries(logger))
	_, err := fl.DB("main").ExecContext(t.Context(), "SELECT 1")
	require.NoError(t, err)
	span, _ := w.one(t)
	require.Equal(t, []string{span.SpanContext.SpanID().String(), span.SpanContext.SpanID().String()}, ids)
}

func TestNew_TellsShardsAndArgumentsWhenAsked(t *testing.T) {
	t.Parallel()
	memory := dbfleet.ConnectionConfig{Driver: dbfleet.SQLite, Database: ":memory:"}
	r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"s0": memory, "s1": memory})
	type order struct{ ID, UserID int64 }
	for _, name := range r.Names() {
		_, err := r.DB(name).ExecContext(t.Context(), "CREATE TABLE orders (id INTEGER PRIMARY KEY, user_id INTEGER)")
		require.NoError(t, err)
	}
	orders := conformance.Model[order](t, r, dbfleet.ModelConfig{Table: "orders", Shard: dbfleet.ShardBy("user_id", func(id int64) string { return fmt.Sprintf("s%d", id%2) })})
	w := watch(t)
	w.options.ShowArgs, w.options.HideText = true, true
	w.options.Attributes = []attribute.KeyValue{attribute.String("service.part", "shop")}
	w.options.Fault = func(dbfleet.ErrorClass) bool { return true }
	r.OnQuery(dbfleetotel.New(w.options))
	require.NoError(t, orders.Create(t.Context(), &order{UserID: 7}))
	_, a := w.one(t)
	require.Equal(t, "s1", a["dbfleet.shard"].AsString())
	require.Equal(t, "7", a["db.query.parameter.0"].AsString())
	require.Equal(t, "shop", a["service.part"].AsString())
	require.NotContains(t, a, attribute.Key("db.query.text"))
	require.ErrorIs(t, orders.Create(t.Context(), &order{ID: 1, UserID: 9}), dbfleet.ErrUnique)
	span, _ := w.one(t)
	require.Equal(t, codes.Error, span.Status.Code)
	require.PanicsWithValue(t, "dbfleetotel: New: more than one Options", func() { dbfleetotel.New(w.options, w.options) })
}

// collect reads the metrics by their name.
func (w *watched) collect(t testing.TB) map[string]metricdata.Metrics {
	t.Helper()
	var all metricdata.ResourceMetrics
	require.NoError(t, w.reader.Collect(context.Background(), &all))
	out := map[string]metricdata.Metrics{}
	for _, scope := range all.ScopeMetrics {
		require.Equal(t, "https://opentelemetry.io/schemas/1.43.0", scope.Scope.SchemaURL)
		for _, m := range scope.Metrics {
			out[m.Name] = m
		}
	}
	return out
}

func TestNew_MeasuresDurations(t *testing.T) {
	t.Parallel()
	fl := conformance.OnSQLite(t)
	accounts := fl.Bank(t)
	w := watch(t)
	fl.OnQuery(dbfleetotel.New(w.options))
	for range 3 {
		_, err := accounts.Get(t.Context())
		require.NoError(t, err)
	}
	require.NoError(t, accounts.Create(t.Context(), &conformance.Account{Owner: canary}))
	require.ErrorIs(t, accounts.Create(t.Context(), &conformance.Account{Owner: canary}), dbfleet.ErrUnique)
	m := w.collect(t)["db.client.operation.duration"]
	require.Equal(t, "s", m.Unit)
	points := m.Data.(metricdata.Histogram[float64]).DataPoints
	require.Len(t, points, 3)
	counts := map[string]uint64{}
	for _, p := range points {
		require.Equal(t, dbfleetotel.Buckets, p.Bounds)
		require.Positive(t, p.Sum)
		operation, _ := p.Attributes.Value("db.operation.name")
		class, _ := p.Attributes.Value("dbfleet.error.class")
		counts[operation.AsString()+" "+class.AsString()] = p.Count
		table, _ := p.Attributes.Value("db.collection.name")
		require.Equal(t, "accounts", table.AsString())
		for _, text := range []attribute.Key{"db.query.text", "dbfleet.route.reason"} {
			_, has := p.Attributes.Value(text)
			require.False(t, has)
		}
	}
	require.Equal(t, map[string]uint64{"SELECT ": 3, "INSERT ": 1, "INSERT unique": 1}, counts)
}

func TestObservePools_TellsOfEveryNode(t *testing.T) {
	t.Parallel()
	fl := conformance.OnSQLite(t)
	w := watch(t)
	stop, err := dbfleetotel.ObservePools(fl.Registry, w.options)
	require.NoError(t, err)
	values := func() map[string]int64 {
		out := map[string]int64{}
		for name, m := range w.collect(t) {
			if name == "dbfleet.node.lag" {
				continue
			}
			sum, ok := m.Data.(metricdata.Sum[int64])
			if !ok {
				require.Equal(t, "dbfleet.pool.wait_time", name)
				continue
			}
			for _, p := range sum.DataPoints {
				pool, _ := p.Attributes.Value("db.client.connection.pool.name")
				state, _ := p.Attributes.Value("db.client.connection.state")
				out[strings.TrimSpace(name+" "+pool.AsString()+" "+state.AsString())] = p.Value
			}
		}
		return out
	}
	require.NoError(t, fl.Transaction(t.Context(), "main", func(context.Context, *dbfleet.Tx) error {
		got := values()
		require.Equal(t, int64(1), got["db.client.connection.count main used"])
		require.Equal(t, int64(1), got["dbfleet.transactions main"])
		require.Positive(t, got["db.client.connection.max main"])
		require.Contains(t, got, "db.client.connection.count main idle")
		require.Contains(t, got, "dbfleet.pool.waits main")
		require.Zero(t, got["dbfleet.node.resting main"])
		return nil
	}))
	require.Zero(t, values()["db.client.connection.count main used"])
	require.NoError(t, stop())
	require.Empty(t, values())
	_, err = dbfleetotel.ObservePools(nil)
	require.EqualError(t, err, "dbfleetotel: ObservePools: the registry is nil")
}
