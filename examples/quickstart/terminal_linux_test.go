package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// onTerminal runs the quickstart with its output on a terminal, and returns that.
func onTerminal(t *testing.T, environment ...string) string {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	require.NoError(t, err)
	defer master.Close()
	var number, unlock int32
	control := func(request uintptr, value *int32) {
		_, _, failed := syscall.Syscall(syscall.SYS_IOCTL, master.Fd(), request, uintptr(unsafe.Pointer(value)))
		require.Zero(t, failed)
	}
	control(syscall.TIOCSPTLCK, &unlock)
	control(syscall.TIOCGPTN, &number)
	terminal, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	require.NoError(t, err)

	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append([]string{"RUN_AS_QUICKSTART=1", "TMPDIR=" + t.TempDir()}, environment...)
	cmd.Stdout = terminal
	require.NoError(t, cmd.Start())
	require.NoError(t, terminal.Close())
	var out strings.Builder
	for lines := bufio.NewScanner(master); lines.Scan(); { // a terminal ends with an error, when its last user has gone
		out.WriteString(lines.Text() + "\n")
	}
	require.NoError(t, cmd.Wait())
	require.Contains(t, out.String(), "What to read next")
	return out.String()
}

func TestQuickstart_HasColoursOnATerminalUnlessAskedForNone(t *testing.T) {
	t.Parallel()
	require.Contains(t, onTerminal(t, "TERM=xterm"), "\x1b[32mINSERT")
	require.NotContains(t, onTerminal(t, "TERM=xterm", "NO_COLOR=1"), "\x1b")
	require.NotContains(t, onTerminal(t, "TERM=dumb"), "\x1b")
}
