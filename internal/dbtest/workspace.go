package dbtest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// A workspace is where one test binary keeps its servers: a folder that is
// locked as long as the process lives, so that the next one can tell which
// folders were left behind by processes that died.
//
//	<temp>/dbfleet-test-<uid>/lock         held while folders come and go
//	                          templates/   data directories to copy from
//	                          ports/       one locked file per port in use
//	                          run-…/       one per test binary
type workspace struct {
	root string // shared by the test binaries of this machine user
	run  string // ours

	mu   sync.Mutex // protects following fields
	held []*os.File // locks, released when the process ends
}

// openWorkspace is called once, by the first test that needs a server.
var openWorkspace = sync.OnceValues(func() (*workspace, error) {
	root, err := workspaceRoot()
	if err != nil {
		return nil, err
	}
	w := &workspace{root: root}
	unlock, err := w.lock("lock")
	if err != nil {
		return nil, err
	}
	defer unlock()
	w.sweep()
	if w.run, err = os.MkdirTemp(root, "run-"); err != nil {
		return nil, err
	}
	if err := os.Chmod(w.run, 0o711); err != nil {
		return nil, err
	}
	if _, err := w.lock(filepath.Join(filepath.Base(w.run), "lock")); err != nil {
		return nil, err
	}
	usedWorkspace.Store(w)
	return w, nil
})

// usedWorkspace is what openWorkspace returned, nil while no test needed it.
var usedWorkspace atomic.Pointer[workspace]

// tempFolders are where a workspace may be, the best first: in memory, where there is plenty
// and nobody has named another place.
func tempFolders() []string {
	folders := []string{os.TempDir(), "/tmp", "/var/tmp"}
	if folders[0] == folders[1] && hasMemory() {
		folders = append([]string{tmpfs}, folders...)
	}
	return folders
}

// workspaceRoot makes the folder of this machine user. It refuses one that
// somebody else could have prepared.
func workspaceRoot() (string, error) {
	var errs []error
	for _, temp := range tempFolders() {
		root := filepath.Join(temp, "dbfleet-test-"+strconv.Itoa(os.Geteuid()))
		for _, dir := range []string{root, filepath.Join(root, "templates"), filepath.Join(root, "ports")} {
			if err := os.Mkdir(dir, 0o711); err != nil && !errors.Is(err, os.ErrExist) {
				errs = append(errs, err)
			}
		}
		info, err := os.Lstat(root)
		if err != nil {
			continue
		}
		switch {
		case !info.IsDir() || !ours(info) || info.Mode().Perm()&0o022 != 0:
			errs = append(errs, fmt.Errorf("%s is not a folder that only this user can write", root))
		case serverAccount() != nil && !reachable(root):
			errs = append(errs, fmt.Errorf("the user that runs the servers cannot reach %s", root))
		default:
			return root, nil
		}
	}
	return "", errors.Join(errs...)
}

// reachable reports whether every user may pass through dir and the folders above.
func reachable(dir string) bool {
	for {
		info, err := os.Stat(dir)
		if err != nil || info.Mode().Perm()&0o001 == 0 {
			return false
		}
		if dir == filepath.Dir(dir) {
			return true
		}
		dir = filepath.Dir(dir)
	}
}

// lock takes the file of that name, which is released by the func or when the
// process ends. It waits for who has it.
func (w *workspace) lock(name string) (unlock func(), err error) {
	f, err := flock(filepath.Join(w.root, name), true)
	if err != nil {
		return nil, err
	}
	w.hold(f)
	return func() { f.Close() }, nil
}

// hold keeps a file from being closed, and its lock from being released, by the
// garbage collector.
func (w *workspace) hold(f *os.File) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.held = append(w.held, f)
}

// sweep removes the folders of test binaries that are gone.
func (w *workspace) sweep() {
	runs, _ := filepath.Glob(filepath.Join(w.root, "run-*"))
	for _, run := range runs {
		f, err := flock(filepath.Join(run, "lock"), false)
		if err != nil {
			continue // in use
		}
		removeRun(run)
		f.Close()
	}
}

// removeRun removes what servers that were killed left in the kernel, and then
// the folder.
func removeRun(run string) {
	pidFiles, _ := filepath.Glob(filepath.Join(run, "*", "data", "postmaster.pid"))
	for _, pidFile := range pidFiles {
		removeSharedMemory(pidFile)
	}
	os.RemoveAll(run)
}

// remove gives the folder and all locks back. Every server must have ended.
func (w *workspace) remove() {
	removeRun(w.run)
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range w.held {
		f.Close()
	}
}

var portMu sync.Mutex // two servers of this process must not try one port at a time

// reservePort returns a loopback port for the rest of the process's life, also
// while its server is down. It lies below the range that the kernel gives to
// outgoing connections, so that a restarted server finds its port free.
func (w *workspace) reservePort() (int, error) {
	portMu.Lock()
	defer portMu.Unlock()
	for range 200 {
		port := 15000 + rand.IntN(17000)
		f, err := flock(filepath.Join(w.root, "ports", strconv.Itoa(port)), false)
		if err != nil {
			continue
		}
		l, err := net.Listen("tcp", net.JoinHostPort(loopback, strconv.Itoa(port)))
		if err != nil {
			f.Close()
			continue
		}
		l.Close()
		w.hold(f)
		return port, nil
	}
	return 0, errors.New("no free port between 15000 and 32000")
}

// An account is a user of this machine.
type account struct{ uid, gid uint32 }

// serverAccount is the user that runs the servers when the tests run as root,
// which database servers refuse to run as. It is nil for everybody else.
var serverAccount = sync.OnceValue(func() *account {
	if os.Geteuid() != 0 {
		return nil
	}
	for _, name := range []string{"nobody", "postgres", "mysql", "daemon"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errUID := strconv.ParseUint(u.Uid, 10, 32)
		gid, errGID := strconv.ParseUint(u.Gid, 10, 32)
		if errUID == nil && errGID == nil {
			return &account{uint32(uid), uint32(gid)}
		}
	}
	return &account{65534, 65534}
})

// handOver gives a file or folder to the user that runs the servers.
func handOver(paths ...string) error {
	account := serverAccount()
	if account == nil {
		return nil
	}
	for _, path := range paths {
		if err := os.Lchown(path, int(account.uid), int(account.gid)); err != nil {
			return err
		}
	}
	return nil
}

// serverEnv is the environment of the servers: none of the user's own settings
// reach them. Programs of a server's own are in its folder's bin.
func serverEnv(tmp string) []string {
	return []string{"PATH=" + strings.Join([]string{filepath.Join(tmp, "bin"), os.Getenv("PATH"), "/usr/sbin", "/usr/bin", "/bin"}, ":"), "LC_ALL=C", "HOME=" + tmp, "TMPDIR=" + tmp}
}
