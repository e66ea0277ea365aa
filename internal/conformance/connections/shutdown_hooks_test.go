package connections

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
)

// hanging is a hook that has not returned before the end of the test.
type hanging struct{ called, ends chan struct{} }

func newHanging(t *testing.T) *hanging {
	t.Helper()
	h := &hanging{make(chan struct{}, 100), make(chan struct{})}
	t.Cleanup(func() { close(h.ends) })
	return h
}

func (h *hanging) hang() {
	h.called <- struct{}{}
	<-h.ends
}

func (h *hanging) waitCalled(t *testing.T) {
	t.Helper()
	select {
	case <-h.called:
	case <-time.After(20 * time.Second):
		require.Fail(t, "the hook was not called")
	}
}

// requireTells ends the registry in a short time, and wants the hook in the error.
func requireTells(t *testing.T, end func(ctx context.Context) error, hook ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	over := make(chan error, 1)
	go func() { over <- end(ctx) }()
	select {
	case err := <-over:
		require.ErrorIs(t, err, context.DeadlineExceeded)
		for _, text := range hook {
			require.ErrorContains(t, err, text)
		}
	case <-time.After(20 * time.Second):
		require.Fail(t, "it waits for ever")
	}
}

// A hook that never returns holds up the end of its connection for as long as that may
// take, and no longer, and the error says which hook it was.
func TestShutdown_NamesAHookThatHasNotReturned(t *testing.T) {
	t.Parallel()
	open := func(t *testing.T) *dbfleet.Registry {
		t.Helper()
		config := dbfleet.ConnectionConfig{Driver: dbfleet.SQLite, Database: filepath.Join(t.TempDir(), "main.db"), LongTransaction: time.Millisecond}
		r, err := dbfleet.Open(dbfleet.Config{Default: "main", Connections: map[string]dbfleet.ConnectionConfig{"main": config}})
		require.NoError(t, err)
		return r
	}
	ends := map[string]func(r *dbfleet.Registry) func(ctx context.Context) error{
		"by Shutdown": func(r *dbfleet.Registry) func(ctx context.Context) error { return r.Shutdown },
		"by Remove": func(r *dbfleet.Registry) func(ctx context.Context) error {
			return func(ctx context.Context) error { return r.Remove(ctx, "main") }
		},
	}
	for name, end := range ends {
		t.Run("OnNodeChange "+name, func(t *testing.T) {
			t.Parallel()
			r, h := open(t), newHanging(t)
			r.OnNodeChange(func(context.Context, dbfleet.NodeEvent) { h.hang() })
			require.NoError(t, r.SetReplicas(t.Context(), "main", []dbfleet.ReplicaConfig{{Host: filepath.Join(t.TempDir(), "copy.db"), Name: "copy"}}))
			h.waitCalled(t)
			requireTells(t, end(r), `connection "main"`, "OnNodeChange", `"main/copy"`, "added")
		})
		t.Run("OnLongTransaction "+name, func(t *testing.T) {
			t.Parallel()
			r, h := open(t), newHanging(t)
			r.OnLongTransaction(func(context.Context, dbfleet.OpenTransaction) { h.hang() })
			require.NoError(t, r.Transaction(t.Context(), "main", func(context.Context, *dbfleet.Tx) error {
				h.waitCalled(t)
				return nil
			}))
			requireTells(t, end(r), `connection "main"`, "OnLongTransaction")
		})
	}
	t.Run("OnRecovery", func(t *testing.T) {
		t.Parallel()
		r, h := open(t), newHanging(t)
		stop, err := r.RecoverInBackground(dbfleet.RecoverOptions{Every: time.Millisecond, OnRecovery: func(context.Context, dbfleet.Recovery, error) { h.hang() }})
		require.NoError(t, err)
		require.NotNil(t, stop)
		require.NoError(t, r.Add("nowhere", dbfleet.ConnectionConfig{Driver: dbfleet.SQLite, Database: filepath.Join(t.TempDir(), "none", "nowhere.db")}))
		h.waitCalled(t)
		requireTells(t, r.Shutdown, "OnRecovery")
	})
}

// A work that is none of a hook's is told as before.
func TestShutdown_TellsWorkThatIsNoHooks(t *testing.T) {
	t.Parallel()
	config := dbfleet.ConnectionConfig{Driver: dbfleet.SQLite, Database: filepath.Join(t.TempDir(), "main.db")}
	r, err := dbfleet.Open(dbfleet.Config{Connections: map[string]dbfleet.ConnectionConfig{"main": config}})
	require.NoError(t, err)
	_ = r.Transaction(t.Context(), "main", func(context.Context, *dbfleet.Tx) error {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
		defer cancel()
		err := r.Shutdown(ctx)
		require.ErrorContains(t, err, "closed with work still running")
		require.NotContains(t, err.Error(), "OnLongTransaction")
		return nil
	})
}
