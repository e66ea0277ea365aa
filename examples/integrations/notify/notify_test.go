package notify_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/examples/integrations/notify"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

func TestNotify_HearsWhatWasCommittedUntilTheContextEnds(t *testing.T) {
	t.Parallel()
	registry := conformance.Open(t, map[string]dbfleet.ConnectionConfig{
		"main": conformance.ConnectionTo(dbtest.New(t, "postgres")),
	})
	db := registry.DB("main")
	ctx, stop := context.WithCancel(t.Context())
	begun, heard, ended := make(chan struct{}), make(chan string), make(chan error)
	go func() {
		ended <- notify.Listen(ctx, db, "orders", func(context.Context) error {
			close(begun)
			return nil
		}, func(payload string) error {
			heard <- payload
			return nil
		})
	}()
	<-begun

	changedMyMind := errors.New("changed my mind")
	err := db.Transaction(t.Context(), func(ctx context.Context, tx *dbfleet.Tx) error {
		require.NoError(t, notify.Notify(ctx, tx, "orders", "never committed"))
		return changedMyMind
	})
	require.ErrorIs(t, err, changedMyMind)
	require.NoError(t, notify.Notify(t.Context(), db, "orders", "17"))
	require.Equal(t, "17", <-heard)

	stop()
	require.ErrorIs(t, <-ended, context.Canceled)
	require.NoError(t, notify.Notify(t.Context(), db, "orders", "18"), "the pool serves on")
	conformance.RequireIdle(t, registry)
}
