//go:build unix && !linux

package dbtest

import (
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// dieWithParent does nothing: only Linux kills a child with its parent. Elsewhere
// a test binary that crashes may leave a server behind.
func dieWithParent(*syscall.SysProcAttr) {}

func surviveParent(*syscall.SysProcAttr) {}

// A child is a process that one of our servers started.
type child struct{ pid int }

// childrenByParent are the processes of this machine by the number of their parents.
func childrenByParent() map[int][]child {
	out, _ := exec.Command("ps", "-axo", "pid=,ppid=").Output()
	children := map[int][]child{}
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if len(f) != 2 {
			continue
		}
		pid, errPID := strconv.Atoi(f[0])
		parent, errParent := strconv.Atoi(f[1])
		if errPID == nil && errParent == nil {
			children[parent] = append(children[parent], child{pid: pid})
		}
	}
	return children
}

func (c child) running() bool { return syscall.Kill(c.pid, 0) == nil }

func (c child) signal(s syscall.Signal) { _ = syscall.Kill(c.pid, s) }

func stopped(int) bool { return true }

func removeSharedMemory(string) {}
