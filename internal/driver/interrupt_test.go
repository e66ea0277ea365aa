//go:build !dbfleet_no_postgres && !dbfleet_no_mysql && !dbfleet_no_sqlite

package driver

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"net"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dbtest"
)

var errMute = errors.New("the node is mute")

// interrupted checks an error of what was ended.
func interrupted(t testing.TB, err error, notSent bool) {
	t.Helper()
	require.ErrorIs(t, err, errMute)
	problem := Classify(err)
	require.Equal(t, Connection, problem.Class, "%v", err)
	require.Equal(t, notSent, problem.NotSent, "%v", err)
	require.Equal(t, !notSent, problem.Unanswered, "%v", err)
}

// soon is the next error, which comes soon after something has been ended. It is
// generous for a busy machine, and far below every other bound.
func soon(t testing.TB, errs <-chan error) error {
	t.Helper()
	select {
	case err := <-errs:
		return err
	case <-time.After(10 * time.Second):
		buf := make([]byte, 1<<20)
		require.Fail(t, "still waiting", "%s", buf[:runtime.Stack(buf, true)])
		return nil
	}
}

// silences are the ways in which a server falls silent, and comes back.
func silences(t *testing.T, f func(t *testing.T, db dbtest.Database, mute, heal func())) {
	t.Helper()
	t.Run("blackhole", func(t *testing.T) {
		t.Parallel()
		servers(t, func(t *testing.T, db dbtest.Database) {
			proxy := dbtest.NewProxy(t, db.Server.Addr())
			f(t, proxy.Through(db), proxy.Blackhole, proxy.Heal)
		})
	})
	for name, start := range map[string]func(testing.TB, ...string) *dbtest.Server{"postgres": dbtest.StartPostgres, "mysql": dbtest.StartMariaDB} {
		t.Run("stopped/"+name, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			f(t, s.Database(t), func() { s.Pause(t) }, func() { s.Resume(t) })
		})
	}
}

func TestInterrupt_EndsStatementsOfASilentServer(t *testing.T) {
	t.Parallel()
	silences(t, func(t *testing.T, db dbtest.Database, mute, heal func()) {
		p := open(t, optionsFor(db))
		reader, writer, pinned := acquire(t, p), acquire(t, p), acquire(t, p)
		mustExec(t, writer, createT)
		require.NoError(t, pinned.Begin(t.Context(), TxOptions{}))
		mustExec(t, pinned, "INSERT INTO t VALUES (2, 'b')")
		idle := acquire(t, p)
		idle.Release()
		mute()
		errs := make(chan error, 2)
		go func() {
			rows, err := reader.Query(context.Background(), "SELECT 1", nil)
			if err == nil {
				_, err = drain(rows)
			}
			errs <- err
		}()
		require.Eventually(t, func() bool { return silentFor(reader) > quiet }, 10*time.Second, time.Millisecond)
		start := time.Now()
		p.Interrupt(errMute)
		interrupted(t, soon(t, errs), false)
		t.Logf("ended after %v", time.Since(start))

		go func() { // one that has just been sent
			_, err := writer.Exec(context.Background(), "INSERT INTO t VALUES (1, 'a')", nil)
			errs <- err
		}()
		require.Eventually(t, func() bool { return silentFor(writer) > 0 }, 10*time.Second, time.Millisecond)
		start = time.Now()
		p.Interrupt(errMute)
		interrupted(t, soon(t, errs), false)
		t.Logf("ended after %v", time.Since(start))

		go func() { errs <- pinned.Commit(context.Background()) }()
		require.Eventually(t, func() bool { return silentFor(pinned) > 0 }, 10*time.Second, time.Millisecond)
		p.Interrupt(errMute)
		err := soon(t, errs)
		require.ErrorIs(t, err, ErrCommitUnknown)
		require.ErrorIs(t, err, errMute)
		for _, c := range []*Conn{reader, writer, pinned} {
			require.True(t, c.inner.broken.Load())
			c.Release()
		}
		heal()
		c := acquire(t, p)
		require.NotSame(t, idle.inner, c.inner)
		mustExec(t, c, "SELECT 1")
	})
}

