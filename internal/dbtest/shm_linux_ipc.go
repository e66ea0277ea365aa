//go:build linux && (386 || mips || mipsle || ppc64 || ppc64le || s390x)

package dbtest

import "syscall"

// removeSegment removes a segment of System V shared memory. These processors
// have one system call for all of System V.
func removeSegment(id int) {
	const (
		shmctl = 24
		remove = 0
	)
	_, _, _ = syscall.Syscall6(syscall.SYS_IPC, shmctl, uintptr(id), remove, 0, 0, 0)
}
