package netconn

import (
	"context"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

// One look before COMMIT is what a transaction pays for knowing that it is lost.
func BenchmarkPeek(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	defer l.Close()
	c, err := Dial(context.Background(), nil, "tcp", l.Addr().String(), 0)
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
