//go:build linux && !(386 || mips || mipsle || ppc64 || ppc64le || s390x)

package dbtest

import "syscall"

// removeSegment removes a segment of System V shared memory.
func removeSegment(id int) {
	const remove = 0
	_, _, _ = syscall.Syscall(syscall.SYS_SHMCTL, uintptr(id), remove, 0)
}
