package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/dbfleet/dbfleet/internal/starter"
)

// writable refuses a file that is there, but for a starter that may be written anew.
func (r *request) writable() error {
	if r.out == "" {
		return nil
	}
	text, err := os.ReadFile(r.out)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !strings.HasPrefix(string(text), starter.Header):
		return fmt.Errorf("%s is not written: it is there, and it is no starter of this command", r.out)
	case !r.force:
		return fmt.Errorf("%s is not written: it is there, and it is yours by now; -force writes it anew, without what was changed in it", r.out)
	}
	return nil
}

// write writes the file whole or not at all. One that has come since is left alone.
func (r *request) write(text []byte) (err error) {
	if err := r.writable(); err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(r.out), ".dbfleet-*")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	if _, err = file.Write(text); err == nil {
		err = file.Chmod(0o644)
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	if r.force {
		return os.Rename(file.Name(), r.out)
	}
	return os.Link(file.Name(), r.out) // which fails if it is there
}
