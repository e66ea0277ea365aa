//go:build !unix

package dbtest

import (
	"errors"
	"os"
	"syscall"
)

// serversRun says that test servers can run on this system: they need signals
// and locks that only Unix has. Tests run on SQLite.
const serversRun = false

// What follows is never reached: no test gets a server.

const (
	sigStop = syscall.SIGKILL
	sigCont = syscall.SIGKILL
)

func processAttributes() *syscall.SysProcAttr { return nil }

type child struct{ pid int }

func childrenByParent() map[int][]child { return nil }

func surviveParent(*syscall.SysProcAttr) {}

func (c child) running() bool { return false }

func (c child) signal(syscall.Signal) {}

func stopped(int) bool { return true }

func removeSharedMemory(string) {}

func ours(os.FileInfo) bool { return false }

func flock(string, bool) (*os.File, error) { return nil, errors.ErrUnsupported }
