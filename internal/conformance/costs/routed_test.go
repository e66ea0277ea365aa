//go:build !race

package costs

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
)

// routedModel is the model of benchTwins, on a connection with two replicas where reads
// are not the zero value.
func routedModel(b testing.TB, reads *dbfleet.ReadsConfig) *dbfleet.Model[benchRecord] {
	b.Helper()
	m := benchDriver(1)
	config := dbfleet.ConnectionConfig{Driver: dbfleet.MySQL, Connector: m}
	if reads != nil {
		config.ReadHosts, config.Reads = []string{"10.0.0.1", "10.0.0.2"}, *reads
	}
	r, err := dbfleet.Open(dbfleet.Config{Connections: map[string]dbfleet.ConnectionConfig{"main": config}})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, r.Close()) })
	model, err := dbfleet.NewModel[benchRecord](r, dbfleet.ModelConfig{Table: "accounts"})
	require.NoError(b, err)
	return model
}

// promise: that a read is spread over replicas costs at most one allocation.
func TestBudget_AllocationsOfARoutedRead(t *testing.T) {
	ctx := context.Background()
	count := func(reads *dbfleet.ReadsConfig, ctx context.Context) float64 {
		m := routedModel(t, reads)
		return allocations(500, func() {
			_, err := m.Find(ctx, 1000)
			require.NoError(t, err)
		})
	}
	plain := count(nil, ctx)
	for name, reads := range map[string]dbfleet.ReadsConfig{
		"in turn": {}, "weighted": {Balance: dbfleet.BalanceWeighted}, "random": {Balance: dbfleet.BalanceRandom},
		"least in flight": {Balance: dbfleet.BalanceLeastInFlight}, "latency": {Balance: dbfleet.BalanceLatency},
	} {
		require.LessOrEqual(t, count(&reads, ctx), plain+1, name)
	}
	var route dbfleet.Route
	require.LessOrEqual(t, count(nil, dbfleet.WithRoute(ctx, &route)), plain+1)
	require.LessOrEqual(t, count(&dbfleet.ReadsConfig{MaxLag: time.Hour, WhenStale: dbfleet.FallbackStale}, ctx), plain+2)
}

// How long a read of one row takes on a connection without replicas, and on one with two:
//
//	go test ./internal/conformance/costs -run - -bench Routed -count 6
func BenchmarkRouted(b *testing.B) {
	for name, reads := range map[string]*dbfleet.ReadsConfig{"primary": nil, "replicas": {}, "replicas, latency": {Balance: dbfleet.BalanceLatency}} {
		b.Run(name, func(b *testing.B) {
			m := routedModel(b, reads)
			ctx := context.Background()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := m.Find(ctx, 1000); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
