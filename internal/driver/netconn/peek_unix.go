//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd || solaris || illumos

package netconn

import "syscall"

// Peek looks at what the server has sent that nobody has read, without waiting
// and without taking it: n bytes are in buf. gone says that the server has
// closed the connection.
func (c *Conn) Peek(buf []byte) (n int, gone bool) {
	if c.raw == nil {
		return 0, c.gone()
	}
	err := c.raw.Control(func(fd uintptr) {
		for {
			var err error
			n, _, err = syscall.Recvfrom(int(fd), buf, syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
			switch err {
			case syscall.EINTR:
				continue
			case nil:
				gone = n == 0
			case syscall.EAGAIN:
				n = 0
			default:
				n, gone = 0, true
			}
			return
		}
	})
	return max(n, 0), gone || err != nil
}

// HungUp says that the server has closed the connection, on Linux also if there is
// something to read before that. It does not wait.
func (c *Conn) HungUp() bool {
	if c.raw == nil {
		return c.gone()
	}
	var closed bool
	err := c.raw.Control(func(fd uintptr) { closed = hungUp(fd) })
	return closed || err != nil
}
