package dbtest

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// A fakeEngine makes templates of two files.
type fakeEngine struct {
	engine
	made *int
}

func (fakeEngine) templateKey() (string, error) { return "fake", nil }

func (e fakeEngine) initialize(scratch, password string) error {
	*e.made++
	if err := os.MkdirAll(filepath.Join(scratch, "data", "deep"), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(scratch, "data", "deep", "file"), []byte("text"), 0o600); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(scratch, "data", "password"), []byte(password), 0o600)
}

func setupWorkspace(t *testing.T) *workspace {
	t.Helper()
	root := t.TempDir()
	w := &workspace{root: root, run: filepath.Join(root, "run-1")}
	for _, dir := range []string{w.run, filepath.Join(root, "templates"), filepath.Join(root, "ports")} {
		require.NoError(t, os.Mkdir(dir, 0o711))
	}
	t.Cleanup(w.remove)
	return w
}

func TestTemplate_IsMadeOnceAndAgainWhenThinned(t *testing.T) {
	t.Parallel()
	w := setupWorkspace(t)
	made := 0
	e := fakeEngine{made: &made}
	next := 0
	get := func() string {
		next++
		dir := filepath.Join(w.run, string(rune('a'+next)))
		password, err := w.newData(e, dir)
		require.NoError(t, err)
		stored, err := os.ReadFile(filepath.Join(dir, "password"))
		require.NoError(t, err)
		require.Equal(t, password, string(stored))
		text, err := os.ReadFile(filepath.Join(dir, "deep", "file"))
		require.NoError(t, err)
		require.Equal(t, "text", string(text))
		return password
	}
	first := get()
	require.Equal(t, first, get())
	require.Equal(t, 1, made)

	require.NoError(t, os.Remove(filepath.Join(w.root, "templates", "fake", "data", "deep", "file")))
	require.NotEqual(t, first, get())
	require.Equal(t, 2, made)

	require.NoError(t, os.WriteFile(filepath.Join(w.root, "templates", "fake", "manifest.json"), []byte("{"), 0o600))
	get()
	require.Equal(t, 3, made)
}

func TestTemplate_ConcurrentBinariesMakeOne(t *testing.T) {
	t.Parallel()
	first := setupWorkspace(t)
	made := 0
	e := fakeEngine{made: &made}
	var all sync.WaitGroup
	errs := make(chan error, 8)
	for i := range 8 {
		w := &workspace{root: first.root, run: first.run} // locks are per open file, as between processes
		t.Cleanup(w.remove)
		all.Go(func() {
			_, err := w.newData(e, filepath.Join(first.run, string(rune('a'+i))))
			errs <- err
		})
	}
	all.Wait()
	close(errs)
	for err := range errs {
		require.NoError(t, err)
	}
	require.Equal(t, 1, made)
}

func TestWorkspace_PortsAreReservedOnce(t *testing.T) {
	t.Parallel()
	w := setupWorkspace(t)
	seen := map[int]bool{}
	for range 50 {
		port, err := w.reservePort()
		require.NoError(t, err)
		require.False(t, seen[port])
		require.True(t, port >= 15000 && port < 32000)
		seen[port] = true
	}
}

func TestWorkspace_SweepLeavesTheLivingAlone(t *testing.T) {
	t.Parallel()
	w := setupWorkspace(t)
	_, err := w.lock("run-1/lock")
	require.NoError(t, err)
	dead := filepath.Join(w.root, "run-2")
	require.NoError(t, os.Mkdir(dead, 0o711))
	w.sweep()
	require.NoDirExists(t, dead)
	require.DirExists(t, w.run)
}
