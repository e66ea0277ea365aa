package dbfleetotel_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/dbfleet/dbfleet"
	dbfleetotel "github.com/dbfleet/dbfleet/otel"
)

// A registry that nobody opened is told at once, not by the goroutine that collects.
func TestObservePools_RefusesTheZeroRegistry(t *testing.T) {
	t.Parallel()
	reader := sdkmetric.NewManualReader()
	_, err := dbfleetotel.ObservePools(new(dbfleet.Registry), dbfleetotel.Options{MeterProvider: sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))})
	if err == nil {
		require.NotPanics(t, func() { _ = reader.Collect(t.Context(), new(metricdata.ResourceMetrics)) })
	}
	require.Error(t, err)
}
