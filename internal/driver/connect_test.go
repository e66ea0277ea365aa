//go:build !dbfleet_no_postgres && !dbfleet_no_mysql && !dbfleet_no_sqlite

package driver

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// Each dial of 200 cold callers takes a part of ConnectTimeout; all of them one after
// the other take several times as long.
func TestConnect_TheWaitForADialIsThePoolsOwn(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, db dbtest.Database) {
		o := optionsFor(db)
		o.MaxOpen, o.MaxIdle, o.ConnectTimeout = 48, 48, 6*time.Second
		var dials atomic.Int64
		o.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			dials.Add(1)
			select {
			case <-time.After(1200 * time.Millisecond):
			case <-ctx.Done():
				return nil, ctx.Err()
			}
			return new(net.Dialer).DialContext(ctx, network, address)
		}
		p := open(t, o)
		var wg, all sync.WaitGroup
		all.Add(200)
		var failed atomic.Int64
		for range 200 {
			wg.Go(func() {
				all.Done()
				all.Wait()
				c, err := p.Acquire(t.Context(), time.Minute)
				if err != nil {
					failed.Add(1)
					t.Log(err)
					return
				}
				defer c.Release()
				if _, err := c.Exec(t.Context(), "SELECT 1", nil); err != nil {
					failed.Add(1)
				}
			})
		}
		wg.Wait()
		require.Zero(t, failed.Load())
		require.LessOrEqual(t, dials.Load(), int64(48))
	})
}

// A caller does not wait for its turn at a server that answers nobody.
func TestConnect_AMuteServerEndsTheWaitForADial(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, db dbtest.Database) {
		proxy, o := proxied(t, db)
		o.MaxOpen, o.ConnectTimeout = 100, 500*time.Millisecond
		p := open(t, o)
		proxy.Blackhole()
		errs := make(chan error, 64)
		start := time.Now()
		for range cap(errs) {
			go func() {
				_, err := p.Acquire(context.Background(), 0)
				errs <- err
			}()
		}
		for range cap(errs) {
			err := <-errs
			var connect *ConnectError
			require.ErrorAs(t, err, &connect)
			require.Equal(t, Connection, Classify(err).Class)
			require.True(t, Classify(err).NotSent)
		}
		require.Less(t, time.Since(start), 8*o.ConnectTimeout*64/maxDials/8, "not one after the other")
	})
}

func TestConnect_TheCallersTimeInTheQueueIsTheCallers(t *testing.T) {
	t.Parallel()
	p := open(t, optionsFor(dbtest.New(t, "postgres")))
	for range maxDials {
		p.dials <- struct{}{}
	}
	defer func() {
		for range maxDials {
			<-p.dials
		}
	}()
	var acquire *AcquireTimeoutError
	_, err := p.Acquire(t.Context(), 20*time.Millisecond)
	require.ErrorAs(t, err, &acquire)
	require.NoError(t, acquire.Err)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err = p.Acquire(ctx, time.Minute)
	require.ErrorAs(t, err, &acquire)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.True(t, Classify(err).NotSent)
}

// Whatever the server says when it refuses a connection, nothing was sent.
func TestConnectError_OfEachCodeSaysThatNothingWasSent(t *testing.T) {
	t.Parallel()
	var errs []error
	for _, code := range []string{"3D000", "55000", "42704", "22023", "53200", "53300", "58030", "XX000", "28P01", "57P03", "40001", "25006", "57014", "08006"} {
		errs = append(errs, &pgconn.PgError{Severity: "FATAL", Code: code, Message: "m"})
	}
	for _, number := range []uint16{1049, 1135, 1041, 1193, 1815, 9001, 1040, 1045, 1053, 1290, 1205, 1213, 3024} {
		errs = append(errs, &mysql.MySQLError{Number: number, Message: "m"})
	}
	errs = append(errs, mysql.ErrInvalidConn, context.DeadlineExceeded, errors.New("any"), &SilenceError{After: time.Second}, ErrBusy, &TxLostError{Err: ErrTxEnded})
	for _, cause := range errs {
		p := OpenConnector(Options{Name: "test", MaxOpen: 1}, refusing{cause})
		t.Cleanup(func() { require.NoError(t, p.Close()) })
		for name, do := range map[string]func() error{
			"acquire": func() error { _, err := p.Acquire(t.Context(), time.Second); return err },
			"sql":     func() error { _, err := p.DB().ExecContext(t.Context(), "x"); return err },
			"query":   func() error { _, err := p.QueryContext(t.Context(), time.Second, "x"); return err },
			"check":   func() error { _, err := p.Check(t.Context(), true); return err },
			"probe":   func() error { _, err := p.NewProbe().Ask(t.Context()); return err },
		} {
			err := do()
			var connect *ConnectError
			require.ErrorAs(t, err, &connect, "%s: %v", name, cause)
			require.True(t, Classify(err).NotSent, "%s: %v", name, cause)
			require.False(t, Classify(err).Unanswered, "%s: %v", name, cause)
		}
	}
}

