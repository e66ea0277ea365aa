package driver

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestGate_LetsOneThroughAtATime(t *testing.T) {
	t.Parallel()
	var g gate
	n := 0
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 2000 {
				if err := g.lock(context.Background()); err != nil {
					t.Error(err)
					return
				}
				n++
				g.unlock()
			}
		})
	}
	wg.Wait()
	require.Equal(t, 16000, n)
}

func TestGate_WakesWhoWaitsAlsoAfterOthersGaveUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var g gate
		require.NoError(t, g.lock(t.Context()))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var wg sync.WaitGroup
		got := make(chan error, 6)
		for i := range 6 {
			wg.Go(func() {
				waiting := t.Context()
				if i%2 == 0 {
					waiting = ctx
				}
				err := g.lock(waiting)
				if err == nil {
					time.Sleep(time.Second) // in synctest
					g.unlock()
				}
				got <- err
			})
		}
		synctest.Wait()
		time.Sleep(2 * time.Second)
		g.unlock()
		wg.Wait()
		close(got)
		failed := 0
		for err := range got {
			if err != nil {
				require.ErrorIs(t, err, context.DeadlineExceeded)
				failed++
			}
		}
		require.Equal(t, 3, failed)
	})
}
