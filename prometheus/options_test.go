package dbfleetprometheus_test

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	dbfleetprometheus "github.com/dbfleet/dbfleet/prometheus"
)

// Options that Prometheus refuses are told at once, not by the first statement.
func TestNew_TellsWrongOptions(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]dbfleetprometheus.Options{
		"buckets": {Buckets: []float64{3, 1, 2}},
		"le":      {ConstLabels: prometheus.Labels{"le": "x"}},
	} {
		r, err := dbfleet.Open(dbfleet.Config{Connections: map[string]dbfleet.ConnectionConfig{"a": {Driver: dbfleet.SQLite, Database: ":memory:"}}})
		require.NoError(t, err)
		require.Panics(t, func() { dbfleetprometheus.New(r, options) }, name)
		_, err = r.DB("a").ExecContext(t.Context(), "CREATE TABLE done (id INTEGER)")
		require.NoError(t, err)
		require.NoError(t, r.Close())
	}
}
