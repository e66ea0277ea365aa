package dbfleetotel_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	dbfleetotel "github.com/dbfleet/dbfleet/otel"
)

// sums are all measurements by their metric and attributes, histograms as their counts.
func (w *watched) sums(t testing.TB) map[string]float64 {
	t.Helper()
	out := map[string]float64{}
	put := func(metric string, of attribute.Set, value float64) {
		out[metric+"{"+of.Encoded(attribute.DefaultEncoder())+"}"] = value
	}
	for name, m := range w.collect(t) {
		switch all := m.Data.(type) {
		case metricdata.Sum[int64]:
			for _, p := range all.DataPoints {
				put(name, p.Attributes, float64(p.Value))
			}
		case metricdata.Sum[float64]:
			for _, p := range all.DataPoints {
				put(name, p.Attributes, p.Value)
			}
		case metricdata.Histogram[float64]:
			for _, p := range all.DataPoints {
				put(name, p.Attributes, float64(p.Count))
			}
		default:
			t.Fatalf("%s is a %T", name, all)
		}
	}
	return out
}

// Thousands of tenants come and go: measurements name their group, spans the tenant's
// database.
func TestTenants_AreMeasuredByTheNameOfTheirGroup(t *testing.T) {
	t.Parallel()
	w := watch(t)
	folder := t.TempDir()
	r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{})
	require.NoError(t, r.AddTenants("shops", dbfleet.TenantsConfig{
		Driver: dbfleet.SQLite, MaxTenants: 2, MaxOpen: 50,
		Connect: func(_ context.Context, tenant string) (dbfleet.ConnectionConfig, error) {
			return dbfleet.ConnectionConfig{Database: filepath.Join(folder, tenant+".db")}, nil
		},
	}))
	r.OnQuery(dbfleetotel.New(w.options))
	stop, err := dbfleetotel.ObservePools(r, w.options)
	require.NoError(t, err)
	defer func() { require.NoError(t, stop()) }()
	var series int
	for i := range 20 {
		tenant := fmt.Sprint("t", i%10)
		ctx := dbfleet.WithTenant(t.Context(), tenant)
		_, err := r.DB("shops").ExecContext(ctx, "CREATE TABLE IF NOT EXISTS notes (id INTEGER)")
		require.NoError(t, err)
		_, a := w.one(t)
		require.Equal(t, "shops/"+tenant, a["dbfleet.connection"].AsString())
		require.Equal(t, tenant+".db", a["db.namespace"].AsString())
		_, err = r.DB("shops").ExecContext(ctx, "SELEC")
		require.Error(t, err)
		w.spans()
		got := w.sums(t)
		for name := range got {
			require.NotContains(t, name, tenant)
		}
		if i == 0 {
			series = len(got)
		}
		require.Len(t, got, series)
		require.Equal(t, float64(i+1), got["db.client.operation.duration{db.system.name=sqlite,dbfleet.connection=shops,dbfleet.node=shops,dbfleet.role=primary}"])
		require.Equal(t, float64(min(i+1, 2)), got["dbfleet.tenants{db.system.name=sqlite,dbfleet.connection=shops}"])
		require.Contains(t, got, "dbfleet.tenants.waiting{db.system.name=sqlite,dbfleet.connection=shops}")
	}
}
