package tenants

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// promise: a tenant that was closed has no connection, so that its database can be dropped,
// and is opened anew by who uses it.
func TestCloseTenant_LetsItsDatabaseBeDropped(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		var asked atomic.Int64
		var gone atomic.Bool
		config := templateOf(t, fl.Database, "acme", "zeta")
		template := config
		config.Tenants.Connect = func(_ context.Context, tenant string) (dbfleet.ConnectionConfig, error) {
			if asked.Add(1); gone.Load() && tenant == "acme" {
				return dbfleet.ConnectionConfig{}, dbfleet.ErrUnknownTenant
			}
			template.Tenants = nil
			return template, nil
		}
		r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"shops": config})
		acme, zeta := dbfleet.WithTenant(t.Context(), "acme"), dbfleet.WithTenant(t.Context(), "zeta")
		for range 2 { // opened, and opened anew
			require.NoError(t, r.DB("shops").Ping(acme))
			require.NoError(t, r.DB("shops").Ping(zeta))
			require.NoError(t, r.CloseTenant(t.Context(), "shops", "acme"))
			stats, err := r.TenantsStats("shops")
			require.NoError(t, err)
			require.Equal(t, 1, stats.Tenants)
			require.Equal(t, 1, stats.Open)
		}
		require.EqualValues(t, 3, asked.Load())
		if fl.Database.Dialect == "postgres" { // which refuses it while somebody is connected
			name := filepath.Base(config.Database[:len(config.Database)-len("{tenant}")]) + "acme"
			fl.Database.Server.Exec(t, `DROP DATABASE "`+name+`"`)
			fl.Database.Server.Exec(t, `CREATE DATABASE "`+name+`"`)
		}
		gone.Store(true)
		require.ErrorIs(t, r.DB("shops").Ping(acme), dbfleet.ErrUnknownTenant)
		require.NoError(t, r.CloseTenant(t.Context(), "shops", "acme"), "it is not open")
		require.NoError(t, r.DB("shops").Ping(zeta))
	})
}

// What runs goes on to its end with the old database while others have the new one.
func TestCloseTenant_WaitsForWhatRuns(t *testing.T) {
	t.Parallel()
	s := newEstate(t, dbfleet.TenantsConfig{})
	ctx := s.open(t, "acme")
	var closed chan error
	require.NoError(t, s.Transaction(ctx, "shops", func(inside context.Context, tx *dbfleet.Tx) error {
		require.ErrorIs(t, s.CloseTenant(inside, "shops", "acme"), dbfleet.ErrBusy)
		closed = make(chan error, 1)
		go func() { closed <- s.CloseTenant(t.Context(), "shops", "acme") }()
		require.Eventually(t, func() bool { return s.stats(t).Tenants == 0 }, time.Minute, time.Millisecond)
		require.NoError(t, s.DB("shops").Ping(ctx), "it is opened anew")
		require.EqualValues(t, 2, s.asked.Load())
		select {
		case err := <-closed:
			t.Errorf("it was closed under the transaction: %v", err)
		default:
		}
		require.NoError(t, s.notes.Create(inside, &note{Text: "a"}))
		return s.notes.Using(tx).Create(inside, &note{Text: "b"})
	}))
	require.NoError(t, <-closed)
	n, err := s.notes.Query().Count(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 2, n)
	require.EqualValues(t, 2, s.asked.Load())
}

// When its context ends, what still runs is cut off and the tenant is closed.
func TestCloseTenant_CutsOffWhenItsContextEnds(t *testing.T) {
	t.Parallel()
	s := newEstate(t, dbfleet.TenantsConfig{})
	ctx := s.open(t, "acme")
	err := s.Transaction(ctx, "shops", func(inside context.Context, _ *dbfleet.Tx) error {
		require.NoError(t, s.notes.Create(inside, &note{Text: "a"}))
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, s.CloseTenant(ended, "shops", "acme"), context.Canceled)
		return s.notes.Create(inside, &note{Text: "b"})
	})
	require.ErrorIs(t, err, dbfleet.ErrClosed)
	n, err := s.notes.Query().Count(ctx)
	require.NoError(t, err)
	require.Zero(t, n)
}

// Who waits for the place of a tenant that is closed meanwhile gets the new one, also where
// the old answer is that there is none.
func TestCloseTenant_DoesNotUseAnAnswerFromBefore(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{"a place": nil, "an error": dbfleet.ErrUnknownTenant} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answersBefore(t, err)
		})
	}
}

