package dbtest

import (
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestChild_WhoseNumberWasGivenAwayIsNotSignalled(t *testing.T) {
	t.Parallel()
	me := child{pid: os.Getpid(), start: "1"} // the number is mine, the start is not
	require.False(t, me.running())
	me.signal(syscall.SIGKILL)
}
