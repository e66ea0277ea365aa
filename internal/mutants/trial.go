package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// memory bounds, in kilobytes of address space, what a mutant may take from the
// machine: some of them never stop to allocate.
const memory = 8 << 20

// errNoBuild says that a mutant is no Go.
var errNoBuild = errors.New("does not compile")

// A verdict is what became of a mutant. It survived if nothing noticed it.
type verdict struct {
	by     string // the test that noticed it
	suites []string
	took   time.Duration
}

func (v verdict) survived() bool { return v.by == "" }

// A trial tries mutants. It is safe for concurrent use.
type trial struct {
	tree    *tree
	scratch string // a folder
	timeout time.Duration

	mu     sync.Mutex                        // protects following fields
	sound  map[pass]func() error             // whether the tests pass without a mutant, once asked
	binary map[string]func() (string, error) // the tests of each package without a mutant
}

// A pass is one way to run a suite.
type pass struct {
	pkg  string
	fast bool // only on SQLite, without the long tests
}

func newTrial(t *tree, scratch string, timeout time.Duration) *trial {
	return &trial{tree: t, scratch: scratch, timeout: timeout, sound: map[pass]func() error{}, binary: map[string]func() (string, error){}}
}

// try runs the tests that can reach a mutant until one notices it. The error is
// errNoBuild when there is nothing to try.
func (t *trial) try(ctx context.Context, m mutant) (verdict, error) {
	began := time.Now()
	dir, err := os.MkdirTemp(t.scratch, "")
	if err != nil {
		return verdict{}, err
	}
	defer os.RemoveAll(dir)
	overlay, err := writeOverlay(dir, t.tree.root, m)
	if err != nil {
		return verdict{}, err
	}
	if err := t.gocmd(ctx, "build", "-overlay", overlay, "-o", os.DevNull, "./"+m.pkg); err != nil {
		return verdict{}, err
	}
	var v verdict
	for _, s := range t.tree.watching(m.pkg) {
		v.suites = append(v.suites, s.pkg)
		binary := filepath.Join(dir, "tests")
		if err := t.compile(ctx, s.pkg, binary, "-overlay", overlay); err != nil {
			return verdict{}, err
		}
		for _, fast := range []bool{true, false} {
			if fast != t.tree.light && !s.databases {
				continue // both were the same, but for the long tests
			}
			p := pass{s.pkg, fast}
			if v.by, err = t.run(ctx, p, binary); err != nil {
				return verdict{}, err
			}
			if v.survived() {
				continue
			}
			v.took = time.Since(began)
			return v, t.soundness(ctx, p)
		}
	}
	v.took = time.Since(began)
	return v, nil
}

// soundness fails if tests that noticed a mutant notice something without one too.
func (t *trial) soundness(ctx context.Context, p pass) error {
	t.mu.Lock()
	if t.binary[p.pkg] == nil {
		t.binary[p.pkg] = sync.OnceValues(func() (string, error) {
			binary := filepath.Join(t.scratch, strings.ReplaceAll(p.pkg, "/", "_")+".sound")
			return binary, t.compile(ctx, p.pkg, binary)
		})
	}
	compiled := t.binary[p.pkg]
	if t.sound[p] == nil {
		t.sound[p] = sync.OnceValue(func() error {
			binary, err := compiled()
			if err != nil {
				return err
			}
			var by string
			for range 2 { // a busy machine may break a test once
				if by, err = t.run(ctx, p, binary); err != nil || by == "" {
					return err
				}
			}
			return fmt.Errorf("%s: %s fails without a mutant too; a count would mean nothing", p.pkg, by)
		})
	}
	sound := t.sound[p]
	t.mu.Unlock()
	return sound()
}

// compile builds the tests of a package.
func (t *trial) compile(ctx context.Context, pkg, binary string, args ...string) error {
	args = append([]string{"test", "-c", "-ldflags=-s -w", "-o", binary}, args...)
	return t.gocmd(ctx, append(args, "./"+pkg)...)
}

// gocmd runs the go command in the root. A failure means errNoBuild.
func (t *trial) gocmd(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = t.tree.root
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &exit):
		return fmt.Errorf("%w:\n%s", errNoBuild, out)
	}
	return err
}

// run runs tests and returns the name of the one that failed, or "".
func (t *trial) run(ctx context.Context, p pass, binary string) (by string, err error) {
	args := []string{"-test.failfast", "-test.timeout=" + t.timeout.String()}
	env := os.Environ()
	if p.fast {
		args = append(args, "-test.short")
		env = slices.DeleteFunc(env, func(s string) bool { return strings.HasPrefix(s, "DBFLEET_TEST_REQUIRE=") })
		env = append(env, "DBFLEET_TEST_DIALECTS=sqlite")
	}
	// The test binary ends itself after its time; one that cannot is ended here.
	own, stop := context.WithTimeout(ctx, t.timeout+30*time.Second)
	defer stop()
	limit := fmt.Sprintf(`ulimit -v %d 2>/dev/null; exec "$@"`, memory)
	cmd := exec.CommandContext(own, "sh", append([]string{"-c", limit, "sh", binary}, args...)...)
	cmd.Dir, cmd.Env = filepath.Join(t.tree.root, p.pkg), env
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case own.Err() != nil:
		return "the timeout", nil
	case errors.As(err, &exit):
		return failedTest(string(out)), nil
	}
	return "", err
}

var failed = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)

// failedTest finds the test that failed in what the tests printed.
func failedTest(out string) string {
	if strings.Contains(out, "panic: test timed out") {
		return "the timeout"
	}
	if found := failed.FindAllStringSubmatch(out, -1); len(found) > 0 {
		return found[len(found)-1][1] // of nested ones the innermost
	}
	first, _, _ := strings.Cut(strings.TrimSpace(out), "\n")
	return "the end of the tests: " + first
}

// writeOverlay tells the go command to see the mutant instead of its file.
func writeOverlay(dir, root string, m mutant) (string, error) {
	changed := filepath.Join(dir, "mutant.go")
	if err := os.WriteFile(changed, m.text(), 0o600); err != nil {
		return "", err
	}
	replace := map[string]map[string]string{"Replace": {filepath.Join(root, filepath.FromSlash(m.file)): changed}}
	text, err := json.Marshal(replace)
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(dir, "overlay.json")
	return overlay, os.WriteFile(overlay, text, 0o600)
}
