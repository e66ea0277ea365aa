package dbtest

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

// A template is a data directory as a new server has it, kept in the workspace.
// An installer needs a second to make one, which copying does not.

// manifest lies beside the data of a template. It tells a whole one from one
// that a cleaner of temporary files has thinned out.
type manifest struct {
	Files         int
	Bytes         int64
	AdminPassword string
}

var errThinned = errors.New("the template is not whole")

// newData makes a data directory for one server and returns the password of its
// administrator. Templates are shared by all test binaries of this machine user.
func (w *workspace) newData(e engine, dir string) (adminPassword string, err error) {
	key, err := e.templateKey()
	if err != nil {
		return "", err
	}
	path := filepath.Join(w.root, "templates", key)
	unlock, err := w.lock(filepath.Join("templates", key+".lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	m, err := copyTemplate(path, dir)
	if err == nil {
		return m.AdminPassword, nil
	}
	for _, stale := range []string{path, dir} {
		if err := os.RemoveAll(stale); err != nil {
			return "", err
		}
	}
	if err := w.buildTemplate(e, path); err != nil {
		return "", err
	}
	m, err = copyTemplate(path, dir)
	return m.AdminPassword, err
}

// buildTemplate makes the template in a folder of this run, and gives it its
// name only when it is whole.
func (w *workspace) buildTemplate(e engine, path string) error {
	dir, err := os.MkdirTemp(w.run, "template-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o711); err != nil {
		return err
	}
	scratch := filepath.Join(dir, "scratch")
	if err := os.Mkdir(scratch, 0o700); err != nil {
		return err
	}
	if err := handOver(scratch); err != nil {
		return err
	}
	m := manifest{AdminPassword: rand.Text()}
	if err := e.initialize(scratch, m.AdminPassword); err != nil {
		return err
	}
	whole := filepath.Join(dir, "whole")
	if err := os.Mkdir(whole, 0o700); err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(scratch, "data"), filepath.Join(whole, "data")); err != nil {
		return err
	}
	err = filepath.WalkDir(filepath.Join(whole, "data"), func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		m.Files++
		m.Bytes += info.Size()
		return nil
	})
	if err != nil {
		return err
	}
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(whole, "manifest.json"), text, 0o600); err != nil {
		return err
	}
	return os.Rename(whole, path)
}

// copyTemplate copies the template at path to a new folder that belongs to the
// server account.
func copyTemplate(path, to string) (manifest, error) {
	var want, got manifest
	text, err := os.ReadFile(filepath.Join(path, "manifest.json"))
	if err != nil {
		return want, err
	}
	if err := json.Unmarshal(text, &want); err != nil {
		return want, err
	}
	from := filepath.Join(path, "data")
	err = filepath.WalkDir(from, func(source string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, source)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		switch {
		case d.IsDir():
			err = os.Mkdir(target, 0o700)
		case d.Type().IsRegular():
			var n int64
			n, err = copyFile(source, target)
			got.Files++
			got.Bytes += n
		default:
			err = fmt.Errorf("%s is neither a file nor a folder", source)
		}
		return errors.Join(err, handOver(target))
	})
	if err == nil && (got.Files != want.Files || got.Bytes != want.Bytes) {
		err = errThinned
	}
	return want, err
}

func copyFile(from, to string) (int64, error) {
	in, err := os.Open(from)
	if err != nil {
		return 0, err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	n, err := io.Copy(out, in)
	return n, errors.Join(err, out.Close())
}

// templateKey names the template of one version of a program, made in one way.
func templateKey(name, program string, recipe ...string) (string, error) {
	version, err := versionOf(program)
	if err != nil {
		return "", err
	}
	account := serverAccount()
	sum := fnv.New64a()
	fmt.Fprintln(sum, program, version, recipe, account)
	return fmt.Sprintf("%s-%016x", name, sum.Sum64()), nil
}

// versions are those of the programs, each of which is started once for it.
var versions sync.Map // of functions, by path

func versionOf(program string) (string, error) {
	ask, _ := versions.LoadOrStore(program, sync.OnceValues(func() (string, error) {
		version, err := exec.Command(program, "--version").Output()
		if err != nil {
			err = fmt.Errorf("%s --version: %w", program, err)
		}
		return string(version), err
	}))
	return ask.(func() (string, error))()
}
