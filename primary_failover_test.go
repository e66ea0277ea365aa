package dbfleet

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/driver"
)

// Seen: who looked whether a server takes writes again had no time left, and all who waited
// for the answer were told that it does not.
func TestDemotions_TheEndOfWhoAsksIsNoAnswer(t *testing.T) {
	t.Parallel()
	postgres, known := dialect.Lookup("postgres")
	require.True(t, known)
	var dials atomic.Int64
	n := newNode(nodeSettings{writes: driver.Options{
		Name: "main", Dialect: postgres, Host: "127.0.0.1", Port: 1, Username: "u", Database: "d", MaxOpen: 4, ConnectTimeout: time.Minute,
		Password: func() string { return "p" },
		Seams: driver.Seams{Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			dials.Add(1)
			<-ctx.Done()
			return nil, ctx.Err()
		}},
	}}, RolePrimary)
	defer func() { require.NoError(t, n.close()) }()
	short, end := context.WithCancel(t.Context())
	over := make(chan bool, 2)
	for i, ctx := range []context.Context{short, t.Context()} {
		go func() { over <- n.demotions.again(ctx, n) }()
		if i == 0 {
			require.Eventually(t, func() bool { return dials.Load() == 1 }, time.Minute, time.Millisecond)
		}
	}
	end()
	require.Eventually(t, func() bool { return dials.Load() == 2 }, time.Minute, time.Millisecond, "the other one asks himself")
	require.False(t, <-over)
	require.False(t, <-over)
}
