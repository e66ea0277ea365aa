//go:build !(linux || darwin || dragonfly || freebsd || netbsd || openbsd || solaris || illumos)

package driver

// peek sees nothing on this system.
func (c *netConn) peek([]byte) (n int, gone bool) { return 0, false }