func silentFor(c *Conn) time.Duration {
	return c.inner.s.(interface{ Silent() time.Duration }).Silent()
}

func TestInterrupt_EndsDialsAndWaits(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, db dbtest.Database) {
		proxy, o := proxied(t, db)
		o.MaxOpen, o.ConnectTimeout = 2, time.Minute
		p := open(t, o)
		held := acquire(t, p)
		proxy.Blackhole()
		errs := make(chan error, 4)
		go func() { // dials
			_, err := p.Acquire(context.Background(), time.Minute)
			errs <- err
		}()
		require.Eventually(t, func() bool { return p.DB().Stats().OpenConnections == 2 }, 10*time.Second, time.Millisecond)
		for _, wait := range []time.Duration{0, time.Minute} { // wait
			go func() {
				_, err := p.Acquire(context.Background(), wait)
				errs <- err
			}()
		}
		go func() {
			_, err := p.QueryContext(context.Background(), time.Minute, "SELECT 1")
			errs <- err
		}()
		require.Eventually(t, func() bool { return p.DB().Stats().WaitCount == 3 }, 10*time.Second, time.Millisecond)
		p.Interrupt(errMute)
		connects := 0
		for range 4 {
			err := soon(t, errs)
			interrupted(t, err, true)
			var connect *ConnectError
			if errors.As(err, &connect) {
				connects++
			}
		}
		require.Equal(t, 1, connects)
		proxy.Heal()
		held.Release()
		mustExec(t, acquire(t, p), "SELECT 1") // later calls are not hindered
		require.Eventually(t, func() bool { return dialsOf(p) == 0 && waitsOf(p) == 0 }, 10*time.Second, time.Millisecond)
	})
}

func TestInterrupt_LeavesConnectionsThatGetData(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, db dbtest.Database) {
		p := open(t, optionsFor(db))
		c := acquire(t, p)
		before := acquire(t, p)
		before.Release()
		rows, err := c.Query(t.Context(), manyRows(db), nil)
		require.NoError(t, err)
		dest := make([]sqldriver.Value, 1)
		for i := range 100_000 {
			if i%10_000 == 0 {
				p.Interrupt(errMute)
			}
			require.NoError(t, rows.Next(dest), "row %d", i)
		}
		require.NoError(t, rows.Close())
		p.Interrupt(errMute)
		mustExec(t, c, "SELECT 1") // nothing was waited for
		inner := c.inner
		c.Release()
		require.NotSame(t, inner, acquire(t, p).inner, "it is not used again")
	})
}

// manyRows is a query of 100,000 rows of about 200 bytes.
func manyRows(db dbtest.Database) string {
	row := "'" + strings.Repeat("x", 200) + "'"
	if db.Dialect == "postgres" {
		return "SELECT " + row + " FROM generate_series(1, 100000)"
	}
	return "SELECT " + row + " FROM seq_1_to_100000"
}

func TestInterrupt_LeavesNothingBehind(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, db dbtest.Database) {
		proxy, o := proxied(t, db)
		p := open(t, o)
		for range 5 {
			c := acquire(t, p)
			proxy.Blackhole()
			errs := make(chan error, 1)
			go func() {
				_, err := c.Exec(context.Background(), "SELECT 1", nil)
				errs <- err
			}()
			require.Eventually(t, func() bool { return silentFor(c) > 0 }, 10*time.Second, time.Millisecond)
			p.Interrupt(errMute)
			interrupted(t, soon(t, errs), false)
			c.Release()
			proxy.Heal()
		}
		require.Eventually(t, func() bool { return openConns(p) == p.DB().Stats().OpenConnections }, 10*time.Second, 5*time.Millisecond)
		require.NoError(t, p.Close())
		require.Zero(t, openConns(p))
	})
}

// held is a network connection whose next Write returns when it may.
type held struct {
	net.Conn
	next *atomic.Pointer[hold]
}

type hold struct{ written, goOn chan struct{} }

func (c *held) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	if h := c.next.Swap(nil); h != nil {
		close(h.written)
		<-h.goOn
	}
	return n, err
}

