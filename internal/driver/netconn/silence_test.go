package netconn

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// pair is a connection and the server's end of it.
func pair(t testing.TB) (*Conn, net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	c, err := Dial(context.Background(), nil, "tcp", l.Addr().String())
	require.NoError(t, err)
	server, err := l.Accept()
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = c.Close()
		_ = server.Close()
	})
	return c, server
}

func TestSilent_CountsWhileSomethingWaits(t *testing.T) {
	t.Parallel()
	c, server := pair(t)
	require.Zero(t, c.Silent(), "nobody waits")
	read := make(chan error, 1)
	begin := func() {
		go func() {
			_, err := c.Read(make([]byte, 8))
			read <- err
		}()
	}
	begin()
	require.Eventually(t, func() bool { return c.Silent() > 20*time.Millisecond }, 10*time.Second, time.Millisecond)
	_, err := server.Write([]byte("x"))
	require.NoError(t, err)
	require.NoError(t, <-read)
	require.Zero(t, c.Silent())
	begin()
	require.Eventually(t, func() bool { return c.Silent() > 0 }, 10*time.Second, time.Millisecond)
	c.Feeding(true) // the server waits for this program
	require.Zero(t, c.Silent())
	c.Feeding(false)
	require.NotZero(t, c.Silent())

	cause := errors.New("mute")
	c.Interrupt(cause)
	require.ErrorIs(t, <-read, cause)
	require.Equal(t, cause, c.Failed())
	require.False(t, c.Unwritten())
	c.Interrupt(errors.New("again"))
	_, err = c.Write([]byte("x"))
	require.ErrorIs(t, err, cause, "the first one stays")
}

func TestSilent_CountsAWriteThatNobodyTakes(t *testing.T) {
	t.Parallel()
	c, _ := pair(t)
	c.Feeding(true)
	wrote := make(chan error, 1)
	go func() {
		for {
			if _, err := c.Write(make([]byte, 1<<20)); err != nil {
				wrote <- err
				return
			}
		}
	}()
	require.Eventually(t, func() bool { return c.Silent() > 50*time.Millisecond }, 30*time.Second, time.Millisecond)
	cause := errors.New("mute")
	c.Interrupt(cause)
	require.ErrorIs(t, <-wrote, cause)
	require.True(t, c.Unwritten())
}
