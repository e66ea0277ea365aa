package promises

import (
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// promise 24
func TestPromise24_RefusedLostAndOtherErrorsAreToldApart(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
		ctx := t.Context()
		refused := conformance.ConnectionTo(db)
		refused.Port = 1
		if db.Dialect == "sqlite" {
			refused.Port, refused.Database = 0, filepath.Join(filepath.Dir(db.Name), "missing", "folder.db")
		}
		r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(db), "refused": refused})

		_, err := r.DB("refused").Table("users").Get(ctx)
		require.ErrorIs(t, err, dbfleet.ErrConnection)
		require.ErrorIs(t, err, dbfleet.ErrConnectionRefused)
		if db.Dialect != "sqlite" {
			var driver *net.OpError
			require.ErrorAs(t, err, &driver, "the driver's own error is not hidden")
		}

		_, err = r.DB("main").ExecContext(ctx, "SELEC 1")
		require.Error(t, err)
		require.NotErrorIs(t, err, dbfleet.ErrConnection)
		var failed *dbfleet.QueryError
		require.ErrorAs(t, err, &failed)
		require.Equal(t, "main", failed.Connection)

		if db.Dialect == "sqlite" {
			return // a file's connection is not lost
		}
		err = r.Transaction(ctx, "main", func(ctx context.Context, tx *dbfleet.Tx) error {
			_, err := tx.ExecContext(ctx, "SELECT 1")
			require.NoError(t, err) // one that has sent nothing has nothing to lose
			db.KillConnections(t)
			_, err = tx.ExecContext(ctx, "SELECT 1")
			require.ErrorIs(t, err, dbfleet.ErrConnection)
			require.NotErrorIs(t, err, dbfleet.ErrConnectionRefused)
			return err
		})
		require.ErrorIs(t, err, dbfleet.ErrConnection)
		require.NoError(t, r.DB("main").Ping(ctx), "the next one has a new connection")
	})
}

// promise 26
func TestPromise26_HealthTellsWhoAnswers(t *testing.T) {
	t.Parallel()
	onEachEstate(t, []string{"main", "analytics", "users_db"}, func(t *testing.T, e estate) {
		h := e.Health(t.Context())
		require.Equal(t, dbfleet.Healthy, h.Status)
		require.Len(t, h.Connections, 3)
		require.Equal(t, dbfleet.Driver(e.dialect), h.Connections["users_db"].Driver)

		// A server that dies: another process listens where it was, or none.
		db := dbtest.New(t, e.dialect)
		config := conformance.ConnectionTo(db)
		var die func()
		if db.Server == nil {
			folder := filepath.Join(t.TempDir(), "there")
			require.NoError(t, os.Mkdir(folder, 0o700))
			config.Database = filepath.Join(folder, "x.db")
			config.Pool.MaxIdleTime = time.Nanosecond // an open file outlives its folder
			die = func() { require.NoError(t, os.RemoveAll(folder)) }
		} else {
			proxy := dbtest.NewProxy(t, db.Server.Addr())
			config = conformance.ConnectionTo(proxy.Through(db))
			die = proxy.Refuse
		}
		require.NoError(t, e.Replace(t.Context(), "analytics", config))
		require.Equal(t, dbfleet.Healthy, e.Health(t.Context()).Status)
		if db.Server == nil {
			require.NoError(t, e.Replace(t.Context(), "analytics", config)) // closes the file
		}
		die()
		h = e.Health(t.Context())
		require.Equal(t, dbfleet.Degraded, h.Status)
		gone := h.Connections["analytics"]
		require.Equal(t, dbfleet.Unhealthy, gone.Status)
		require.False(t, gone.Nodes[0].Up)
		require.Equal(t, dbfleet.RolePrimary, gone.Nodes[0].Role)
		require.NotEmpty(t, gone.Nodes[0].Problem)
		require.Equal(t, dbfleet.Healthy, h.Connections["main"].Status)
	})
}

// promise 27
func TestPromise27_PoolFigures(t *testing.T) {
	t.Parallel()
	onEachEstate(t, []string{"main", "unused"}, func(t *testing.T, e estate) {
		rows, err := e.DB("main").QueryContext(t.Context(), "SELECT 1")
		require.NoError(t, err)
		defer rows.Close()
		stats := e.Stats()
		require.Len(t, stats, 1, "a pool that was not asked is not opened")
		require.Equal(t, 10, stats["main"].MaxOpenConnections)
		require.Equal(t, 1, stats["main"].InUse)
		require.NoError(t, rows.Close())
		require.Equal(t, 0, e.DB("main").Stats()["main"].InUse)
		require.Equal(t, 1, e.Health(t.Context()).Connections["main"].Nodes[0].Pool.Open)
	})
}

// promise 28
func TestPromise28_HooksOnEveryOutcomeAndSlowQueryLogging(t *testing.T) {
	t.Parallel()
	onEachEstate(t, []string{"main", "analytics"}, func(t *testing.T, e estate) {
		ctx := t.Context()
		e.create(visitsTable, "main", "analytics")
		var before, after []dbfleet.QueryEvent
		e.DB("main").OnBeforeQuery(func(ctx context.Context, q dbfleet.QueryEvent) context.Context {
			before = append(before, q)
			return ctx
		})
		e.DB("main").OnAfterQuery(func(_ context.Context, q dbfleet.QueryEvent) { after = append(after, q) })

		_, err := e.DB("main").Table("visits").Where("event_type", "=", "x").Get(ctx)
		require.NoError(t, err)
		_, err = e.DB("main").Table("missing").Get(ctx)
		require.Error(t, err)
		ended, cancel := context.WithCancel(ctx)
		cancel()
		_, err = e.DB("main").Table("visits").Get(ended)
		require.ErrorIs(t, err, context.Canceled)
		_, err = e.DB("analytics").Table("visits").Get(ctx)
		require.NoError(t, err, "not this connection's")

		require.Len(t, before, 3)
		require.Len(t, after, 3)
		require.Contains(t, after[0].SQL, "visits")
		require.Equal(t, dbfleet.Args{"x"}, after[0].Args)
		require.Positive(t, after[0].Duration)
		require.EqualValues(t, 0, after[0].Rows)
		require.Equal(t, "main", after[0].Route.Node)
		require.NoError(t, after[0].Err)
		require.Error(t, after[1].Err)
		require.ErrorIs(t, after[2].Err, context.Canceled)

		var text strings.Builder
		logger := slog.New(slog.NewTextHandler(&text, nil))
		remove := e.OnQuery(dbfleet.LogQueries(logger, dbfleet.LogOptions{Slow: time.Hour}))
		_, _ = e.DB("main").Table("visits").Where("event_type", "=", "canary").Get(ctx)
		require.Empty(t, text.String(), "not slow")
		remove()
		e.OnQuery(dbfleet.LogQueries(logger, dbfleet.LogOptions{Slow: time.Nanosecond}))
		_, _ = e.DB("main").Table("visits").Where("event_type", "=", "canary").Get(ctx)
		require.Contains(t, text.String(), "slow query")
		require.NotContains(t, text.String(), "canary")
	})
}
