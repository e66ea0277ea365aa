package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// meterVariable, when set, makes this program a meter: it runs the command that
// its arguments are, and writes what that has used into the file of that name.
//
// Linux counts the peak memory of the process that starts a command as the
// command's own. A meter is a fresh process, which holds less than any compiler.
const meterVariable = "DBFLEET_BENCH_BUILD_METER"

// usage is what a command took.
type usage struct {
	CPU    time.Duration // user and system
	Memory int64         // peak, in bytes
}

// metered runs a command in a meter.
func (t *toolchain) metered(file string, command ...string) (usage, error) {
	self, err := os.Executable()
	if err != nil {
		return usage{}, err
	}
	cmd := exec.CommandContext(t.ctx, self, command...)
	cmd.Env = append(os.Environ(), meterVariable+"="+file)
	if _, err := output(cmd); err != nil {
		return usage{}, err
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return usage{}, err
	}
	var u usage
	return u, json.Unmarshal(text, &u)
}

// meter is the main function of a meter.
func meter(file string, command []string) error {
	cmd := exec.CommandContext(context.Background(), command[0], command[1:]...)
	cmd.Env = append(cmd.Environ(), meterVariable+"=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, strings.TrimSpace(string(out)))
	}
	its, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return errors.New("this system does not tell what a process has used")
	}
	text, err := json.Marshal(usage{CPU: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), Memory: its.Maxrss * 1024})
	if err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o644)
}
