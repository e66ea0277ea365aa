//go:build darwin || dragonfly || freebsd || netbsd || openbsd || solaris || illumos

package netconn

// hungUp sees nothing on this system.
func hungUp(uintptr) bool { return false }
