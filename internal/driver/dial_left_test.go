//go:build !dbfleet_no_postgres && !dbfleet_no_mysql && !dbfleet_no_sqlite

package driver

import (
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dbtest"
	"github.com/dbfleet/dbfleet/internal/driver/netconn"
)

// giveUp has n callers ask for a connection at once, each for so long.
func giveUp(p *Pool, n int, d time.Duration) {
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), d)
			defer cancel()
			if c, err := p.Acquire(ctx, 0); err == nil {
				c.Release()
			}
		})
	}
	wg.Wait()
}

// stalled is a connection whose server says one byte and no more.
func stalled() net.Conn {
	client, server := net.Pipe()
	go func() { _, _ = server.Write([]byte{'R'}) }()
	go func() { _, _ = io.Copy(io.Discard, server) }()
	return client
}

// The time that a caller has is divided among the addresses of a name.
// Not parallel: it sets the resolver of the program.
func TestDial_SharesItsCallersTimeAmongTheAddresses(t *testing.T) {
	dns := resolving(t)
	for _, dialect := range []string{"postgres", "mysql"} {
		t.Run(dialect, func(t *testing.T) {
			db := dbtest.New(t, dialect)
			mute := listenMute(t, "127.0.0.2", db.Port)
			dns.answer("127.0.0.2", "127.0.0.1")
			o := optionsFor(db)
			o.Host, o.ConnectTimeout = "db.dbfleet.test", time.Minute
			p := open(t, o)
			served := 0
			for range 3 {
				ctx, cancel := context.WithTimeout(t.Context(), 6*time.Second)
				c, err := p.Acquire(ctx, 0)
				cancel()
				if err == nil {
					served++
					c.Release()
				}
			}
			require.Equal(t, 3, served, "callers of 6 s; the mute address was tried %d times", mute.Load())
		})
	}
}

// A caller without a deadline is told of a silent server after ConnectTimeout,
// whatever others do.
func TestDial_OfOthersKeepsNobodyFromHisError(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, db dbtest.Database) {
		proxy, o := proxied(t, db)
		o.ConnectTimeout = 2 * time.Second
		p := open(t, o)
		proxy.Blackhole()
		told(t, p, 500*time.Millisecond, 7*time.Second)
	})
}

// So is one whose server says something and then nothing.
func TestDial_OfOthersKeepsNobodyFromHisErrorOnceHeard(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, db dbtest.Database) {
		o := optionsFor(db)
		o.ConnectTimeout = time.Second
		o.Dial = func(context.Context, string, string) (net.Conn, error) { return stalled(), nil }
		told(t, open(t, o), 800*time.Millisecond, 7*time.Second)
	})
}

func told(t *testing.T, p *Pool, every, within time.Duration) {
	giveUp(p, 1, 50*time.Millisecond)
	got := make(chan error, 1)
	start := time.Now()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { _, err := p.Acquire(ctx, time.Second); got <- err }()
	for time.Since(start) < within {
		select {
		case err := <-got:
			var connect *ConnectError
			require.ErrorAs(t, err, &connect)
			return
		case <-time.After(every):
		}
		giveUp(p, 1, 50*time.Millisecond)
	}
	t.Fatalf("not told anything within %v", within)
}

// One connection that was lost on the way after the server had said something does not
// fail those who come later.
func TestDial_ThatStallsFailsOneCaller(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, db dbtest.Database) {
		o := optionsFor(db)
		o.ConnectTimeout = time.Minute
		var dials atomic.Int64
		o.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			if dials.Add(1) == 1 {
				return stalled(), nil
			}
			return new(net.Dialer).DialContext(ctx, network, address)
		}
		p := open(t, o)
		leave(t, p, 1)
		failed := 0
		for range 6 {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			c, err := p.Acquire(ctx, 0)
			cancel()
			if err != nil {
				failed++
				continue
			}
			c.Release()
		}
		require.Zero(t, failed, "of 6 callers of 10 s each; the server answers, and was dialled %d times", dials.Load())
	})
}

// Dials that nobody waits for take the budget from nobody.
func TestDial_ThatNobodyWaitsForLeavesTheBudgetToOthers(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, db dbtest.Database) {
		proxy, o := proxied(t, db)
		var pools []*Pool
		o.Budget, o.MaxOpen, o.ConnectTimeout = budgetOf(4, &pools), 4, time.Minute
		well := optionsFor(db)
		well.Budget = o.Budget
		pools = []*Pool{open(t, o), open(t, well)}
		proxy.Blackhole()
		leave(t, pools[0], 4)
		c, err := pools[1].Acquire(t.Context(), 20*time.Second)
		require.NoError(t, err)
		c.Release()
	})
}

// A server whose first word takes longer than a second, and than callers wait, serves
// them all the same.
func TestDial_ToAServerThatIsSlowToSayItsFirstWord(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, db dbtest.Database) {
		proxy, o := proxied(t, db)
		o.ConnectTimeout = time.Minute
		p := open(t, o)
		proxy.Delay(1200 * time.Millisecond)
		comes(t, p, time.Minute)
	})
}

// The same for what is before it: a Dial, or a PasswordFunc, that takes so long.
func TestDial_ThatTakesLongerThanASecond(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, db dbtest.Database) {
		o := optionsFor(db)
		o.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			select {
			case <-time.After(1200 * time.Millisecond):
			case <-ctx.Done():
				return nil, ctx.Err()
			}
			return new(net.Dialer).DialContext(ctx, network, address)
		}
		comes(t, open(t, o), time.Minute)
	})
}

