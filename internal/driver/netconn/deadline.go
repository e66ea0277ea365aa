package netconn

import (
	"os"
	"time"
)

// limit is the deadline of Read, or of Write, of a connection that knows none
// itself, as one through an SSH tunnel. One that runs into it is closed, for nothing
// else ends what runs: the drivers do not use such a connection any more.
// Conn.mu protects it.
type limit struct {
	at      time.Time   // zero is none
	running int         // calls
	timer   *time.Timer // while one runs
	passed  bool
}

// begin notes that a call runs until end. It fails if the deadline has come.
func (c *Conn) begin(l *limit) error {
	if !c.timeless {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !l.at.IsZero() && !time.Now().Before(l.at) {
		return os.ErrDeadlineExceeded
	}
	l.running++
	c.watch(l)
	return nil
}

func (c *Conn) end(l *limit) {
	if !c.timeless {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	l.running--
	c.watch(l)
}

// set sets a deadline. c.mu is held.
func (c *Conn) set(l *limit, own func(time.Time) error, t time.Time) error {
	if !c.timeless {
		return own(t)
	}
	l.at = t
	c.watch(l)
	return nil
}

func (c *Conn) setRead(t time.Time) error  { return c.set(&c.reading, c.Conn.SetReadDeadline, t) }
func (c *Conn) setWrite(t time.Time) error { return c.set(&c.writing, c.Conn.SetWriteDeadline, t) }

// watch has the timer of a limit run while it must. c.mu is held.
func (c *Conn) watch(l *limit) {
	if l.timer != nil {
		l.timer.Stop()
		l.timer = nil
	}
	if l.running > 0 && !l.at.IsZero() {
		l.timer = time.AfterFunc(time.Until(l.at), func() { c.pass(l) })
	}
}

// pass closes the connection if a call still runs whose deadline has come.
func (c *Conn) pass(l *limit) {
	c.mu.Lock()
	now := time.Now()
	switch {
	case l.running == 0 || l.at.IsZero() || now.Before(l.at):
		c.mu.Unlock()
		return
	case l == &c.reading && c.fedLately() && (c.read.IsZero() || now.Before(c.read)):
		l.at = now.Add(c.bound())
		c.watch(l)
		c.mu.Unlock()
		return
	}
	l.passed = true
	c.mu.Unlock()
	_ = c.Conn.Close()
}

// gone says that a deadline has closed the connection.
func (c *Conn) gone() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reading.passed || c.writing.passed
}
