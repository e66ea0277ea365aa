package driver

import (
	"context"

	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// Probe asks a server on a connection of its own, outside of the pool: a pool that is
// full, or that waits for its own dials, is not taken for a server that does not answer.
// It is used by one goroutine at a time. The pool's Close does not close it.
type Probe struct {
	pool *Pool
	conn *conn // nil is not open
}

// NewProbe makes a probe of the pool's server. It dials nothing.
func (p *Pool) NewProbe() *Probe { return &Probe{pool: p} }

// Open says that the probe has its connection.
func (pr *Probe) Open() bool { return pr.conn != nil }

// Ask opens the connection if it is not open, within the time that ctx leaves and at most
// ConnectTimeout, and asks the server what it is; open, that is one round trip. The
// connection stays open unless there is an error. Of a database without roles and
// positions, the report of a server that answers is empty. Once the pool is closed none
// is opened any more, and the error is ErrPoolClosed.
func (pr *Probe) Ask(ctx context.Context) (Report, error) {
	if pr.conn == nil {
		if pr.pool.closed.Load() {
			return Report{}, ErrPoolClosed
		}
		c, err := pr.pool.connect(ctx, ctx)
		if err != nil {
			return Report{}, err
		}
		c.alone, pr.conn = true, c
	}
	r, err := pr.conn.probe(ctx)
	if err != nil {
		_ = pr.Close()
	}
	return r, err
}

// IsOpen says that Ask need not make a connection.
func (pr *Probe) IsOpen() bool { return pr.conn != nil }

// Close closes the connection; Ask opens another one. It may be called more than once.
func (pr *Probe) Close() error {
	c := pr.conn
	if c == nil {
		return nil
	}
	pr.conn = nil
	return c.Close()
}

func (c *conn) probe(ctx context.Context) (r Report, err error) {
	if err := c.enter(ctx, ""); err != nil {
		return Report{}, err
	}
	defer c.unlock()
	if p, ok := c.s.(session.Prober); ok {
		r, err = p.Probe(ctx)
	} else {
		err = c.s.Ping(ctx)
	}
	if err != nil {
		return Report{}, c.failedToTell(ctx, err)
	}
	return r, nil
}
