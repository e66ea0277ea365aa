// Package netconn watches over the network connection below a driver.
package netconn

import (
	"cmp"
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// Conn is a connection to a server. Once Bound it bounds how long the server may be
// silent; it remembers why it failed, and can be looked at without reading.
//
// The bound and a deadline that the driver sets to cancel a statement share the
// socket's one deadline; the earlier applies.
type Conn struct {
	net.Conn
	timeout atomic.Int64 // ns, 0 is none
	born    time.Time    // from which moments are counted
	raw     syscall.RawConn
	looking looking
	hears   *Hearing // nil for none; used by Read alone
	remote  addr

	reads, writes         waiting // see Silent
	asked                 waiting // since when what the last Write sent is not answered
	readArmed, writeArmed armed
	silent                atomic.Bool // the server was, for too long: it is not waited for again

	mu          sync.Mutex
	interrupted error     // of Interrupt
	read, write time.Time // the driver's own deadlines
	failure     error     // the first failed Read or Write
	unwritten   bool      // it was a Write
	// feed says that the server waits for this program, fed when it last did:
	// until then its silence means nothing.
	feed bool
	fed  time.Time

	timeless         bool // see limit; not protected, it does not change
	reading, writing limit
}

// A DialFunc dials as net.Dialer.DialContext does.
type DialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// Dial opens a Conn by dial, which is the network's own if nil. Names are looked up
// at each call.
func Dial(ctx context.Context, dial DialFunc, network, address string) (*Conn, error) {
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	nc, err := dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c := &Conn{Conn: nc, born: time.Now(), remote: addr{network, address}}
	if c.hears, _ = ctx.Value(hearingKey{}).(*Hearing); c.hears != nil {
		c.hears.at.Store(int64(time.Since(start)))
	}
	c.timeless = nc.SetDeadline(time.Time{}) != nil
	if sc, ok := nc.(syscall.Conn); ok {
		c.raw, _ = sc.SyscallConn()
	}
	return c, nil
}

// Bound has the server be silent for as long as timeout at most, from the next Write on; 0 is
// forever.
func (c *Conn) Bound(timeout time.Duration) { c.timeout.Store(int64(timeout)) }

func (c *Conn) bound() time.Duration { return time.Duration(c.timeout.Load()) }

// RemoteAddr is never nil, as drivers expect it: what has no address of its own
// has the one that was dialled.
func (c *Conn) RemoteAddr() net.Addr {
	if a := c.Conn.RemoteAddr(); a != nil {
		return a
	}
	return c.remote
}

type addr struct{ network, address string }

func (a addr) Network() string { return a.network }
func (a addr) String() string  { return a.address }

func (c *Conn) Read(b []byte) (int, error) {
	if c.silent.Load() {
		return 0, c.Failed()
	}
	start := c.now()
	for {
		c.arm(start, &c.readArmed, &c.read, c.setRead)
		n, err := c.readOnce(b, start)
		start = max(start, c.asked.at()) // pgx may have begun to read before it asked
		switch {
		case err == nil:
			if c.hears != nil && !c.hears.something() {
				c.hears = nil
			}
			c.asked.stop()
			return n, nil
		case n == 0 && c.early(err, start, &c.readArmed):
			continue
		case n == 0 && c.excused(err):
			start = c.now()
			continue
		}
		return n, c.fail(err, &c.read)
	}
}

func (c *Conn) readOnce(b []byte, start moment) (int, error) {
	if err := c.begin(&c.reading); err != nil {
		return 0, err
	}
	defer c.end(&c.reading)
	c.reads.start(cmp.Or(c.asked.at(), start))
	defer c.reads.stop()
	return c.Conn.Read(b)
}

// Feeding says that the server waits for this program, or does no more.
func (c *Conn) Feeding(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.feed {
		c.fed = time.Now()
	}
	c.feed = on
}

// excused reports whether a Read's timeout is none of the server's: it had not
// yet got what it is to answer for as long.
func (c *Conn) excused(err error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.fedLately() && errors.Is(err, os.ErrDeadlineExceeded) && (c.read.IsZero() || time.Now().Before(c.read))
}

// fedLately says that the server waits for this program, or did not long ago. c.mu
// is held.
func (c *Conn) fedLately() bool {
	return c.feed || !c.fed.IsZero() && time.Since(c.fed) < c.bound()
}

func (c *Conn) Write(b []byte) (int, error) {
	start, written := c.now(), 0
	for {
		c.arm(start, &c.writeArmed, &c.write, c.setWrite)
		n, err := c.writeOnce(b[written:], start)
		written += n
		switch {
		case err == nil:
			if c.reads.at() != 0 {
				c.arm(start, &c.readArmed, &c.read, c.setRead)
			}
			return written, nil
		case c.early(err, start, &c.writeArmed):
			continue
		}
		return written, c.fail(err, &c.write)
	}
}

func (c *Conn) writeOnce(b []byte, start moment) (int, error) {
	if err := c.begin(&c.writing); err != nil {
		return 0, err
	}
	defer c.end(&c.writing)
	c.writes.start(start)
	c.asked.start(start)
	defer c.writes.stop()
	return c.Conn.Write(b)
}

// fail remembers an error, and says so if it was the server's silence.
func (c *Conn) fail(err error, driver *time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reading.passed || c.writing.passed {
		err = os.ErrDeadlineExceeded
	}
	if c.interrupted != nil {
		err = c.interrupted
	} else if errors.Is(err, os.ErrDeadlineExceeded) {
		if c.bound() > 0 && (driver.IsZero() || time.Now().Before(*driver)) {
			err = &net.OpError{Op: "read", Net: "tcp", Err: &session.SilenceError{After: c.bound()}}
			c.silent.Store(true)
		} else {
			return err // the driver interrupts itself; nothing is wrong with the server
		}
	}
	if c.failure == nil {
		c.failure = err
		c.unwritten = driver == &c.write
	}
	return err
}

// Unwritten says that what failed first was a Write: the server has not got all that
// was to be written.
func (c *Conn) Unwritten() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.unwritten
}

// Failed is the first error of a Read or Write, nil if there was none.
func (c *Conn) Failed() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failure
}

// SetDeadline implements net.Conn.
func (c *Conn) SetDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read, c.write = t, t
	c.readArmed.forget()
	c.writeArmed.forget()
	return errors.Join(c.setRead(t), c.setWrite(t))
}

// SetReadDeadline implements net.Conn.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read = t
	c.readArmed.forget()
	return c.setRead(t)
}

// SetWriteDeadline implements net.Conn.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.write = t
	c.writeArmed.forget()
	return c.setWrite(t)
}
