package connections

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// promises 26, 27: every node at once, within a deadline, a silent one too.
func TestHealth_TellsEveryNodeInTime(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		file := dbtest.New(t, "sqlite")
		silent := dbtest.NewProxy(t, db.Server.Addr())
		main := conformance.ConnectionTo(db)
		main.ReadHosts = []string{db.Server.Addr(), silent.Addr()}
		conformance.Patient(&main) // so that the silent one is left to Health
		second, refused := conformance.ConnectionTo(silent.Through(db)), conformance.ConnectionTo(db)
		refused.Port = refusedPort(t)
		refused.Password = "s3cr3t-canary"
		r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": main, "file": conformance.ConnectionTo(file), "second": second})
		h := r.Health(t.Context())
		require.Equal(t, dbfleet.Healthy, h.Status)
		require.Len(t, h.Connections, 3)
		require.WithinDuration(t, time.Now(), h.CheckedAt, time.Minute)
		nodes := h.Connections["main"].Nodes
		require.Len(t, nodes, 3)
		require.Equal(t, dbfleet.Driver(db.Dialect), h.Connections["main"].Driver)
		for i, name := range []string{"main", "main/replica-1", "main/replica-2"} {
			require.Equal(t, name, nodes[i].Name)
			require.True(t, nodes[i].Up)
			require.Positive(t, nodes[i].Latency)
			require.Equal(t, 10, nodes[i].Pool.MaxOpen)
			require.Equal(t, 1, nodes[i].Pool.Open)
			require.Equal(t, 1, r.Stats()[name].OpenConnections)
		}
		require.Equal(t, dbfleet.RolePrimary, nodes[0].Role)
		require.Equal(t, dbfleet.RoleReplica, nodes[1].Role)

		silent.Blackhole()
		require.NoError(t, r.Add("refused", refused))
		require.NoError(t, r.Add("nowhere", dbfleet.ConnectionConfig{Driver: dbfleet.SQLite, Database: "/no/such/place/x.db"}))
		const patience = 3 * time.Second // in which those that are well answer
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		start := time.Now()
		h = r.Health(ctx)
		require.Less(t, time.Since(start), 2*patience, "the silent nodes are asked at the same time")
		require.Equal(t, dbfleet.Degraded, h.Status)
		require.Equal(t, dbfleet.Degraded, h.Connections["main"].Status)
		require.Equal(t, []bool{true, true, false}, ups(h.Connections["main"]))
		require.Equal(t, dbfleet.ProblemTimeout, h.Connections["main"].Nodes[2].Problem)
		require.ErrorIs(t, h.Connections["main"].Nodes[2].Err, context.DeadlineExceeded)
		require.Equal(t, dbfleet.Unhealthy, h.Connections["second"].Status)
		require.Equal(t, dbfleet.Unhealthy, h.Connections["refused"].Status)
		require.Equal(t, dbfleet.ProblemRefused, h.Connections["refused"].Nodes[0].Problem)
		require.Equal(t, dbfleet.ProblemNoDatabase, h.Connections["nowhere"].Nodes[0].Problem)
		require.Equal(t, dbfleet.Healthy, h.Connections["file"].Status)

		// The handler shows no host, port, account, database, path or error.
		recorder := httptest.NewRecorder()
		again, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		r.HealthHandler().ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/", nil).WithContext(again))
		require.Equal(t, http.StatusOK, recorder.Code)
		require.Equal(t, "application/json", recorder.Header().Get("Content-Type"))
		body := recorder.Body.String()
		for _, secret := range []string{db.Host, db.Name, db.Username, db.Password, "s3cr3t-canary", file.Name, "/no/such/place", "dial"} {
			require.NotContains(t, body, secret)
		}
		var shown struct {
			Status      string
			Connections map[string]struct {
				Status, Driver string
				Nodes          []struct {
					Name, Role, Problem string
					Up                  bool
				}
			}
		}
		require.NoError(t, json.Unmarshal(recorder.Body.Bytes(), &shown))
		require.Equal(t, "degraded", shown.Status)
		require.Equal(t, "unhealthy", shown.Connections["refused"].Status)
		silent.Heal()
	})
}

func TestHealth_WithoutAnyPrimaryIsUnhealthy(t *testing.T) {
	t.Parallel()
	r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"a": {Driver: dbfleet.SQLite, Database: "/no/such/place/x.db"}})
	require.Equal(t, dbfleet.Unhealthy, r.Health(t.Context()).Status)
	recorder := httptest.NewRecorder()
	r.HealthHandler().ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/", nil))
	require.Equal(t, http.StatusServiceUnavailable, recorder.Code)

	fl := conformance.OnSQLite(t)
	require.Equal(t, dbfleet.Healthy, fl.Health(t.Context()).Status)
	// In a transaction it asks the node, not the transaction.
	require.NoError(t, fl.Transaction(t.Context(), "", func(ctx context.Context, _ *dbfleet.Tx) error {
		require.Equal(t, dbfleet.Healthy, fl.Health(ctx).Status)
		return nil
	}))
	require.NoError(t, fl.Close())
	h := fl.Health(t.Context())
	require.Equal(t, dbfleet.Unhealthy, h.Status, "closed")
	require.Empty(t, h.Connections)
}
