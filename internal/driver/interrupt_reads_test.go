//go:build !dbfleet_no_postgres && !dbfleet_no_mysql && !dbfleet_no_sqlite

package driver

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dbtest"
	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// What may be a write waits on when reads are ended: only its server knows what became of it.
func TestInterruptReads_LeavesEverythingElseWaiting(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, db dbtest.Database) {
		proxy, o := proxied(t, db)
		o.MaxOpen = 3
		p := open(t, o)
		writer := acquire(t, p)
		mustExec(t, writer, createT)
		reader, err := p.AcquireToRead(t.Context(), time.Minute, elsewhere(isLeft))
		require.NoError(t, err)
		once, err := p.AcquireToRead(t.Context(), time.Minute, elsewhere(isLeft))
		require.NoError(t, err)
		once.Release()
		again := acquire(t, p) // the same connection, not for a read
		require.False(t, again.inner.reads.Load())
		proxy.Blackhole()

		reads, writes := make(chan error, 2), make(chan error, 3)
		go func() {
			rows, err := reader.Query(context.Background(), "SELECT 1", nil)
			if err == nil {
				_, err = drain(rows)
			}
			reads <- err
		}()
		go func() {
			_, err := p.AcquireToRead(context.Background(), time.Minute, elsewhere(isLeft))
			reads <- err
		}()
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		for _, c := range []*Conn{writer, again} {
			go func() {
				_, err := c.Exec(ctx, "INSERT INTO t VALUES (1, 'a')", nil)
				writes <- err
			}()
		}
		go func() {
			_, err := p.Acquire(ctx, time.Minute)
			writes <- err
		}()
		require.Eventually(t, func() bool {
			return silentFor(reader) > quiet && silentFor(writer) > quiet && silentFor(again) > quiet && waitsOf(p) == 2
		}, 10*time.Second, time.Millisecond)
		p.InterruptReads(errMute)
		for range 2 {
			require.ErrorIs(t, soon(t, reads), errMute)
		}
		reader.Release()
		select {
		case err := <-writes: // the one that waits has the reader's place, and dials
			require.NotErrorIs(t, err, errMute)
		case <-time.After(2 * quiet):
		}
		require.False(t, writer.inner.broken.Load())
		require.False(t, again.inner.broken.Load())
		cancel()
		for range 3 {
			require.NotErrorIs(t, soon(t, writes), errMute)
		}
		writer.Release()
		again.Release()
	})
}

// Seen: a read asked a connection that had been idle for long whether it still lives, when the
// server was found silent: that was no read yet, so that it went on, and dialled then.
func TestInterruptReads_EndsTheQuestionToAnIdleConnection(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, db dbtest.Database) {
		proxy, o := proxied(t, db)
		o.ConnectTimeout = time.Minute
		p := open(t, o)
		p.idlePing = 0
		acquire(t, p).Release()
		proxy.Blackhole()
		errs := make(chan error, 1)
		go func() {
			_, err := p.AcquireToRead(context.Background(), time.Minute, elsewhere(isLeft))
			errs <- err
		}()
		require.Eventually(t, func() bool {
			p.ends.mu.Lock()
			defer p.ends.mu.Unlock()
			for c := range p.ends.conns {
				if c.s.(session.Interruptible).Silent() > quiet {
					return true
				}
			}
			return false
		}, 10*time.Second, time.Millisecond)
		p.InterruptReads(errMute)
		interrupted(t, soon(t, errs), true)
	})
}

// An idle connection of a silent server leaves time to ask another one.
func TestAcquireToRead_AsksAnIdleConnectionForHalfOfItsTime(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, db dbtest.Database) {
		proxy, o := proxied(t, db)
		p := open(t, o)
		p.idlePing = 0
		require.Eventually(t, func() bool { // a busy machine may see both halves when both are over
			proxy.Heal()
			c, err := p.Acquire(t.Context(), time.Minute)
			require.NoError(t, err)
			c.Release()
			proxy.Blackhole()
			ctx, cancel := context.WithTimeout(t.Context(), idlePingTimeout)
			defer cancel()
			_, err = p.AcquireToRead(ctx, time.Minute, elsewhere(isLeft))
			return errors.Is(err, ErrHalfTime)
		}, 30*time.Second, time.Millisecond)
	})
}

