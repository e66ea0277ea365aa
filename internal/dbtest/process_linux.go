package dbtest

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// dieWithParent makes the kernel kill the child when its parent ends.
func dieWithParent(a *syscall.SysProcAttr) { a.Pdeathsig = syscall.SIGKILL }

// surviveParent takes that back.
func surviveParent(a *syscall.SysProcAttr) { a.Pdeathsig = 0 }

// A child is a process that one of our servers started.
type child struct {
	pid   int
	start string // when, in clock ticks since boot: tells it from a later process with its number
}

// procStat returns the fields of /proc/<pid>/stat from the state on: the name
// before it may contain anything.
func procStat(pid int) ([]string, bool) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil, false
	}
	i := strings.LastIndexByte(string(text), ')')
	fields := strings.Fields(string(text[i+1:]))
	return fields, len(fields) > 19
}

// childrenByParent are the processes of this machine by the number of their parents.
func childrenByParent() map[int][]child {
	entries, _ := os.ReadDir("/proc")
	children := map[int][]child{}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if stat, ok := procStat(pid); ok && stat[0] != "Z" {
			parent, _ := strconv.Atoi(stat[1])
			children[parent] = append(children[parent], child{pid: pid, start: stat[19]})
		}
	}
	return children
}

func (c child) running() bool {
	stat, ok := procStat(c.pid)
	return ok && stat[19] == c.start && stat[0] != "Z" && stat[0] != "X"
}

func (c child) signal(s syscall.Signal) {
	if c.running() {
		_ = syscall.Kill(c.pid, s) // one that ended by itself is no error
	}
}

// stopped reports whether each thread of a process stands still after SIGSTOP,
// or the process is gone.
func stopped(pid int) bool {
	threads, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	for _, thread := range threads {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/stat", pid, thread.Name()))
		i := strings.LastIndexByte(string(text), ')')
		if fields := strings.Fields(string(text[i+1:])); len(fields) > 0 && !strings.Contains("TtZX", fields[0]) {
			return false
		}
	}
	return true
}

// removeSharedMemory removes the System V segment that a PostgreSQL server
// which was killed left behind, as its postmaster.pid tells. The segment must
// have been made by that very process and be used by nobody.
func removeSharedMemory(pidFile string) {
	text, err := os.ReadFile(pidFile)
	if err != nil {
		return
	}
	lines := strings.Split(string(text), "\n")
	if len(lines) < 7 {
		return
	}
	own := strings.Fields(lines[6]) // key and id
	table, err := os.ReadFile("/proc/sysvipc/shm")
	if err != nil || len(own) != 2 {
		return
	}
	for line := range strings.Lines(string(table)) {
		// key shmid perms size cpid lpid nattch …
		f := strings.Fields(line)
		if len(f) < 7 || f[1] != own[1] || f[4] != strings.TrimSpace(lines[0]) || f[6] != "0" {
			continue
		}
		if id, err := strconv.Atoi(f[1]); err == nil {
			removeSegment(id)
		}
	}
}
