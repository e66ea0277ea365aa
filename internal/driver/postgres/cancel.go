//go:build !dbfleet_no_postgres

package postgres

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/dbfleet/dbfleet/internal/driver/netconn"
)

const (
	// maxCancels is how many connections that cancel a statement a pool has at a time.
	maxCancels = 4
	// cancelTime bounds the wait for one, dialling and its exchange, each.
	cancelTime = time.Second
	// cancelAgain is how long after a cancellation the next one is sent while the
	// server still works, stopTime how long this is done.
	cancelAgain = 25 * time.Millisecond
	stopTime    = 2 * time.Second
)

// sessionKey marks the context of a dial that is for a session. pgx also dials to cancel
// a statement, by a context of its own.
type sessionKey struct{}

// dialCancel dials to cancel a statement when one of the places for that is free: a
// thousand statements that end at once do not make as many connections, to a server that
// may be down.
func (b *backend) dialCancel(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, cancelTime)
	defer cancel()
	defer context.AfterFunc(b.down, cancel)()
	select {
	case b.cancels <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	free := sync.OnceFunc(func() { <-b.cancels })
	nc, err := netconn.Dial(ctx, b.o.Dial, network, address)
	if err != nil {
		free()
		return nil, err
	}
	_ = nc.SetDeadline(time.Now().Add(cancelTime))
	stay := context.AfterFunc(b.down, func() { _ = nc.Close() })
	return &canceling{nc, func() {
		stay()
		free()
	}}, nil
}

// canceling is a connection that cancels a statement.
type canceling struct {
	*netconn.Conn
	free func()
}

// Close implements net.Conn.
func (c *canceling) Close() error {
	defer c.free()
	return c.Conn.Close()
}

// Stopped implements session.SelfStopper: pgx cancels what a connection does that it
// gives up, and reads on until the server closes it. The server forgets a cancellation
// that comes before it has begun with the statement, so that it is sent again until
// then. It bears the connection's own key: nobody else's statement is cancelled.
func (s *conn) Stopped() <-chan struct{} {
	if !s.pc.IsClosed() {
		return nil
	}
	over := s.pc.CleanupDone()
	s.b.begin(func() {
		ctx, cancel := context.WithTimeout(s.b.down, stopTime)
		defer cancel()
		t := time.NewTicker(cancelAgain)
		defer t.Stop()
		for {
			select {
			case <-over:
				return
			case <-ctx.Done():
				return
			case <-t.C:
				_ = s.pc.CancelRequest(ctx)
			}
		}
	})
	return over
}
