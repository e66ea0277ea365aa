package dbfleetotel

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/dbfleet/dbfleet"
)

const scope = "github.com/dbfleet/dbfleet/otel"

// Options say what is told, and to whom. The zero value is sensible.
type Options struct {
	// TracerProvider and MeterProvider default to the global ones.
	TracerProvider trace.TracerProvider
	MeterProvider  metric.MeterProvider
	// Attributes are set on every span and every measurement.
	Attributes []attribute.KeyValue
	// HideText leaves db.query.text out.
	HideText bool
	// ShowArgs sets db.query.parameter.0 and so on to the values of the arguments,
	// which may be secret.
	ShowArgs bool
	// Fault says which failures make a span's status Error.
	//
	// Defaults to those that are not Expected.
	Fault func(class dbfleet.ErrorClass) bool
}

// withDefaults panics if there are several options.
func withDefaults(function string, options []Options) Options {
	var o Options
	if len(options) > 1 {
		panic("dbfleetotel: " + function + ": more than one Options")
	}
	if len(options) == 1 {
		o = options[0]
	}
	if o.TracerProvider == nil {
		o.TracerProvider = otel.GetTracerProvider()
	}
	if o.MeterProvider == nil {
		o.MeterProvider = otel.GetMeterProvider()
	}
	if o.Fault == nil {
		o.Fault = func(class dbfleet.ErrorClass) bool { return !class.Expected() }
	}
	return o
}

// Buckets are the bounds of db.client.operation.duration, in seconds.
var Buckets = []float64{0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10}

// New returns a hook for Registry.OnQuery, or DB.OnQuery, that makes a span and a
// measurement of each statement. It may serve several registries. It panics if there
// are several options. Hooks that were added before it, such as one of LogQueries
// that is to find the span in its context, are called with it: their After gets the
// statement's context.
func New(options ...Options) dbfleet.QueryHook {
	o := withDefaults("New", options)
	h := &hook{options: o, tracer: o.TracerProvider.Tracer(scope, trace.WithSchemaURL(semconv.SchemaURL))}
	var err error
	h.duration, err = o.MeterProvider.Meter(scope, metric.WithSchemaURL(semconv.SchemaURL)).Float64Histogram("db.client.operation.duration",
		metric.WithUnit("s"), metric.WithDescription("Duration of database client operations."), metric.WithExplicitBucketBoundaries(Buckets...))
	if err != nil {
		otel.Handle(err)
	}
	return dbfleet.QueryHook{Before: h.before, After: h.after}
}

type hook struct {
	options  Options
	tracer   trace.Tracer
	duration metric.Float64Histogram
	kinds    kinds
}

func (h *hook) before(ctx context.Context, e dbfleet.QueryEvent) context.Context {
	k := h.kinds.of(&e, h.options.Attributes)
	attributes := k.attributes
	if !h.options.HideText {
		attributes = append(attributes, semconv.DBQueryText(e.Sanitized()))
	}
	ctx, _ = h.tracer.Start(ctx, k.name, trace.WithSpanKind(trace.SpanKindClient), trace.WithTimestamp(e.Start), trace.WithAttributes(attributes...))
	return ctx
}

func (h *hook) after(ctx context.Context, e dbfleet.QueryEvent) {
	k := h.kinds.of(&e, h.options.Attributes)
	failure := failed(&e)
	if span := trace.SpanFromContext(ctx); span.IsRecording() {
		h.tell(span, &e, failure)
		span.End(trace.WithTimestamp(e.Start.Add(e.Duration)))
	}
	measured := k.measured
	if len(failure) > 0 {
		measured = metric.WithAttributes(append(k.counted, failure...)...)
	}
	h.duration.Record(ctx, e.Duration.Seconds(), measured)
}

// tell sets what is known of a statement only afterwards.
func (h *hook) tell(span trace.Span, e *dbfleet.QueryEvent, failure []attribute.KeyValue) {
	told := append(failure, attribute.String("dbfleet.route.reason", e.Route.Reason))
	if e.Rows >= 0 {
		told = append(told, attribute.Int64("dbfleet.rows", e.Rows))
	}
	if !h.options.HideText && e.Err == nil && e.Op == "insert" { // perhaps in another way than planned
		told = append(told, semconv.DBQueryText(e.Sanitized()))
	}
	if h.options.ShowArgs {
		for i, a := range e.Args {
			told = append(told, semconv.DBQueryParameter(strconv.Itoa(i), fmt.Sprint(a)))
		}
	}
	span.SetAttributes(told...)
	if e.Err != nil && h.options.Fault(e.Class) {
		span.SetStatus(codes.Error, e.Err.Error())
	}
}

// failed tells what went wrong; nothing if nothing did.
func failed(e *dbfleet.QueryEvent) []attribute.KeyValue {
	if e.Err == nil {
		return nil
	}
	told := []attribute.KeyValue{attribute.String("dbfleet.error.class", string(e.Class))}
	kind := string(e.Class)
	var q *dbfleet.QueryError
	if errors.As(e.Err, &q) && q.Code != "" {
		kind = q.Code
		told = append(told, semconv.DBResponseStatusCode(q.Code))
	}
	return append(told, semconv.ErrorTypeKey.String(kind))
}
