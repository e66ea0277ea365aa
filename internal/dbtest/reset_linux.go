package dbtest

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"time"
)

// awaitReset waits until the client's side of a link that was reset is no connection any
// more. A busy kernel delivers also on loopback later than it is told to.
func (l *link) awaitReset() {
	client, ok := l.client.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return
	}
	const established = "01"
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if !tcpPortIs(client.Port, established) {
			return
		}
	}
}

// tcpPortIs says whether a connection from a local port is in a state of the kernel's table.
func tcpPortIs(port int, state string) bool {
	local := fmt.Appendf(nil, ":%04X", port)
	for _, name := range []string{"/proc/self/net/tcp", "/proc/self/net/tcp6"} {
		table, _ := os.ReadFile(name)
		for line := range bytes.Lines(table) {
			if f := bytes.Fields(line); len(f) > 3 && bytes.HasSuffix(f[1], local) && string(f[3]) == state {
				return true
			}
		}
	}
	return false
}
