package dbtest

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// victimEnv is "servers", or "engines" for a victim that has these as well.
const victimEnv = "DBFLEET_TEST_VICTIM"

// TestVictim is a test binary that is killed by the test below.
func TestVictim(t *testing.T) {
	if os.Getenv(victimEnv) == "" {
		t.Skip("only run by TestServer_DiesWithItsTestBinary")
	}
	var servers []*Server
	if available("postgres") == nil {
		servers = append(servers, StartPostgres(t))
	}
	if available("mysql") == nil {
		servers = append(servers, StartMariaDB(t))
	}
	engines := os.Getenv(victimEnv) == "engines"
	if engines && available("patroni") == nil {
		servers = append(servers, StartPatroni(t, 2).Nodes...)
	}
	if engines && available("galera") == nil {
		servers = append(servers, StartGalera(t, 1).Nodes...)
	}
	if engines && available("pgbouncer") == nil {
		b := StartPgBouncer(t, servers[0], PgBouncerConfig{})
		fmt.Printf("victim: %s %s\n", b.Addr(), b.dir)
	}
	for _, s := range servers {
		fmt.Printf("victim: %s %s\n", s.Addr(), s.dir)
	}
	fmt.Println("victim: ready")
	select {}
}

func TestServer_DiesWithItsTestBinary(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux kills children with their parent")
	}
	for name, signal := range map[string]syscall.Signal{"killed": syscall.SIGKILL, "timed out": syscall.SIGQUIT} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			what := map[string]string{"killed": "engines", "timed out": "servers"}[name]
			cmd := exec.Command(os.Args[0], "-test.run=^TestVictim$", "-test.timeout=2m")
			cmd.Env = append(os.Environ(), victimEnv+"="+what)
			out, err := cmd.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			var addrs, dirs []string
			for lines := bufio.NewScanner(out); lines.Scan() && lines.Text() != "victim: ready"; {
				if f := strings.Fields(lines.Text()); len(f) == 3 && f[0] == "victim:" {
					addrs, dirs = append(addrs, f[1]), append(dirs, f[2])
				}
			}
			for _, addr := range addrs {
				conn, err := net.Dial("tcp", addr)
				require.NoError(t, err)
				conn.Close()
			}
			require.NoError(t, cmd.Process.Signal(signal))
			_ = cmd.Wait()
			for _, addr := range addrs {
				require.True(t, poll(20*time.Second, func() bool {
					conn, err := net.Dial("tcp", addr)
					if err == nil {
						conn.Close()
					}
					return err != nil
				}), "%s is still served", addr)
			}
			if len(dirs) == 0 {
				return
			}
			// The next test binary removes what was left.
			w, err := openWorkspace()
			require.NoError(t, err)
			require.True(t, poll(10*time.Second, func() bool {
				unlock, err := w.lock("lock")
				require.NoError(t, err)
				defer unlock()
				w.sweep()
				_, err = os.Stat(filepath.Dir(dirs[0]))
				return os.IsNotExist(err)
			}))
			_, err = os.Stat(w.run)
			require.NoError(t, err, "the folder of a living one stays")
		})
	}
}

func TestRunProcess_SaysWhatTheProgramSaid(t *testing.T) {
	t.Parallel()
	err := runProcess([]string{"/bin/sh", "-c", "echo it broke >&2; exit 3"}, "/")
	require.ErrorContains(t, err, "it broke")
	require.ErrorContains(t, err, "exit status 3")
	require.Error(t, runProcess([]string{"/no/such/program"}, "/"))
}