func comes(t *testing.T, p *Pool, within time.Duration) {
	n := 0
	for end := time.Now().Add(within); time.Now().Before(end); n++ {
		ctx, cancel := context.WithTimeout(t.Context(), 700*time.Millisecond)
		c, err := p.Acquire(ctx, 0)
		cancel()
		if err == nil {
			c.Release()
			return
		}
	}
	t.Fatalf("none of %d callers of 700 ms was served within %v", n, within)
}

// A check has a connection of its own although dials that nobody waits for are lost.
func TestDial_ThatWasLeftHoldsUpNoCheck(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, db dbtest.Database) {
		proxy, o := proxied(t, db)
		o.MaxOpen, o.ConnectTimeout = 20, time.Minute
		p := open(t, o)
		proxy.Hold(maxDials)
		defer proxy.Release()
		leave(t, p, maxDials)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		_, err := p.Check(ctx, false)
		require.NoError(t, err)
	})
}

// The connection of a check is none of those that MaxOpen bounds.
func TestDial_OfACheckKeepsNobodyFromHisOwn(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, db dbtest.Database) {
		o := optionsFor(db)
		o.MaxOpen, o.ConnectTimeout = 1, time.Minute
		var dials atomic.Int64
		o.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			if dials.Add(1) == 2 { // the check's
				return stalled(), nil
			}
			return new(net.Dialer).DialContext(ctx, network, address)
		}
		p := open(t, o)
		held := acquire(t, p)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		checked := make(chan error, 1)
		go func() { _, err := p.Check(ctx, false); checked <- err }()
		require.Eventually(t, func() bool { return dials.Load() == 2 }, 30*time.Second, time.Millisecond)
		held.Spoil()
		held.Release()
		acquire(t, p)
		cancel()
		require.ErrorIs(t, <-checked, context.Canceled)
	})
}

// always is another server that may answer.
type always struct{}

func (always) Left() bool { return true }

func (always) Room() bool { return false }

// A read that waits for the budget of all pools gains nothing by another server, whose
// connections are of the same budget: it keeps its turn.
func TestDial_OfAReadKeepsItsTurnForTheBudget(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, db dbtest.Database) {
		o := optionsFor(db)
		o.Budget = NewBudget(1, func() bool { return false })
		p := open(t, o)
		held := acquire(t, p)
		time.AfterFunc(5500*time.Millisecond, func() { held.Spoil(); held.Release() })
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second) // whose half is over before
		defer cancel()
		c, err := p.AcquireToRead(ctx, 0, always{})
		require.NoError(t, err)
		c.Release()
	})
}

// The acquire timeout bounds the wait for a slot, however many connections come meanwhile that
// are of no use.
func TestDial_OfOthersThatIsOfNoUseBeginsNoAcquireTimeoutAnew(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, db dbtest.Database) {
		p := open(t, optionsFor(db))
		for range maxDials {
			p.dials <- struct{}{}
		}
		defer func() {
			for range maxDials {
				<-p.dials
			}
		}()
		const wait = 100 * time.Millisecond
		got := make(chan error, 1)
		go func() {
			_, err := p.Acquire(t.Context(), wait)
			got <- err
		}()
		for came := 0; came < 200; came++ { // twenty seconds at least
			select {
			case err := <-got:
				var timeout *AcquireTimeoutError
				require.ErrorAs(t, err, &timeout)
				require.NoError(t, timeout.Err)
				return
			case <-time.After(wait):
			}
			c, err := p.connect(t.Context(), t.Context())
			require.NoError(t, err)
			c.idleFrom = time.Now()
			d := &dial{pool: p, generation: p.generation.Load() - 1, over: make(chan struct{}), conn: c, end: func(error) {}}
			close(d.over)
			p.left.leave(d)
		}
		require.Fail(t, "it waits on")
	})
}

// When Close has returned no connection is open: what comes with a dial that nobody waits for
// any more is closed by then.
func TestDial_ThatIsDroppedByCloseIsWaitedFor(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, db dbtest.Database) {
		p, err := Open(optionsFor(db))
		require.NoError(t, err)
		made, err := p.connect(t.Context(), t.Context())
		require.NoError(t, err)
		p.dials <- struct{}{}
		_, end, over := p.ends.begin(context.Background(), nil)
		d := &dial{pool: p, hears: netconn.NewHearing(), over: make(chan struct{}), end: end}
		p.left.leave(d)
		closed := make(chan error, 1)
		go func() { closed <- p.Close() }()
		require.Eventually(t, func() bool {
			p.left.mu.Lock()
			defer p.left.mu.Unlock()
			return d.dropped
		}, 30*time.Second, time.Millisecond)
		made.lockAnyway() // a farewell that takes its time
		d.conn = made     // it was there just then
		go func() {
			defer over()
			p.left.ended(d, false)
		}()
		select {
		case <-closed:
			require.Fail(t, "Close has returned while the connection is open")
		case <-time.After(lateWait / 4):
		}
		made.unlock()
		require.NoError(t, <-closed)
		require.False(t, made.s.Usable())
	})
}

// How long a connection is kept that nobody takes counts from when it is there, not from when
// its caller left.
func TestDial_IsKeptAsOfWhenItsConnectionIsThere(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, db dbtest.Database) {
		proxy, o := proxied(t, db)
		o.ConnectTimeout = time.Minute
		p := open(t, o)
		d := leaves(t, p, proxy)
		time.Sleep(keepDialled - time.Second) // which is what this is about
		proxy.Release()
		d.awaited(t)
		require.NoError(t, d.err)
		time.Sleep(2 * time.Second)
		c := acquire(t, p)
		require.Same(t, d.conn, c.inner, "it is two seconds old")
	})
}
