//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd || solaris || illumos

package netconn

import "syscall"

// looking is one look at the socket. It and its function stay with the connection, so
// that a look allocates nothing.
type looking struct {
	at     func(fd uintptr)
	buf    []byte // nil looks for the end of the connection only
	n      int
	closed bool
}

// look makes a look. It is called by one goroutine at a time.
func (c *Conn) look(buf []byte) (n int, closed bool) {
	l := &c.looking
	if l.at == nil {
		l.at = l.now
	}
	l.buf, l.n, l.closed = buf, 0, false
	err := c.raw.Control(l.at)
	l.buf = nil
	return l.n, l.closed || err != nil
}

func (l *looking) now(fd uintptr) {
	if l.buf == nil {
		l.closed = hungUp(fd)
		return
	}
	for {
		n, _, err := syscall.Recvfrom(int(fd), l.buf, syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		switch err {
		case syscall.EINTR:
			continue
		case nil:
			l.n, l.closed = max(n, 0), n == 0
		case syscall.EAGAIN:
		default:
			l.closed = true
		}
		return
	}
}

// Peek looks at what the server has sent that nobody has read, without waiting
// and without taking it: n bytes are in buf. gone says that the server has
// closed the connection.
func (c *Conn) Peek(buf []byte) (n int, gone bool) {
	if c.raw == nil {
		return 0, c.gone()
	}
	return c.look(buf)
}

// HungUp says that the server has closed the connection, on Linux also if there is
// something to read before that. It does not wait.
func (c *Conn) HungUp() bool {
	if c.raw == nil {
		return c.gone()
	}
	_, closed := c.look(nil)
	return closed
}