func answersBefore(t *testing.T, before error) {
	t.Helper()
	folder := t.TempDir()
	r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{})
	asked, answer := make(chan struct{}), make(chan struct{})
	var calls atomic.Int64
	require.NoError(t, r.AddTenants("shops", dbfleet.TenantsConfig{
		Driver: dbfleet.SQLite,
		Connect: func(context.Context, string) (dbfleet.ConnectionConfig, error) {
			if calls.Add(1) > 1 {
				return dbfleet.ConnectionConfig{Database: filepath.Join(folder, "new.db")}, nil
			}
			close(asked)
			<-answer
			return dbfleet.ConnectionConfig{Database: filepath.Join(folder, "old.db")}, before
		},
	}))
	ctx := dbfleet.WithTenant(t.Context(), "acme")
	done := make(chan error, 1)
	go func() {
		_, err := r.DB("shops").ExecContext(ctx, "CREATE TABLE notes (id INTEGER)")
		done <- err
	}()
	<-asked
	require.NoError(t, r.CloseTenant(t.Context(), "shops", "acme"))
	require.NoError(t, r.DB("shops").Ping(ctx), "who asks afterwards does not wait for it")
	close(answer)
	require.NoError(t, <-done)
	require.FileExists(t, filepath.Join(folder, "new.db"))
	require.NoFileExists(t, filepath.Join(folder, "old.db"))
	_, err := r.DB("shops").ExecContext(ctx, "SELECT * FROM notes")
	require.NoError(t, err)
	require.EqualValues(t, 2, calls.Load())
}

// Idle connections of a tenant that is being closed are room for others.
func TestCloseTenant_LeavesTheBudgetToOthersWhileItWaits(t *testing.T) {
	t.Parallel()
	s := newEstate(t, dbfleet.TenantsConfig{MaxOpen: 2})
	acme, zeta := s.open(t, "acme"), dbfleet.WithTenant(t.Context(), "zeta")
	closed := make(chan error, 1)
	require.NoError(t, s.Transaction(acme, "shops", func(context.Context, *dbfleet.Tx) error {
		require.NoError(t, s.DB("shops").Ping(acme)) // by another connection, which is idle then
		require.Equal(t, 2, s.stats(t).Open)
		go func() { closed <- s.CloseTenant(t.Context(), "shops", "acme") }()
		require.Eventually(t, func() bool { return s.stats(t).Tenants == 0 }, time.Minute, time.Millisecond)
		ctx, cancel := context.WithTimeout(zeta, 20*time.Second)
		defer cancel()
		return s.DB("shops").Ping(ctx)
	}))
	require.NoError(t, <-closed)
}

func TestCloseTenant_SaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	s := newEstate(t, dbfleet.TenantsConfig{})
	require.NoError(t, s.Add("main", dbfleet.ConnectionConfig{Driver: dbfleet.SQLite, Database: ":memory:"}))
	unknown := new(dbfleet.UnknownConnectionError)
	require.ErrorAs(t, s.CloseTenant(t.Context(), "shop", "acme"), &unknown)
	require.ErrorContains(t, s.CloseTenant(t.Context(), "main", "acme"), `connection "main" has no tenants`)
	require.ErrorIs(t, s.CloseTenant(t.Context(), "shops", "ACME"), dbfleet.ErrNoTenant)
	require.NoError(t, s.CloseTenant(t.Context(), "shops", "nobody"))
	require.Zero(t, s.asked.Load())
	require.NoError(t, s.Close())
	require.ErrorIs(t, s.CloseTenant(t.Context(), "shops", "acme"), dbfleet.ErrClosed)
}

func TestCloseTenant_MayBeCalledByManyWhileTenantsAreUsed(t *testing.T) {
	t.Parallel()
	s := newEstate(t, dbfleet.TenantsConfig{MaxOpen: 3, MaxTenants: 2})
	names := []string{"a", "b", "c"}
	for _, tenant := range names {
		s.open(t, tenant)
	}
	var all sync.WaitGroup
	for _, tenant := range names {
		ctx := dbfleet.WithTenant(t.Context(), tenant)
		for range 2 {
			all.Go(func() {
				for range 40 {
					if err := errors.Join(s.notes.Create(ctx, &note{Text: tenant}), s.CloseTenant(t.Context(), "shops", tenant)); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	all.Wait()
	for _, tenant := range names {
		n, err := s.notes.Query().Count(dbfleet.WithTenant(t.Context(), tenant))
		require.NoError(t, err)
		require.EqualValues(t, 80, n)
	}
}
