//go:build !dbfleet_no_postgres && !dbfleet_no_mysql && !dbfleet_no_sqlite

package driver

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// brief is less than it takes to connect through a slow proxy, and more than a statement
// on a connection takes there.
const (
	slowAnswer = 100 * time.Millisecond
	brief      = 2*slowAnswer - slowAnswer/4
)

func (d *dial) awaited(t *testing.T) {
	t.Helper()
	select {
	case <-d.over:
	case <-time.After(30 * time.Second):
		t.Fatal("the dial does not end")
	}
}

// leaves has a caller give up while a connection is made, which the proxy holds until
// Release, and returns the dial.
func leaves(t *testing.T, p *Pool, proxy *dbtest.Proxy) *dial {
	t.Helper()
	proxy.Hold(1)
	leave(t, p, 1)
	p.left.mu.Lock()
	defer p.left.mu.Unlock()
	require.Len(t, p.left.going, 1)
	return p.left.going[0]
}

// leave has n callers give up while as many connections are made.
func leave(t *testing.T, p *Pool, n int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	errs := make(chan error, n)
	for range n {
		go func() {
			_, err := p.Acquire(ctx, 0)
			errs <- err
		}()
	}
	require.Eventually(t, func() bool { return dialsOf(p) == n }, 30*time.Second, time.Millisecond)
	cancel()
	for range n {
		require.ErrorIs(t, <-errs, context.Canceled)
	}
}

// A server that needs longer for a connection than each caller waits serves them all the
// same, with as many connections as it may have.
func TestDial_GoesOnWhenItsCallerHasGone(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, db dbtest.Database) {
		proxy, o := proxied(t, db)
		o.MaxOpen, o.MaxIdle, o.ConnectTimeout = 3, 3, time.Minute
		p := open(t, o)
		proxy.Delay(slowAnswer)
		var group sync.WaitGroup
		for range 12 {
			group.Go(func() {
				for end := time.Now().Add(time.Minute); time.Now().Before(end); {
					ctx, cancel := context.WithTimeout(context.Background(), brief)
					c, err := p.Acquire(ctx, 0)
					cancel()
					if err == nil {
						c.Release()
						return
					}
				}
				t.Error("nobody was served within a minute")
			})
		}
		group.Wait()
		require.LessOrEqual(t, proxy.Accepted(), o.MaxOpen)
		require.NoError(t, p.Close())
		require.Eventually(t, func() bool { return proxy.Open() == 0 }, 30*time.Second, time.Millisecond)
	})
}

// What nobody takes is not kept, and counts as idle for who closes what is idle.
func TestDial_IsClosedWhenNobodyTakesIt(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, db dbtest.Database) {
		proxy, o := proxied(t, db)
		o.ConnectTimeout = time.Minute
		p := open(t, o)
		none := func() bool { return proxy.Open() == 0 }
		d := leaves(t, p, proxy)
		proxy.Release()
		d.awaited(t)
		require.True(t, p.CloseIdle())
		require.False(t, p.CloseIdle())
		require.Eventually(t, none, 30*time.Second, time.Millisecond)
		d = leaves(t, p, proxy)
		proxy.Release()
		d.awaited(t)
		require.Eventually(t, none, keepDialled+30*time.Second, time.Millisecond)
		d = leaves(t, p, proxy)
		proxy.Release()
		d.awaited(t)
		p.EndLoans()
		require.Eventually(t, none, 30*time.Second, time.Millisecond)
	})
}

// A connection from before DropIdle is not given to anybody.
func TestDial_FromBeforeDropIdleServesNobody(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, db dbtest.Database) {
		proxy, o := proxied(t, db)
		o.ConnectTimeout = time.Minute
		p := open(t, o)
		d := leaves(t, p, proxy)
		p.DropIdle()
		proxy.Release()
		d.awaited(t)
		c := acquire(t, p)
		require.NotSame(t, d.conn, c.inner)
		require.Equal(t, 2, proxy.Accepted())
	})
}

// Dials that were lost on the way keep nobody from a server that answers again.
func TestDial_LostOnItsWayIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, db dbtest.Database) {
		proxy, o := proxied(t, db)
		o.MaxOpen, o.ConnectTimeout = 2*maxDials, time.Hour
		p := open(t, o)
		proxy.Hold(maxDials)
		defer proxy.Release()
		leave(t, p, maxDials)
		require.Len(t, p.left.going, maxDials)
		for range maxDials {
			acquire(t, p)
		}
	})
}

// budgetOf is a budget of pools that are still to be opened.
func budgetOf(size int, pools *[]*Pool) *Budget {
	return NewBudget(size, func() (some bool) {
		for _, p := range *pools {
			some = p.CloseIdle() || some
		}
		return some
	})
}

// Who waits for the budget of several pools is served by a dial that was left in his own,
// and by the end of one that was left in another's.
func TestDial_ThatWasLeftGivesItsPlaceInTheBudget(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, db dbtest.Database) {
		proxy, o := proxied(t, db)
		var pools []*Pool
		o.Budget, o.ConnectTimeout = budgetOf(1, &pools), time.Minute
		pools = []*Pool{open(t, o), open(t, o)}
		leaves(t, pools[0], proxy)
		proxy.Release()
		acquire(t, pools[0]).Release()
		require.Equal(t, 1, proxy.Accepted(), "the one that was left")
		require.True(t, pools[0].CloseIdle())

		leaves(t, pools[0], proxy)
		proxy.Release()
		acquire(t, pools[1]).Release()
		require.Equal(t, 3, proxy.Accepted())
		require.True(t, pools[1].CloseIdle())
		require.Eventually(t, func() bool { open, waiting := o.Budget.Figures(); return open == 0 && waiting == 0 }, 30*time.Second, time.Millisecond)
	})
}

// A dial that was left and fails is no answer to somebody else.
func TestDial_ThatFailsIsItsOwnCallersError(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, db dbtest.Database) {
		proxy, o := proxied(t, db)
		o.MaxOpen, o.ConnectTimeout = 1, time.Minute
		p := open(t, o)
		d := leaves(t, p, proxy)
		got := make(chan error, 1)
		go func() {
			c, err := p.Acquire(context.Background(), time.Minute)
			if err == nil {
				c.Release()
			}
			got <- err
		}()
		require.Eventually(t, func() bool { return countDials(p, false) == 1 }, 30*time.Second, time.Millisecond)
		proxy.Cut()
		require.NoError(t, <-got)
		d.awaited(t)
		require.Error(t, d.err)
		require.Equal(t, int64(1), p.made.Load())
	})
}

// Where ConnectTimeout and the caller's time end together, it is the caller's that was over.
func TestDial_ThatEndsWithItsCallersTimeSaysSo(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, db dbtest.Database) {
		proxy, o := proxied(t, db)
		o.ConnectTimeout = slowAnswer
		p := open(t, o)
		proxy.Blackhole()
		for range 20 {
			ctx, cancel := context.WithTimeout(t.Context(), o.ConnectTimeout)
			_, err := p.Acquire(ctx, 0)
			cancel()
			require.ErrorIs(t, err, context.DeadlineExceeded)
		}
	})
}
