//go:build !dbfleet_no_postgres && !dbfleet_no_mysql && !dbfleet_no_sqlite

package driver

import (
	"context"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// A context that ends just as the wait for a connection does harms nobody.
func TestAcquire_ContextThatEndsWithTheWait(t *testing.T) {
	t.Parallel()
	o := optionsFor(dbtest.New(t, "sqlite"))
	o.MaxOpen = 1
	p := open(t, o)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 400 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.IntN(800))*time.Microsecond)
				if c, err := p.Acquire(ctx, time.Second); err == nil {
					runtime.Gosched()
					c.Release()
				}
				cancel()
			}
		})
	}
	wg.Wait()
}

// If this fails with another version of Go, database/sql asks for Done at other
// moments; see acquire_timer.go.
func TestAcquire_ArmsNoTimerWithoutAWait(t *testing.T) {
	t.Parallel()
	p := open(t, optionsFor(dbtest.New(t, "sqlite")))
	acquire(t, p).Release()
	a := new(acquireCtx).begin(t.Context(), p, time.Minute)
	c, err := p.DB().Conn(a)
	require.NoError(t, err)
	require.Nil(t, a.timer)
	require.Equal(t, 1, a.calls)
	require.NotNil(t, a.got)
	require.NoError(t, c.Close())
}
