package tenants

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"runtime/pprof"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// lines are the connections that the library has to servers.
type lines struct {
	mu   sync.Mutex // protects following fields
	open map[string]bool
	most int
}

type countedLine struct {
	net.Conn
	of   *lines
	once sync.Once
}

func (l *lines) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open == nil {
		l.open = map[string]bool{}
	}
	l.open[portOf(c.LocalAddr().String())] = true
	l.most = max(l.most, len(l.open))
	return &countedLine{Conn: c, of: l}, nil
}

func (c *countedLine) Close() error {
	c.once.Do(func() {
		c.of.mu.Lock()
		defer c.of.mu.Unlock()
		delete(c.of.open, portOf(c.LocalAddr().String()))
	})
	return c.Conn.Close()
}

func portOf(address string) string { return address[strings.LastIndexByte(address, ':')+1:] }

// still counts those of some ports that are open.
func (l *lines) still(ports []string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range ports {
		if l.open[p] {
			n++
		}
	}
	return n
}

// clientPorts are those of the account's sessions on the server.
func clientPorts(t *testing.T, db dbtest.Database) (ports []string) {
	t.Helper()
	query := "SELECT client_port::text FROM pg_stat_activity WHERE usename = '" + db.Username + "'"
	if db.Dialect == "mysql" {
		query = "SELECT host FROM information_schema.processlist WHERE user = '" + db.Username + "'"
	}
	rows, err := db.Server.Admin().QueryContext(context.Background(), query)
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		var at string
		require.NoError(t, rows.Scan(&at))
		ports = append(ports, portOf(at))
	}
	require.NoError(t, rows.Err())
	return ports
}

func clientPortsOr(t *testing.T, db dbtest.Database) []string {
	t.Helper()
	if db.Server == nil {
		return nil
	}
	return clientPorts(t, db)
}

// openBelow are the files of a folder that this process has open.
func openBelow(t *testing.T, folder string) (open []string) {
	t.Helper()
	folder, err := filepath.EvalSymlinks(folder)
	require.NoError(t, err)
	entries, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	for _, e := range entries {
		if target, err := os.Readlink(filepath.Join("/proc/self/fd", e.Name())); err == nil && strings.HasPrefix(target, folder+"/") {
			open = append(open, target)
		}
	}
	return open
}

// runsLabelled says whether a goroutine runs that was begun under a label.
func runsLabelled(label string) bool {
	var profile bytes.Buffer
	_ = pprof.Lookup("goroutine").WriteTo(&profile, 1)
	return bytes.Contains(profile.Bytes(), []byte(`"`+label+`"`))
}
