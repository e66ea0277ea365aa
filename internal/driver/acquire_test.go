//go:build !dbfleet_no_postgres && !dbfleet_no_mysql && !dbfleet_no_sqlite

package driver

import (
	"context"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

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
