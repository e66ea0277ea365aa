package netconn

import (
	"sync/atomic"
	"time"
)

// moment is a time since Conn.born, at least 1.
type moment int64

func (c *Conn) now() moment { return moment(max(1, time.Since(c.born))) }

// waiting is when what is waited for began, a Read or Write that runs now; 0 is none.
type waiting struct{ since atomic.Int64 }

func (w *waiting) at() moment { return moment(w.since.Load()) }

func (w *waiting) start(at moment) { w.since.Store(int64(at)) }

func (w *waiting) stop() { w.since.Store(0) }

// long is for how long something waits; 0 is not at all.
func (w *waiting) long(c *Conn) time.Duration {
	since := w.at()
	if since == 0 {
		return 0
	}
	return max(1, time.Duration(c.now()-since))
}

// Silent is how long the server has neither sent nor taken anything while a Read or
// Write waits for it, for a Read since the Write before it; 0 if none does, or if the server
// waits for this program. It is safe for concurrent use with everything.
func (c *Conn) Silent() time.Duration {
	c.mu.Lock()
	feed := c.feed
	c.mu.Unlock()
	if feed {
		return c.writes.long(c)
	}
	return max(c.reads.long(c), c.writes.long(c))
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
