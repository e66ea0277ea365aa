//go:build !(linux || darwin || dragonfly || freebsd || netbsd || openbsd || solaris || illumos)

package netconn

type looking struct{}

// Peek sees nothing on this system.
func (c *Conn) Peek([]byte) (n int, gone bool) { return 0, c.gone() }

// HungUp sees nothing on this system.
func (c *Conn) HungUp() bool { return c.gone() }
