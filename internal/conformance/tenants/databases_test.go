package tenants

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

type note struct {
	ID   int64
	Text string
}

// estate is a registry with a SQLite file for each tenant.
type estate struct {
	*dbfleet.Registry
	notes *dbfleet.Model[note]
	asked atomic.Int64 // how often Connect was called
}

// newEstate makes one. Each tenant's table is made on its first connection.
func newEstate(t *testing.T, config dbfleet.TenantsConfig) *estate {
	t.Helper()
	folder := t.TempDir()
	s := &estate{Registry: conformance.Open(t, map[string]dbfleet.ConnectionConfig{})}
	config.Driver = dbfleet.SQLite
	config.Connect = func(_ context.Context, tenant string) (dbfleet.ConnectionConfig, error) {
		s.asked.Add(1)
		if tenant == "nobody" {
			return dbfleet.ConnectionConfig{}, dbfleet.ErrUnknownTenant
		}
		return dbfleet.ConnectionConfig{Database: filepath.Join(folder, tenant+".db"), Pool: dbfleet.PoolConfig{AcquireTimeout: time.Minute}}, nil
	}
	require.NoError(t, s.AddTenants("shops", config))
	s.notes = conformance.Model[note](t, s.Registry, dbfleet.ModelConfig{Table: "notes", Connection: "shops"})
	return s
}

// open makes the table of a tenant.
func (s *estate) open(t *testing.T, tenant string) context.Context {
	t.Helper()
	ctx := dbfleet.WithTenant(t.Context(), tenant)
	_, err := s.DB("shops").ExecContext(ctx, conformance.DDL("sqlite", "CREATE TABLE IF NOT EXISTS notes (id {id}, text {text} NOT NULL)"))
	require.NoError(t, err)
	return ctx
}

func (s *estate) stats(t *testing.T) dbfleet.TenantsStats {
	t.Helper()
	stats, err := s.TenantsStats("shops")
	require.NoError(t, err)
	return stats
}

func TestTenants_EachHasItsOwnDatabase(t *testing.T) {
	t.Parallel()
	s := newEstate(t, dbfleet.TenantsConfig{})
	var route dbfleet.Route
	for _, tenant := range []string{"acme", "zeta"} {
		ctx := s.open(t, tenant)
		require.NoError(t, s.notes.Create(ctx, &note{Text: "of " + tenant}))
		n, err := s.notes.Query().First(dbfleet.WithRoute(ctx, &route))
		require.NoError(t, err)
		require.Equal(t, note{1, "of " + tenant}, n)
		require.Equal(t, "shops/"+tenant, route.Connection)
		require.Equal(t, tenant, route.Tenant)
	}
	ctx := dbfleet.WithTenant(t.Context(), "acme")
	got, err := s.DB("shops/acme").Table("notes").Get(ctx)
	require.NoError(t, err)
	require.Len(t, got, 1)
	_, err = s.DB("shops/zeta").Table("notes").Get(ctx)
	require.ErrorIs(t, err, dbfleet.ErrOtherTenant)
	_, err = s.notes.DB("shops/zeta").Query().Get(t.Context())
	require.ErrorIs(t, err, dbfleet.ErrNoTenant)
	_, err = s.notes.Query().Get(dbfleet.AcrossTenants(t.Context()))
	require.ErrorIs(t, err, dbfleet.ErrNoTenant)
	require.ErrorIs(t, s.notes.CreateMany(t.Context(), []note{{Text: "a"}, {Text: "b"}}), dbfleet.ErrNoTenant)
	_, err = s.notes.Query().Get(dbfleet.WithTenant(t.Context(), "nobody"))
	require.ErrorIs(t, err, dbfleet.ErrUnknownTenant)
	require.ErrorContains(t, err, `connection "shops": tenant "nobody"`)
	require.ErrorIs(t, s.DB("shops").Pool().PingContext(t.Context()), dbfleet.ErrNoTenant)
	n, err := s.notes.Query().WhereIn("id", s.notes.Query().Select("id")).Count(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
	require.NoError(t, s.notes.CreateMany(ctx, []note{{Text: "a"}, {Text: "b"}}))
	require.NoError(t, s.notes.UpsertMany(ctx, []note{{ID: 1, Text: "c"}, {ID: 2, Text: "d"}}))
	require.Empty(t, s.Names())
	require.Empty(t, s.Health(t.Context()).Connections)
	require.Equal(t, 2, s.stats(t).Tenants)
}

func TestTenants_ATransactionIsItsTenants(t *testing.T) {
	t.Parallel()
	s := newEstate(t, dbfleet.TenantsConfig{})
	ctx, other := s.open(t, "acme"), s.open(t, "zeta")
	undo := errors.New("undo")
	err := s.Transaction(ctx, "shops", func(ctx context.Context, tx *dbfleet.Tx) error {
		require.Equal(t, "shops/acme", tx.Connection())
		require.NoError(t, s.notes.Create(ctx, &note{Text: "a"}))
		require.NoError(t, s.notes.Using(tx).CreateMany(ctx, []note{{Text: "b"}, {Text: "c"}}))
		_, err := s.notes.Using(tx).Query().Get(other)
		require.ErrorIs(t, err, dbfleet.ErrOtherTenant)
		require.ErrorContains(t, err, `connection "shops/acme": the transaction is the tenant "acme"'s, the context is not`)
		require.ErrorIs(t, s.notes.Using(tx).Create(other, &note{Text: "x"}), dbfleet.ErrOtherTenant)
		_, err = tx.ExecContext(other, "DELETE FROM notes")
		require.ErrorIs(t, err, dbfleet.ErrOtherTenant)
		_, err = tx.Table("notes").Get(other)
		require.ErrorIs(t, err, dbfleet.ErrOtherTenant)
		require.NoError(t, s.Transaction(ctx, "shops", func(ctx context.Context, _ *dbfleet.Tx) error { return s.notes.Create(ctx, &note{Text: "d"}) }))
		n, err := s.notes.Query().Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 4, n)
		return undo
	})
	require.ErrorIs(t, err, undo)
	n, err := s.notes.Query().Count(ctx)
	require.NoError(t, err)
	require.Zero(t, n)
	require.ErrorIs(t, s.Transaction(t.Context(), "shops", func(context.Context, *dbfleet.Tx) error { return nil }), dbfleet.ErrNoTenant)
	require.NoError(t, s.Atomic(ctx, []string{"shops"}, func(ctx context.Context) error { return s.notes.Create(ctx, &note{Text: "e"}) }))
}

