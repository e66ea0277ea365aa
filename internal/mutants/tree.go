package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// A tree is this module as the go command sees it on this machine.
type tree struct {
	root       string   // its folder
	module     string   // its path
	production []listed // the root package and what it imports of the module
	suites     []suite
	light      bool // see lightened
}

// A suite is the tests of one package.
type suite struct {
	pkg       string // folder relative to the root
	deps      []string
	testBytes int64 // the size of its tests, a measure of their cost
	databases bool  // whether it asks internal/dbtest for databases
}

// listed is what go list tells of a package.
type listed struct {
	Dir          string
	ImportPath   string
	Module       *struct{ Path, Dir string }
	GoFiles      []string
	TestGoFiles  []string
	XTestGoFiles []string
	Deps         []string
}

// loadTree asks the go command about the module whose root is a folder.
func loadTree(ctx context.Context, root string) (*tree, error) {
	all, err := list(ctx, root, "./...")
	if err != nil {
		return nil, err
	}
	t := tree{root: root}
	for _, p := range all {
		if p.Module != nil && p.Module.Dir == root {
			t.module = p.Module.Path
		}
	}
	if t.module == "" {
		return nil, fmt.Errorf("%s is not the root of a module", root)
	}
	at := slices.IndexFunc(all, func(p listed) bool { return p.ImportPath == t.module })
	if at < 0 {
		return nil, errors.New("the module has no package in its root")
	}
	for _, p := range all {
		if p.ImportPath == t.module || slices.Contains(all[at].Deps, p.ImportPath) {
			t.production = append(t.production, p)
		}
	}
	tests, err := list(ctx, root, "-test", "./...")
	if err != nil {
		return nil, err
	}
	for _, p := range tests {
		tested, isTest := strings.CutSuffix(p.ImportPath, ".test")
		at := slices.IndexFunc(all, func(p listed) bool { return p.ImportPath == tested })
		if !isTest || at < 0 {
			continue
		}
		s, err := t.suite(all[at], p.Deps)
		if err != nil {
			return nil, err
		}
		t.suites = append(t.suites, s)
	}
	return &t, nil
}

// suite describes the tests of a package by the packages that they are built of.
func (t *tree) suite(p listed, deps []string) (suite, error) {
	s := suite{pkg: t.folder(p.ImportPath)}
	for _, dep := range deps {
		dep, _, _ = strings.Cut(dep, " ") // "a [b.test]" is a as the tests of b see it
		if dep == t.module || strings.HasPrefix(dep, t.module+"/") {
			s.deps = append(s.deps, t.folder(dep))
		}
	}
	s.databases = slices.Contains(s.deps, "internal/dbtest")
	for _, name := range slices.Concat(p.TestGoFiles, p.XTestGoFiles) {
		info, err := os.Stat(filepath.Join(p.Dir, name))
		if err != nil {
			return s, err
		}
		s.testBytes += info.Size()
	}
	return s, nil
}

// lightened is the tree without the suites that take long, which are those that need a
// database or build the root, and without the packages that have no other tests.
func (t *tree) lightened() *tree {
	l := &tree{root: t.root, module: t.module, light: true}
	l.suites = slices.DeleteFunc(slices.Clone(t.suites), func(s suite) bool { return s.databases || slices.Contains(s.deps, ".") })
	for _, p := range t.production {
		if slices.ContainsFunc(l.suites, func(s suite) bool { return s.pkg == t.folder(p.ImportPath) }) {
			l.production = append(l.production, p)
		}
	}
	return l
}

// folder is where a package of the module is, relative to the root.
func (t *tree) folder(importPath string) string {
	return cmp.Or(strings.TrimPrefix(strings.TrimPrefix(importPath, t.module), "/"), ".")
}

// candidates returns all mutants of the production code in some folders, or in all.
func (t *tree) candidates(folders []string) ([]mutant, error) {
	var all []mutant
	unknown := slices.Clone(folders)
	for _, p := range t.production {
		pkg := t.folder(p.ImportPath)
		if len(folders) > 0 && !slices.Contains(folders, pkg) {
			continue
		}
		unknown = slices.DeleteFunc(unknown, func(f string) bool { return f == pkg })
		for _, name := range p.GoFiles {
			source, err := os.ReadFile(filepath.Join(p.Dir, name))
			if err != nil {
				return nil, err
			}
			found, err := mutants(pkg, filepath.ToSlash(filepath.Join(pkg, name)), source)
			if err != nil {
				return nil, err
			}
			all = append(all, found...)
		}
	}
	if len(unknown) > 0 {
		return nil, fmt.Errorf("no production code in %s", strings.Join(unknown, ", "))
	}
	return all, nil
}

// watching returns the suites that can notice a change of a package: its own
// tests first, the others from the cheapest to the dearest.
func (t *tree) watching(pkg string) []suite {
	suites := slices.DeleteFunc(slices.Clone(t.suites), func(s suite) bool { return !slices.Contains(s.deps, pkg) })
	slices.SortStableFunc(suites, func(a, b suite) int {
		if own := a.pkg == pkg; own != (b.pkg == pkg) {
			if own {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.testBytes, b.testBytes)
	})
	return suites
}

func list(ctx context.Context, dir string, args ...string) ([]listed, error) {
	args = append([]string{"list", "-json=Dir,ImportPath,Module,GoFiles,TestGoFiles,XTestGoFiles,Deps"}, args...)
	var stderr strings.Builder
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir, cmd.Stderr = dir, &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w\n%s", err, stderr.String())
	}
	var all []listed
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		switch err := d.Decode(&p); {
		case err == io.EOF:
			return all, nil
		case err != nil:
			return nil, err
		}
		all = append(all, p)
	}
}
