package dbtest

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A Frozen is a process of a test's own that stands still in the middle of its work.
type Frozen struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// standsLine is what a process says that is about to stand still.
const standsLine = "stands\n"

// StartFrozen runs a test of this program once more, in a process of its own that has the
// environment's variable as value, until it stands still ([StandStill]). stands is false if
// it has ended without that.
func StartFrozen(t testing.TB, test, variable, value string) (f *Frozen, stands bool) {
	t.Helper()
	f = &Frozen{cmd: exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+test+"$", "-test.count=1")}
	f.cmd.Env = append(os.Environ(), variable+"="+value)
	var err error
	f.in, err = f.cmd.StdinPipe()
	require.NoError(t, err)
	out, err := f.cmd.StdoutPipe()
	require.NoError(t, err)
	f.cmd.Stderr = f.cmd.Stdout
	f.out = bufio.NewReader(out)
	require.NoError(t, f.cmd.Start())
	line, err := f.out.ReadString('\n')
	require.NoError(t, err)
	if line != standsLine {
		require.Equal(t, "PASS\n", line)
		return f, false
	}
	// It says so before it does: what has it go on must not come first.
	require.Eventually(t, func() bool { return stopped(f.cmd.Process.Pid) }, time.Minute, time.Millisecond)
	return f, true
}

// GoOn has the process go on.
func (f *Frozen) GoOn(t testing.TB) {
	t.Helper()
	require.NoError(t, f.cmd.Process.Signal(sigCont))
}

// End closes the input of the process and waits for its end, which must be that of a test
// that has passed.
func (f *Frozen) End(t testing.TB) {
	t.Helper()
	require.NoError(t, f.in.Close())
	rest, err := io.ReadAll(f.out)
	require.NoError(t, err)
	require.NoError(t, f.cmd.Wait(), "%s", rest)
}

// StandStill has this process, which StartFrozen has started, stand still until GoOn.
func StandStill() {
	fmt.Print(standsLine)
	if p, err := os.FindProcess(os.Getpid()); err == nil {
		_ = p.Signal(sigStop)
	}
}
