package netconn

import (
	"context"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// One look before COMMIT is what a transaction pays for knowing that it is lost.
func BenchmarkPeek(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	defer l.Close()
	c, err := Dial(context.Background(), nil, "tcp", l.Addr().String())
	require.NoError(b, err)
	defer c.Close()
	buf := make([]byte, 512)
	b.ReportAllocs()
	for b.Loop() {
		if n, gone := c.Peek(buf); n != 0 || gone {
			b.Fatal("nothing was sent")
		}
	}
}

// A round trip is what every statement pays for the watch over the server's silence.
func BenchmarkTrip(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	defer l.Close()
	bare, err := new(net.Dialer).DialContext(b.Context(), "tcp", l.Addr().String())
	require.NoError(b, err)
	echo(b, l)
	c, err := Dial(b.Context(), nil, "tcp", l.Addr().String())
	require.NoError(b, err)
	c.Bound(time.Minute)
	echo(b, l)
	for name, conn := range map[string]net.Conn{"bare": bare, "watched": c} {
		b.Run(name, func(b *testing.B) {
			buf := make([]byte, 64)
			for b.Loop() {
				_, _ = conn.Write(buf)
				_, _ = conn.Read(buf)
			}
		})
		require.NoError(b, conn.Close())
	}
}

// echo answers on the next connection.
func echo(b *testing.B, l net.Listener) {
	server, err := l.Accept()
	require.NoError(b, err)
	go func() {
		_, _ = io.Copy(server, struct{ io.Reader }{server})
		_ = server.Close()
	}()
}