func TestTenants_ManyShareAFewConnections(t *testing.T) {
	t.Parallel()
	const tenants, budget = 60, 4
	s := newEstate(t, dbfleet.TenantsConfig{MaxOpen: budget})
	for i := range tenants {
		s.open(t, fmt.Sprint("t", i))
	}
	done := make(chan struct{})
	var most atomic.Int64
	var watch, work sync.WaitGroup
	watch.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				stats, err := s.TenantsStats("shops")
				if err == nil {
					most.Store(max(most.Load(), int64(stats.Open)))
				}
			}
		}
	})
	errs := make(chan error, 64*8)
	for g := range 64 {
		work.Go(func() {
			for i := range 8 {
				tenant := fmt.Sprint("t", (g*7+i*13)%tenants)
				ctx := dbfleet.WithTenant(t.Context(), tenant)
				if i%3 == 0 {
					errs <- s.Transaction(ctx, "shops", func(ctx context.Context, _ *dbfleet.Tx) error {
						return s.notes.Create(ctx, &note{Text: tenant})
					})
					continue
				}
				errs <- s.notes.Create(ctx, &note{Text: tenant})
			}
		})
	}
	work.Wait()
	close(done)
	watch.Wait()
	close(errs)
	for err := range errs {
		require.NoError(t, err)
	}
	require.LessOrEqual(t, most.Load(), int64(budget))
	total := 0
	for i := range tenants {
		tenant := fmt.Sprint("t", i)
		list, err := s.notes.Query().Get(dbfleet.WithTenant(t.Context(), tenant))
		require.NoError(t, err)
		for _, n := range list {
			require.Equal(t, tenant, n.Text)
		}
		total += len(list)
	}
	require.Equal(t, 64*8, total)
	require.LessOrEqual(t, s.stats(t).Open, budget)
}

