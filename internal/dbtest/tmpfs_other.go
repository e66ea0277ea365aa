//go:build !linux

package dbtest

const tmpfs = ""

// hasMemory is false where no file system is known to be in memory.
func hasMemory() bool { return false }