// An idle connection that does not answer speaks for the others, and says what it is.
func TestAcquire_MuteIdleConnectionsAreSilenceOfTheServer(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, db dbtest.Database) {
		proxy, o := proxied(t, db)
		o.MaxOpen, o.MaxIdle, o.ConnectTimeout = 10, 10, 3*time.Second
		p := open(t, o)
		p.idlePing = 0
		fill := func() {
			for range o.MaxOpen {
				defer acquire(t, p).Release()
			}
		}
		fill()
		proxy.Blackhole()
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		_, err := p.Acquire(ctx, time.Minute)
		var connect *ConnectError
		require.ErrorAs(t, err, &connect, "%v", err)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "silent")
		require.True(t, Classify(err).NotSent)

		proxy.Heal()
		fill()
		proxy.Blackhole()
		seen := proxy.Accepted()
		start := time.Now()
		_, err = p.Acquire(context.Background(), time.Minute)
		require.ErrorAs(t, err, &connect, "%v", err)
		require.Equal(t, Connection, Classify(err).Class)
		require.Less(t, time.Since(start), o.ConnectTimeout+time.Duration(o.MaxOpen-3)*idlePingTimeout, "one was asked, not all")
		require.Greater(t, proxy.Accepted(), seen)
	})
}

// Not what somebody waits for by name, as when a caller has gone while database/sql dials.
func TestClose_EndsDialsAtOnce(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, db dbtest.Database) {
		proxy, o := proxied(t, db)
		o.MaxOpen, o.ConnectTimeout = 2, time.Minute
		p := open(t, o)
		held := acquire(t, p)
		second := acquire(t, p)
		proxy.Blackhole()
		ctx, cancel := context.WithCancel(t.Context())
		errs := make(chan error, 2)
		go func() { _, err := p.Acquire(ctx, time.Minute); errs <- err }()
		require.Eventually(t, func() bool { return p.DB().Stats().WaitCount == 1 }, 10*time.Second, time.Millisecond)
		second.Spoil() // database/sql dials for the one who waits
		second.Release()
		require.Eventually(t, func() bool { return dialsOf(p) == 1 }, 10*time.Second, time.Millisecond)
		cancel()
		require.ErrorIs(t, <-errs, context.Canceled)
		held.Release()
		require.Eventually(t, func() bool { return p.DB().Stats().InUse == 1 }, 10*time.Second, time.Millisecond)
		p.EndLoans()
		require.Eventually(t, func() bool { return p.DB().Stats().InUse == 0 }, 10*time.Second, time.Millisecond)

		p.DropIdle()
		go func() { _, err := p.Acquire(context.Background(), time.Minute); errs <- err }()
		require.Eventually(t, func() bool { return dialsOf(p) == 1 }, 10*time.Second, time.Millisecond)
		start := time.Now()
		require.NoError(t, p.Close())
		require.ErrorIs(t, <-errs, ErrPoolClosed)
		require.Less(t, time.Since(start), 10*time.Second)
		_, err := p.Acquire(t.Context(), time.Minute)
		require.ErrorIs(t, err, ErrPoolClosed)
	})
}

// What a silent server holds up is cut off, before and after Close.
func TestClose_LeavesNoGoroutineOfAConnectionThatWasGivenUp(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, db dbtest.Database) {
		for _, released := range []bool{true, false} {
			proxy, o := proxied(t, db)
			p := open(t, o)
			c := acquire(t, p)
			proxy.Blackhole()
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
			_, err := c.Exec(ctx, "SELECT 1", nil)
			cancel()
			require.ErrorIs(t, err, context.DeadlineExceeded)
			gone := cleanedUp(c)
			if released {
				c.Release()
			}
			start := time.Now()
			require.NoError(t, p.Close())
			require.Less(t, time.Since(start), 10*time.Second)
			c.Release()
			require.True(t, gone(), "released before Close: %v", released)
			require.Eventually(t, func() bool { return proxy.Open() == 0 }, 30*time.Second, 5*time.Millisecond)
		}
	})
}

// cleanedUp tells whether pgx has ended the goroutine that gives a connection up.
func cleanedUp(c *Conn) func() bool {
	pc, ok := c.inner.s.DriverConn().(*pgx.Conn)
	return func() bool {
		if !ok {
			return true
		}
		select {
		case <-pc.PgConn().CleanupDone():
			return true
		default:
			return false
		}
	}
}

// refusing is a connector that makes no connection.
type refusing struct{ err error }

func (r refusing) Connect(context.Context) (sqldriver.Conn, error) { return nil, r.err }
func (r refusing) Driver() sqldriver.Driver                        { return noDriver{} }