func TestTenants_ABudgetInUseIsToldByName(t *testing.T) {
	t.Parallel()
	s := newEstate(t, dbfleet.TenantsConfig{MaxOpen: 1})
	acme, zeta := s.open(t, "acme"), s.open(t, "zeta")
	require.NoError(t, s.Transaction(acme, "shops", func(ctx context.Context, _ *dbfleet.Tx) error {
		passes, got := conformance.NewDeadline(zeta), make(chan error, 1)
		go func() { _, err := s.notes.Query().Get(passes); got <- err }()
		require.Eventually(t, func() bool { return s.stats(t).Waiting == 1 }, 30*time.Second, time.Millisecond)
		passes.Pass()
		err := <-got
		require.ErrorIs(t, err, dbfleet.ErrAcquireTimeout)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "shops/zeta")
		require.ErrorContains(t, err, "the budget of 1 connections for all tenants")
		late := new(dbfleet.AcquireTimeoutError)
		require.ErrorAs(t, err, &late)
		require.Equal(t, 1, late.Budget)
		require.Zero(t, late.Stats.OpenConnections, "what waits is not open")
		require.Zero(t, late.Stats.InUse)
		waits, done := context.WithCancel(zeta)
		waited := make(chan error, 1)
		go func() { waited <- s.DB("shops").Ping(waits) }()
		require.Eventually(t, func() bool { return s.stats(t).Waiting == 1 }, 30*time.Second, time.Millisecond)
		stats := s.stats(t)
		require.Equal(t, 1, stats.Open)
		require.Equal(t, 1, stats.InUse)
		done()
		require.Error(t, <-waited)
		_, err = s.notes.Count(dbfleet.OutsideTx(ctx))
		require.ErrorIs(t, err, dbfleet.ErrBusy, "it would wait for itself")
		return s.notes.Create(ctx, &note{Text: "a"})
	}))
	_, err := s.notes.Query().Get(zeta)
	require.NoError(t, err, "the idle connection of another tenant is closed")
	require.Equal(t, 1, s.stats(t).Open)
}

func TestTenants_WhoComesAtOnceOpensOnce(t *testing.T) {
	t.Parallel()
	s := newEstate(t, dbfleet.TenantsConfig{})
	var work sync.WaitGroup
	for range 64 {
		work.Go(func() { _ = s.DB("shops").Ping(dbfleet.WithTenant(t.Context(), "acme")) })
	}
	work.Wait()
	require.EqualValues(t, 1, s.asked.Load())
	ended, cancel := context.WithCancel(dbfleet.WithTenant(t.Context(), "zeta"))
	cancel()
	require.Error(t, s.DB("shops").Ping(ended))
	require.NoError(t, s.DB("shops").Ping(dbfleet.WithTenant(t.Context(), "zeta")))
}

func TestTenants_IdleOnesAreClosedAndThoseInUseAreNot(t *testing.T) {
	t.Parallel()
	s := newEstate(t, dbfleet.TenantsConfig{IdleClose: 20 * time.Millisecond})
	closed := func(n int) func() bool { return func() bool { return s.stats(t).Tenants == n } }
	ctx := s.open(t, "acme")
	require.NoError(t, s.notes.Create(ctx, &note{Text: "a"}))
	require.Eventually(t, closed(0), 30*time.Second, time.Millisecond)
	require.Eventually(t, func() bool { return s.stats(t).Open == 0 }, 30*time.Second, time.Millisecond)
	// Others that come and go show that time enough has passed for whoever is not in use.
	stays := func() {
		before := s.asked.Load()
		for i := range 3 {
			s.open(t, fmt.Sprint("other", i))
			require.Eventually(t, closed(1), 30*time.Second, time.Millisecond)
		}
		_, err := s.DB("shops").Table("notes").Get(ctx)
		require.NoError(t, err)
		require.Equal(t, before+3, s.asked.Load(), "it was not opened again")
	}

	rows, err := s.DB("shops").QueryContext(ctx, "SELECT text FROM notes")
	require.NoError(t, err)
	stays()
	require.True(t, rows.Next())
	require.NoError(t, rows.Close())

	require.NoError(t, s.Transaction(ctx, "shops", func(ctx context.Context, _ *dbfleet.Tx) error {
		stays()
		return s.notes.Create(ctx, &note{Text: "b"})
	}))
	require.NoError(t, s.DB("shops").Conn(ctx, func(ctx context.Context, c *dbfleet.Conn) error {
		stays()
		_, err := c.ExecContext(ctx, "DELETE FROM notes WHERE text = 'b'")
		return err
	}))

	stmt, err := s.DB("shops").PrepareContext(ctx, "SELECT COUNT(*) FROM notes")
	require.NoError(t, err)
	stays()
	n := 0
	require.NoError(t, stmt.QueryRowContext(ctx).Scan(&n))
	require.Equal(t, 1, n)
	require.NoError(t, stmt.Close())
}

