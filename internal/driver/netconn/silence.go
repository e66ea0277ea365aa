package netconn

import (
	"sync/atomic"
	"time"
)

// began is the moment from which waits are counted.
var began = time.Now()

// waiting is when the Read or Write that runs now began, in nanoseconds since began; 0 is
// none. It costs a look at the clock and two stores for each.
type waiting struct{ since atomic.Int64 }

func (w *waiting) start() { w.since.Store(max(1, int64(time.Since(began)))) }

func (w *waiting) stop() { w.since.Store(0) }

// for how long something waits; 0 is not at all.
func (w *waiting) long() time.Duration {
	since := w.since.Load()
	if since == 0 {
		return 0
	}
	return max(1, time.Since(began)-time.Duration(since))
}

// Silent is how long the server has neither sent nor taken anything while a Read or
// Write waits for it; 0 if none does, or if the server waits for this program. It is
// safe for concurrent use with everything.
func (c *Conn) Silent() time.Duration {
	c.mu.Lock()
	feed := c.feed
	c.mu.Unlock()
	if feed {
		return c.writes.long()
	}
	return max(c.reads.long(), c.writes.long())
}

// Interrupt ends what waits for the server, and the connection: that Read or Write, and
// every later one, returns err. It is safe for concurrent use with everything.
func (c *Conn) Interrupt(err error) {
	c.mu.Lock()
	if c.interrupted == nil {
		c.interrupted = err
	}
	c.mu.Unlock()
	_ = c.Conn.Close()
}
