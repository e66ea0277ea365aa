package netconn

import (
	"syscall"
	"unsafe"
)

// hungUp says that the server has closed the connection, also if there is still
// something to read before that.
func hungUp(fd uintptr) bool {
	const rdhup, hup, err = 0x2000, 0x10, 0x8 // POLLRDHUP, POLLHUP, POLLERR of poll(2)
	poll := struct {
		fd              int32
		events, revents int16
	}{fd: int32(fd), events: rdhup}
	var now syscall.Timespec
	n, _, errno := syscall.Syscall6(syscall.SYS_PPOLL, uintptr(unsafe.Pointer(&poll)), 1, uintptr(unsafe.Pointer(&now)), 0, 0, 0)
	return errno == 0 && n == 1 && poll.revents&(rdhup|hup|err) != 0
}