// hazard: what has been sent, and whose goroutine does not wait for the answer yet, was ended
// by nobody.
func TestInterrupt_EndsWhatHasJustBeenSent(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, db dbtest.Database) {
		for name, interrupt := range map[string]func(*Pool, error){"all": (*Pool).Interrupt, "reads": (*Pool).InterruptReads} {
			for what, delay := range map[string]time.Duration{"at once": 0, "a little later": quiet / 2, "much later": 3 * quiet} {
				t.Run(name+" "+what, func(t *testing.T) {
					t.Parallel()
					proxy, o := proxied(t, db)
					var next atomic.Pointer[hold]
					o.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
						nc, err := new(net.Dialer).DialContext(ctx, network, address)
						return &held{nc, &next}, err
					}
					p := open(t, o)
					c, err := p.AcquireToRead(t.Context(), time.Minute, elsewhere(isLeft))
					require.NoError(t, err)
					defer c.Release()
					proxy.Blackhole()
					defer proxy.Heal()
					h := &hold{make(chan struct{}), make(chan struct{})}
					next.Store(h)
					errs := make(chan error, 1)
					go func() {
						_, err := c.Exec(context.Background(), "SELECT 1", nil)
						errs <- err
					}()
					<-h.written
					interrupt(p, errMute)
					time.AfterFunc(delay, func() { close(h.goOn) })
					interrupted(t, soon(t, errs), false)
				})
			}
		}
	})
}

// hazard: a read that an abort of one node ended was asked at the next, aborted before, and
// waited there for ever.
func TestAbort_RefusesWhatComesLater(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, db dbtest.Database) {
		p := open(t, optionsFor(db))
		held, idle := acquire(t, p), acquire(t, p)
		mustExec(t, held, createT)
		idle.Release()
		p.Abort(errMute)
		_, err := held.Exec(t.Context(), "INSERT INTO t VALUES (1, 'a')", nil)
		require.ErrorIs(t, err, errMute)
		_, err = p.Acquire(t.Context(), 0)
		interrupted(t, err, true)
		_, err = p.AcquireToRead(t.Context(), 0, nil)
		interrupted(t, err, true)
	})
}

func TestDropIdle_KeepsConnectionsFromBeingUsedAgain(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, db dbtest.Database) {
		p := open(t, optionsFor(db))
		used, idle := acquire(t, p), acquire(t, p)
		old := map[*conn]bool{used.inner: true, idle.inner: true}
		idle.Release()
		p.DropIdle()
		mustExec(t, used, "SELECT 1")
		used.Release()
		for range 2 {
			require.False(t, old[acquire(t, p).inner])
		}
		require.Equal(t, 2, p.DB().Stats().OpenConnections)
	})
}

// A database in memory lives as long as its connection.
func TestDropIdle_KeepsSQLite(t *testing.T) {
	t.Parallel()
	o := optionsFor(dbtest.Database{Dialect: "sqlite", Name: ":memory:"})
	o.MaxOpen, o.MaxIdle = 1, 1
	p := open(t, o)
	c := acquire(t, p)
	mustExec(t, c, createT)
	c.Release()
	p.DropIdle()
	p.Interrupt(errMute)
	rowsOf(t, acquire(t, p), "SELECT * FROM t")
}

// openConns is how many connections the pool would end.
func openConns(p *Pool) int {
	p.ends.mu.Lock()
	defer p.ends.mu.Unlock()
	return len(p.ends.conns)
}

// waitsOf is how many callers wait.
func waitsOf(p *Pool) int {
	p.ends.mu.Lock()
	defer p.ends.mu.Unlock()
	return len(p.ends.waits)
}

// dialsOf is how many dials are under way.
func dialsOf(p *Pool) int { return countDials(p, true) }

// countDials is how many dials are under way, or how many callers wait for one.
func countDials(p *Pool, begun bool) (n int) {
	p.ends.mu.Lock()
	defer p.ends.mu.Unlock()
	for d := range p.ends.dials {
		if d.begun == begun {
			n++
		}
	}
	return n
}
