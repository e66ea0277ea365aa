package dbfleetotel_test

import (
	"context"
	"fmt"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/dbfleet/dbfleet"
	dbfleetotel "github.com/dbfleet/dbfleet/otel"
)

func ExampleNew() {
	registry, err := dbfleet.Open(dbfleet.Config{Default: "main", Connections: map[string]dbfleet.ConnectionConfig{
		"main": {Driver: dbfleet.SQLite, Database: ":memory:"},
	}})
	if err != nil {
		panic(err)
	}
	defer registry.Close()
	spans := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans)) // a service has an exporter over OTLP here
	registry.OnQuery(dbfleetotel.New(dbfleetotel.Options{TracerProvider: provider}))

	ctx := context.Background()
	_, _ = registry.DB("main").ExecContext(ctx, "CREATE TABLE users (id INTEGER PRIMARY KEY)")
	_, _ = registry.DB("main").Table("users").Where("id", ">", 7).Get(ctx)
	for _, span := range spans.GetSpans() {
		fmt.Println(span.Name)
	}
	// Output:
	// :memory:
	// SELECT users
}