// elsewhere is whether another server is left.
type elsewhere func() bool

func (e elsewhere) Left() bool { return e() }
func (e elsewhere) Room() bool { return false }

// room is whether another server has a connection free.
type room func() bool

func (r room) Left() bool { return false }
func (r room) Room() bool { return r() }

// A read waits no longer for a connection than until another server has one free, and is not
// asked about that any more when it has one itself.
func TestAcquireToRead_WaitsUntilThereIsRoomElsewhere(t *testing.T) {
	t.Parallel()
	o := optionsFor(dbtest.New(t, "sqlite"))
	o.MaxOpen = 1
	p := open(t, o)
	require.True(t, p.HasRoom())
	held := acquire(t, p)
	require.False(t, p.HasRoom())
	var asked atomic.Int64
	_, err := p.AcquireToRead(t.Context(), time.Minute, room(func() bool { return asked.Add(1) == 3 }))
	require.ErrorIs(t, err, ErrRoom)
	require.Equal(t, int64(3), asked.Load())
	var late *AcquireTimeoutError
	require.ErrorAs(t, err, &late)
	require.Equal(t, p.node, late.Node)
	require.Equal(t, roomEvery, late.Wait)

	// a busy machine may see both times when both are over
	require.Eventually(t, func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), roomEvery/2)
		defer cancel()
		_, err := p.AcquireToRead(ctx, time.Minute, room(func() bool { return true }))
		return errors.Is(err, ErrRoom)
	}, 30*time.Second, time.Millisecond, "while there is time")
	require.Eventually(t, func() bool {
		_, err := p.AcquireToRead(t.Context(), roomEvery/2, room(func() bool { return true }))
		return errors.Is(err, ErrRoom)
	}, 30*time.Second, time.Millisecond, "while it would wait")
	_, err = p.AcquireToRead(t.Context(), 50*time.Millisecond, room(func() bool { return false }))
	require.NotErrorIs(t, err, ErrRoom)
	require.ErrorAs(t, err, &late)

	asked.Store(0)
	c, err := p.AcquireToRead(t.Context(), time.Minute, room(func() bool {
		if asked.Add(1) == 1 {
			held.Release()
		}
		return false
	}))
	require.NoError(t, err)
	defer c.Release()
	at := asked.Load()
	require.Never(t, func() bool { return asked.Load() != at }, 3*roomEvery, roomEvery)
}

func isLeft() bool { return true }

// A connection for a read is made within half of its caller's time.
func TestAcquireToRead_LeavesTimeToAskElsewhere(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, db dbtest.Database) {
		proxy, o := proxied(t, db)
		p := open(t, o)
		proxy.Blackhole()
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		defer cancel()
		_, err := p.AcquireToRead(ctx, 0, elsewhere(isLeft))
		require.ErrorIs(t, err, ErrHalfTime)
		require.NoError(t, ctx.Err())
		var connect *ConnectError
		require.ErrorAs(t, err, &connect)
		short, cancel := context.WithTimeout(t.Context(), 2*leastHalf-time.Millisecond)
		defer cancel()
		_, err = p.AcquireToRead(short, 0, elsewhere(isLeft))
		require.NotErrorIs(t, err, ErrHalfTime, "there is nothing to be gained")
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

// Where nobody is left at half of the time, the connection may take all of it.
func TestAcquireToRead_TakesAllTimeWhereNobodyIsLeft(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, db dbtest.Database) {
		proxy, o := proxied(t, db)
		p := open(t, o)
		proxy.Hold(1)
		ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
		defer cancel()
		asked := 0
		c, err := p.AcquireToRead(ctx, 0, elsewhere(func() bool {
			asked++
			proxy.Release()
			return false
		}))
		require.NoError(t, err)
		c.Release()
		require.Equal(t, 1, asked)
	})
}
