//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/dbfleet/dbfleet"
)

// breaker is what run needs of the servers.
type breaker interface {
	config() dbfleet.ConnectionConfig
	caughtUp(ctx context.Context) error
	pauseReplay(ctx context.Context, paused bool) error
	freeze(standby int, frozen bool) error
	killPrimary() error
	promote(ctx context.Context, standby int) error
}

// cluster is a primary and two standbys that this program has started.
type cluster struct {
	bin, dir string
	account  *syscall.Credential // nil is this program's own
	servers  []*server           // the primary is the first
	admin    *dbfleet.Registry
}

type server struct {
	port int
	cmd  *exec.Cmd
	over chan struct{} // closed when it has ended
}

const account = "notes"

// startCluster starts the servers.
func startCluster(ctx context.Context) (_ *cluster, err error) {
	c := &cluster{}
	if c.bin, err = findPrograms(); err != nil {
		return nil, err
	}
	if c.dir, err = os.MkdirTemp("", "dbfleet-replicas-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.stop())
		}
	}()
	if os.Geteuid() == 0 { // PostgreSQL does not run as root
		if err := c.useOrdinaryAccount(); err != nil {
			return nil, err
		}
	}
	if err := c.command(ctx, "initdb", "-D", c.data(0), "-U", account, "-A", "trust", "-N", "-E", "UTF8").Run(); err != nil {
		return nil, fmt.Errorf("initdb: %w", err)
	}
	if err := c.start(0); err != nil {
		return nil, err
	}
	if err := c.answers(ctx, 0); err != nil {
		return nil, err
	}
	for i := 1; i <= 2; i++ {
		source := fmt.Sprintf("host=127.0.0.1 port=%d user=%s", c.servers[0].port, account)
		if err := c.command(ctx, "pg_basebackup", "-d", source, "-D", c.data(i), "-R", "-c", "fast", "-X", "stream", "-N").Run(); err != nil {
			return nil, fmt.Errorf("pg_basebackup: %w", err)
		}
		if err := c.start(i); err != nil {
			return nil, err
		}
		if err := c.answers(ctx, i); err != nil {
			return nil, err
		}
	}
	return c, c.openAdmin()
}

// findPrograms is the folder of PostgreSQL's programs.
func findPrograms() (string, error) {
	folders := []string{os.Getenv("POSTGRES_BIN")}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	slices.Sort(found)
	slices.Reverse(found)
	folders = append(append(folders, found...), filepath.SplitList(os.Getenv("PATH"))...)
	for _, folder := range folders {
		if _, err := os.Stat(filepath.Join(folder, "pg_basebackup")); folder != "" && err == nil {
			return folder, nil
		}
	}
	return "", errors.New("the programs of PostgreSQL are not found: install its server, or name their folder by POSTGRES_BIN")
}

func (c *cluster) useOrdinaryAccount() error {
	nobody, err := user.Lookup("nobody")
	if err != nil {
		return err
	}
	uid, _ := strconv.Atoi(nobody.Uid)
	gid, _ := strconv.Atoi(nobody.Gid)
	c.account = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return os.Chown(c.dir, uid, gid)
}

func (c *cluster) data(i int) string { return filepath.Join(c.dir, fmt.Sprintf("data-%d", i)) }

func (c *cluster) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(c.bin, program), args...)
	cmd.Dir = c.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.account, Setpgid: true}
	return cmd
}

