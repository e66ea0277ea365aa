package dbtest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// A process is a running program that was started here.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended and was waited for
}

// startProcess runs a program as the server account; its output goes to the
// log file. On Linux the kernel kills it when this test binary ends.
func startProcess(args []string, dir string, log *os.File) (*process, error) {
	return start(command(args, dir, log))
}

func command(args []string, dir string, log *os.File) *exec.Cmd {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir, cmd.Env = dir, serverEnv(dir)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = processAttributes()
	return cmd
}

func start(cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The kernel's promise to kill the child is tied to the thread that
		// started it: this one, kept until the child has ended.
		runtime.LockOSThread()
		if err := cmd.Start(); err != nil {
			started <- err
			return
		}
		started <- nil
		_ = cmd.Wait() // how it ended is in its log
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// runProcess runs a program to its end. An error has the output's last lines.
func runProcess(args []string, dir string) error {
	log, err := os.CreateTemp("", "dbfleet-test-log-")
	if err != nil {
		return err
	}
	defer os.Remove(log.Name())
	defer log.Close()
	p, err := startProcess(args, dir, log)
	if err != nil {
		return err
	}
	if !p.wait(2 * time.Minute) {
		p.signal(syscall.SIGKILL)
		<-p.done
		return fmt.Errorf("%s did not end within two minutes:\n%s", args[0], tail(log.Name()))
	}
	if !p.cmd.ProcessState.Success() {
		return fmt.Errorf("%s: %s:\n%s", args[0], p.cmd.ProcessState, tail(log.Name()))
	}
	return nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// wait reports whether the process ended within d.
func (p *process) wait(d time.Duration) bool {
	select {
	case <-p.done:
		return true
	case <-time.After(d):
		return p.ended()
	}
}

// signal sends to this process only. One that has ended is left alone, whoever
// has its number now.
func (p *process) signal(s syscall.Signal) {
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		panic(fmt.Sprintf("signal %v to a server of this test: %v", s, err))
	}
}

// freeze stops the process and all below it, and returns those.
func (p *process) freeze() []child {
	// A parent that is stopped neither makes children nor takes their exit
	// status: the numbers found here stay theirs.
	p.signal(sigStop)
	known := map[child]bool{}
	for {
		below := descendants(p.pid())
		more := false
		for _, c := range below {
			if !known[c] {
				known[c], more = true, true
				c.signal(sigStop)
			}
		}
		if !more {
			return below
		}
	}
}

// descendants are the children of a process, theirs, and so on.
func descendants(pid int) []child {
	children := childrenByParent()
	all := slices.Clone(children[pid])
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i].pid]...)
	}
	return all
}

// pause is freeze, and waits until all of them stand still: the signal takes a
// moment.
func (p *process) pause() {
	children := p.freeze()
	poll(5*time.Second, func() bool {
		for _, c := range children {
			if !stopped(c.pid) {
				return false
			}
		}
		return stopped(p.pid())
	})
}

func (p *process) thaw() {
	for _, c := range descendants(p.pid()) {
		c.signal(sigCont)
	}
	p.signal(sigCont)
}

// kill ends the process and all below it at once and waits until they are gone.
func (p *process) kill() {
	if p.ended() {
		return
	}
	children := p.freeze()
	for _, c := range children {
		c.signal(syscall.SIGKILL)
	}
	p.signal(syscall.SIGKILL)
	<-p.done
	poll(10*time.Second, func() bool {
		for _, c := range children {
			if c.running() {
				return false
			}
		}
		return true
	})
}

// poll asks until the answer is yes or d is over, and returns the last answer.
func poll(d time.Duration, done func() bool) bool {
	deadline := time.After(d)
	tick := time.NewTicker(15 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-deadline:
			return done()
		}
	}
	return true
}

// tail returns the last lines of a log.
func tail(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-25):], "\n")
}
