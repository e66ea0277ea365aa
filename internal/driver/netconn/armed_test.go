package netconn

import (
	"context"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// bounded is a connection whose server may be silent for ten seconds, and the server's end
// of it, in a bubble of synctest.
func bounded(t *testing.T) (*Conn, net.Conn) {
	t.Helper()
	ours, server := net.Pipe()
	c, err := Dial(t.Context(), func(context.Context, string, string) (net.Conn, error) { return ours, nil }, "tcp", "db:1")
	require.NoError(t, err)
	c.Bound(10 * time.Second)
	time.Sleep(time.Nanosecond) // moments begin at 1
	t.Cleanup(func() {
		_ = c.Close()
		_ = server.Close()
	})
	return c, server
}

// exchange writes and reads one byte, which arms both.
func exchange(t *testing.T, c, server net.Conn) {
	t.Helper()
	b := make([]byte, 1)
	go func() {
		_, _ = server.Read(make([]byte, 1))
		_, _ = server.Write([]byte("x"))
	}()
	_, err := c.Write([]byte("x"))
	require.NoError(t, err)
	_, err = io.ReadFull(c, b)
	require.NoError(t, err)
}

// ends requires that a call ends with the server's silence, ten seconds after start.
func ends(t *testing.T, start time.Time, err error) {
	t.Helper()
	var silence *session.SilenceError
	require.ErrorAs(t, err, &silence)
	require.Equal(t, 10*time.Second, silence.After)
	require.Equal(t, 10*time.Second, time.Since(start))
}

func TestRead_HasItsWholeTimeoutWhateverWasBefore(t *testing.T) {
	t.Parallel()
	for _, pause := range []time.Duration{0, time.Second, 4 * time.Second, 6 * time.Second, 10 * time.Second, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			c, server := bounded(t)
			exchange(t, c, server)
			time.Sleep(pause)
			start := time.Now()
			go func() {
				time.Sleep(10*time.Second - 1)
				_, _ = server.Write([]byte("y"))
			}()
			_, err := c.Read(make([]byte, 1))
			require.NoError(t, err, pause)
			require.Equal(t, 10*time.Second-1, time.Since(start))

			start = time.Now()
			_, err = c.Read(make([]byte, 1))
			ends(t, start, err)
		})
	}
}

// pgx may go on reading in a goroutine of its own when it has what it asked for: that is no
// silence, however long it is idle, and the next question has its whole time.
func TestRead_ThatBeganBeforeTheQuestionIsBoundedFromThatOn(t *testing.T) {
	t.Parallel()
	for name, boundFirst := range map[string]bool{"while it was made": false, "bounded": true} {
		synctest.Test(t, func(t *testing.T) {
			ours, server := net.Pipe()
			defer server.Close()
			c, err := Dial(t.Context(), func(context.Context, string, string) (net.Conn, error) { return ours, nil }, "tcp", "db:1")
			require.NoError(t, err)
			defer c.Close()
			if boundFirst {
				c.Bound(10 * time.Second)
			}
			read := make(chan error)
			go func() {
				_, err := c.Read(make([]byte, 1))
				read <- err
			}()
			synctest.Wait()
			if !boundFirst {
				c.Bound(10 * time.Second)
				time.Sleep(time.Hour)
			} else {
				time.Sleep(9 * time.Second)
			}
			start := time.Now()
			go func() { _, _ = io.ReadFull(server, make([]byte, 1)) }()
			_, err = c.Write([]byte("x"))
			require.NoError(t, err, name)
			ends(t, start, <-read)
		})
	}
}

// Seen: pgx reads once more after a timeout, and waited as long again.
func TestRead_WaitsForASilentServerOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, _ := bounded(t)
		_, err := c.Read(make([]byte, 1))
		require.Error(t, err)
		start := time.Now()
		for range 3 {
			_, again := c.Read(make([]byte, 1))
			require.Equal(t, err, again)
		}
		require.Zero(t, time.Since(start))
	})
}

func TestWrite_HasItsWholeTimeoutWhateverWasBefore(t *testing.T) {
	t.Parallel()
	for _, pause := range []time.Duration{0, time.Second, 4 * time.Second, 6 * time.Second, 10 * time.Second, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			c, server := bounded(t)
			exchange(t, c, server)
			time.Sleep(pause)
			start := time.Now()
			got := make(chan []byte, 1)
			go func() {
				b := make([]byte, 8)
				_, _ = io.ReadFull(server, b[:3])
				time.Sleep(10*time.Second - 1)
				_, _ = io.ReadFull(server, b[3:])
				got <- b
			}()
			n, err := c.Write([]byte("abcdefgh"))
			require.NoError(t, err, pause)
			require.Equal(t, 8, n)
			require.Equal(t, 10*time.Second-1, time.Since(start))
			require.Equal(t, "abcdefgh", string(<-got), "nothing twice, nothing left out")

			start = time.Now()
			n, err = c.Write([]byte("z"))
			ends(t, start, err)
			require.Zero(t, n)
			require.True(t, c.Unwritten())
		})
	}
}

func TestRead_EndsAtTheDriversDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, server := bounded(t)
		exchange(t, c, server)
		start := time.Now()
		go func() {
			time.Sleep(3 * time.Second)
			_ = c.SetDeadline(time.Unix(1, 0)) // as pgx interrupts itself
		}()
		_, err := c.Read(make([]byte, 1))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.Equal(t, 3*time.Second, time.Since(start))
		_, err = c.Write([]byte("x"))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.NoError(t, c.Failed(), "nothing is wrong with the server")

		require.NoError(t, c.SetDeadline(time.Time{}))
		start = time.Now()
		_, err = c.Read(make([]byte, 1))
		ends(t, start, err)
	})
	synctest.Test(t, func(t *testing.T) {
		c, server := bounded(t)
		exchange(t, c, server)
		require.NoError(t, c.SetDeadline(time.Unix(1, 0)))
		require.NoError(t, c.SetDeadline(time.Time{}))
		start := time.Now()
		_, err := c.Write([]byte("x"))
		ends(t, start, err)
	})
	synctest.Test(t, func(t *testing.T) {
		c, server := bounded(t)
		exchange(t, c, server)
		require.NoError(t, c.SetReadDeadline(time.Now().Add(2*time.Second)))
		start := time.Now()
		_, err := c.Read(make([]byte, 1))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.Equal(t, 2*time.Second, time.Since(start))

		require.NoError(t, c.SetReadDeadline(time.Now().Add(time.Minute)))
		start = time.Now()
		_, err = c.Read(make([]byte, 1))
		ends(t, start, err)
	})
}

func TestRead_IsNotTheServersTurnWhileItIsFed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, server := bounded(t)
		exchange(t, c, server)
		time.Sleep(3 * time.Second)
		c.Feeding(true)
		start := time.Now()
		go func() {
			time.Sleep(time.Minute)
			c.Feeding(false)
		}()
		_, err := c.Read(make([]byte, 1))
		var silence *session.SilenceError
		require.ErrorAs(t, err, &silence)
		require.GreaterOrEqual(t, time.Since(start), 70*time.Second)
		require.Less(t, time.Since(start), 80*time.Second)
	})
}