// start starts a server on a free port.
func (c *cluster) start(i int) error {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s := &server{port: listener.Addr().(*net.TCPAddr).Port, over: make(chan struct{})}
	if err := listener.Close(); err != nil {
		return err
	}
	s.cmd = c.command(context.Background(), "postgres", "-D", c.data(i), "-p", strconv.Itoa(s.port),
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="+c.dir, "-c", "wal_receiver_timeout=5s")
	if err := s.cmd.Start(); err != nil {
		return err
	}
	go func() {
		_ = s.cmd.Wait()
		close(s.over)
	}()
	c.servers = append(c.servers, s)
	return nil
}

func (s *server) address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// answers waits until a server takes connections.
func (c *cluster) answers(ctx context.Context, i int) error {
	for {
		err := c.command(ctx, "pg_isready", "-h", "127.0.0.1", "-p", strconv.Itoa(c.servers[i].port), "-q").Run()
		if err == nil {
			return nil
		}
		select {
		case <-c.servers[i].over:
			return fmt.Errorf("server %d has ended: %w", i, err)
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (c *cluster) config() dbfleet.ConnectionConfig {
	config := c.configOf(0)
	for _, s := range c.servers[1:] {
		config.ReadHosts = append(config.ReadHosts, s.address())
	}
	return config
}

func (c *cluster) configOf(i int) dbfleet.ConnectionConfig {
	return dbfleet.ConnectionConfig{Driver: dbfleet.Postgres, Host: "127.0.0.1", Port: c.servers[i].port, Database: "postgres", Username: account}
}

// openAdmin opens a connection to each server by itself, to break it.
func (c *cluster) openAdmin() (err error) {
	connections := map[string]dbfleet.ConnectionConfig{}
	for i := range c.servers {
		connections[strconv.Itoa(i)] = c.configOf(i)
	}
	c.admin, err = dbfleet.Open(dbfleet.Config{Connections: connections})
	return err
}

func (c *cluster) caughtUp(ctx context.Context) error {
	position, err := dbfleet.SelectOne[string](ctx, c.admin.DB("0"), "SELECT pg_current_wal_lsn()::text")
	if err != nil {
		return err
	}
	for i := 1; i < len(c.servers); {
		there, err := dbfleet.SelectOne[bool](ctx, c.admin.DB(strconv.Itoa(i)), "SELECT pg_last_wal_replay_lsn() >= $1::text::pg_lsn", position)
		switch {
		case err != nil:
			return err
		case there:
			i++
		}
	}
	return nil
}

func (c *cluster) pauseReplay(ctx context.Context, paused bool) error {
	statement := "SELECT pg_wal_replay_resume()"
	if paused {
		statement = "SELECT pg_wal_replay_pause()"
	}
	for i := 1; i < len(c.servers); i++ {
		if _, err := c.admin.DB(strconv.Itoa(i)).ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// freeze stops a standby's processes, or lets them go on.
func (c *cluster) freeze(standby int, frozen bool) error {
	signal := syscall.SIGCONT
	if frozen {
		signal = syscall.SIGSTOP
	}
	parent := c.servers[1+standby].cmd.Process.Pid
	if err := syscall.Kill(parent, signal); err != nil {
		return err
	}
	for _, child := range childrenOf(parent) {
		_ = syscall.Kill(child, signal) // it may have ended
	}
	return nil
}

// childrenOf are the processes that a process has started, on Linux.
func childrenOf(parent int) (list []int) {
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		_, rest, _ := strings.Cut(string(text), ") ")
		fields := strings.Fields(rest)
		if len(fields) > 1 && fields[1] == strconv.Itoa(parent) {
			if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil {
				list = append(list, pid)
			}
		}
	}
	return list
}

// killPrimary ends the server and all of its processes at once, without a last word to
// its standbys.
func (c *cluster) killPrimary() error {
	err := c.servers[0].cmd.Process.Signal(syscall.SIGQUIT)
	<-c.servers[0].over
	return err
}

func (c *cluster) promote(ctx context.Context, standby int) error {
	_, err := dbfleet.SelectOne[bool](ctx, c.admin.DB(strconv.Itoa(1+standby)), "SELECT pg_promote()")
	return err
}

// stop ends all servers and removes their files.
func (c *cluster) stop() error {
	var err error
	if c.admin != nil {
		err = c.admin.Close()
	}
	for i, s := range c.servers {
		if i > 0 {
			_ = c.freeze(i-1, false)
		}
		_ = s.cmd.Process.Signal(syscall.SIGQUIT)
		<-s.over
	}
	return errors.Join(err, os.RemoveAll(c.dir))
}