func TestTenants_CloseClosesAll(t *testing.T) {
	t.Parallel()
	s := newEstate(t, dbfleet.TenantsConfig{})
	for i := range 5 {
		s.open(t, fmt.Sprint("t", i))
	}
	ctx := s.open(t, "acme")
	inside, end := make(chan struct{}), make(chan struct{})
	var work sync.WaitGroup
	work.Go(func() {
		err := s.Transaction(ctx, "shops", func(ctx context.Context, _ *dbfleet.Tx) error {
			close(inside)
			<-end
			return s.notes.Create(ctx, &note{Text: "a"})
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-inside
	removed := make(chan error, 1)
	go func() { removed <- s.Remove(t.Context(), "shops") }()
	require.Eventually(t, func() bool { return s.DB("shops").Ping(ctx) != nil }, 30*time.Second, time.Millisecond)
	unknown := new(dbfleet.UnknownConnectionError)
	require.ErrorAs(t, s.DB("shops").Ping(ctx), &unknown)
	close(end)
	work.Wait()
	require.NoError(t, <-removed)
}

func TestTenants_BadConfigurationsAreRefused(t *testing.T) {
	t.Parallel()
	r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": {Driver: dbfleet.SQLite, Database: ":memory:"}, "shops/acme": {Driver: dbfleet.SQLite, Database: ":memory:"}})
	connect := func(_ context.Context, tenant string) (dbfleet.ConnectionConfig, error) {
		switch tenant {
		case "memory":
			return dbfleet.ConnectionConfig{Database: ":memory:"}, nil
		case "panic":
			panic("no")
		}
		return dbfleet.ConnectionConfig{Driver: dbfleet.Postgres, Host: "localhost", Database: "x"}, nil
	}
	err := r.AddTenants("many", dbfleet.TenantsConfig{Driver: "oracle", MaxOpen: -2, MaxTenants: -1, IdleClose: -2})
	for _, key := range []string{"driver", "connect", "max_open", "max_tenants", "idle_close"} {
		require.ErrorContains(t, err, key)
	}
	good := dbfleet.TenantsConfig{Driver: dbfleet.SQLite, Connect: connect}
	require.ErrorContains(t, r.AddTenants("main", good), "the name is taken")
	require.ErrorContains(t, r.AddTenants("shops", good), `begins the name of the connection "shops/acme"`)
	require.NoError(t, r.AddTenants("many", good))
	require.ErrorContains(t, r.Add("many/acme", dbfleet.ConnectionConfig{Driver: dbfleet.SQLite, Database: ":memory:"}), "is the name of a tenant's database")
	require.ErrorContains(t, r.Replace(t.Context(), "many", dbfleet.ConnectionConfig{Driver: dbfleet.SQLite, Database: ":memory:"}), "another database for each tenant")
	require.ErrorIs(t, r.SetReplicas(t.Context(), "many", nil), dbfleet.ErrNoTenant)
	require.ErrorContains(t, r.Atomic(acme(t), []string{"main", "many"}, func(context.Context) error { return nil }), "takes part in no Atomic")
	_, err = r.TenantsStats("main")
	require.ErrorContains(t, err, "has no tenants")
	for tenant, why := range map[string]string{"memory": "is in memory", "panic": "has panicked", "other": "is postgres, and that of the group sqlite"} {
		require.ErrorContains(t, r.DB("many").Ping(dbfleet.WithTenant(t.Context(), tenant)), why)
	}
}

func TestTenants_OnServersEachHasItsDatabase(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, first dbtest.Database) {
		databases := map[string]dbtest.Database{"acme": first, "zeta": dbtest.New(t, first.Dialect), "third": dbtest.New(t, first.Dialect)}
		r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{})
		require.NoError(t, r.AddTenants("shops", dbfleet.TenantsConfig{
			Driver: dbfleet.Driver(first.Dialect), MaxOpen: 2,
			Connect: func(_ context.Context, tenant string) (dbfleet.ConnectionConfig, error) {
				c := conformance.ConnectionTo(databases[tenant])
				c.Pool.AcquireTimeout = 2 * time.Minute // there are not many places, and each tenant has one dialled
				return c, nil
			},
		}))
		notes := conformance.Model[note](t, r, dbfleet.ModelConfig{Table: "notes", Connection: "shops"})
		errs := make(chan error, 64)
		for tenant := range databases {
			_, err := r.DB("shops").ExecContext(dbfleet.WithTenant(t.Context(), tenant), conformance.DDL(first.Dialect, "CREATE TABLE notes (id {id}, text {text} NOT NULL)"))
			require.NoError(t, err)
		}
		var work sync.WaitGroup
		for i := range 30 {
			tenant := []string{"acme", "zeta", "third"}[i%3]
			work.Go(func() { errs <- notes.Create(dbfleet.WithTenant(t.Context(), tenant), &note{Text: tenant}) })
		}
		work.Wait()
		close(errs)
		for err := range errs {
			require.NoError(t, err)
		}
		for tenant := range databases {
			list, err := notes.Query().Get(dbfleet.WithTenant(t.Context(), tenant))
			require.NoError(t, err)
			require.Len(t, list, 10)
			for _, n := range list {
				require.Equal(t, tenant, n.Text)
			}
		}
		stats, err := r.TenantsStats("shops")
		require.NoError(t, err)
		require.LessOrEqual(t, stats.Open, 2)
	})
}
