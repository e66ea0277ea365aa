//go:build unix

package dbtest

import (
	"fmt"
	"os"
	"syscall"
)

// serversRun says that test servers can run on this system.
const serversRun = true

const (
	sigStop = syscall.SIGSTOP
	sigCont = syscall.SIGCONT
)

// processAttributes are those of a server: it runs as the server account, and a
// Ctrl-C in the terminal is for the tests.
func processAttributes() *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Setpgid: true}
	if account := serverAccount(); account != nil {
		a.Credential = &syscall.Credential{Uid: account.uid, Gid: account.gid}
	}
	dieWithParent(a)
	return a
}

// ours says that a file belongs to the user that runs the tests.
func ours(info os.FileInfo) bool {
	owner, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(owner.Uid) == os.Geteuid()
}

// flock opens a file and locks it until it is closed. If somebody else has it,
// it waits or fails.
func flock(path string, wait bool) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	how := syscall.LOCK_EX
	if !wait {
		how |= syscall.LOCK_NB
	}
	for {
		switch err = syscall.Flock(int(f.Fd()), how); err {
		case nil:
			return f, nil
		case syscall.EINTR:
		default:
			f.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
	}
}
