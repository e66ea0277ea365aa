package main

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// toolchain calls Go's compiler and linker as go build does, one package at a
// time, so that what a package costs is told from what its imports cost.
type toolchain struct {
	ctx     context.Context //nolint:containedctx // one run of a command
	module  string          // the folder whose go.mod says the versions of libraries
	compile string
	link    string
	exports map[string]string // import path → compiled package
	entgen  string            // the program, once built
}

// workers is what go build tells the compiler on a machine with four processors
// or more.
const workers = "4"

func newToolchain(ctx context.Context, module string) (*toolchain, error) {
	t := &toolchain{ctx: ctx, module: module, exports: map[string]string{}}
	var err error
	if t.compile, err = t.goCommand("tool", "-n", "compile"); err != nil {
		return nil, err
	}
	t.link, err = t.goCommand("tool", "-n", "link")
	return t, err
}

// goCommand runs the go command in the module and returns what it prints.
func (t *toolchain) goCommand(args ...string) (string, error) {
	cmd := exec.CommandContext(t.ctx, "go", args...)
	cmd.Dir = t.module
	out, err := output(cmd)
	return strings.TrimSpace(out), err
}

func output(cmd *exec.Cmd) (string, error) {
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s", filepath.Base(cmd.Path), err, complaints.String()+out.String())
	}
	return out.String(), nil
}

// prepare compiles what packages import, unless Go's cache has it.
func (t *toolchain) prepare(packages []pkg) error {
	wanted := []string{"runtime"}
	for _, p := range packages {
		for _, i := range p.imports {
			if _, ok := t.exports[i]; !ok && !strings.HasPrefix(i, "generated/") {
				wanted = append(wanted, i)
			}
		}
	}
	slices.Sort(wanted)
	list, err := t.goCommand(slices.Concat([]string{"list", "-export", "-deps", "-f", "{{if .Export}}{{.ImportPath}}={{.Export}}{{end}}"}, slices.Compact(wanted))...)
	if err != nil {
		return err
	}
	for line := range strings.Lines(list) {
		if path, file, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			t.exports[path] = file
		}
	}
	return nil
}

// build compiles packages in their order and returns the CPU time of all, and
// the largest peak of memory. The archives are put into a folder.
func (t *toolchain) build(packages []pkg, dir string) (usage, error) {
	config := filepath.Join(dir, "importcfg")
	compiled := maps.Clone(t.exports)
	var total usage
	for _, p := range packages {
		archive := t.archive(dir, p)
		if err := writeImports(config, compiled); err != nil {
			return usage{}, err
		}
		u, err := t.metered(filepath.Join(dir, "usage.json"), append([]string{
			t.compile, "-o", archive, "-p", p.path, "-lang=go1.26", "-complete", "-c=" + workers, "-nolocalimports", "-pack",
			"-importcfg", config, "-trimpath", filepath.Dir(filepath.Dir(p.files[0])),
		}, p.files...)...)
		if err != nil {
			return usage{}, fmt.Errorf("package %s: %w", p.path, err)
		}
		total.CPU += u.CPU
		total.Memory = max(total.Memory, u.Memory)
		compiled[p.path] = archive
	}
	return total, nil
}

// binary links the compiled package main and returns the size of the program.
func (t *toolchain) binary(packages []pkg, dir string) (int64, error) {
	compiled := maps.Clone(t.exports)
	for _, p := range packages {
		compiled[p.path] = t.archive(dir, p)
	}
	config := filepath.Join(dir, "importcfg.link")
	if err := writeImports(config, compiled); err != nil {
		return 0, err
	}
	program := filepath.Join(dir, "program")
	if _, err := output(exec.CommandContext(t.ctx, t.link, "-importcfg", config, "-buildmode=exe", "-o", program, compiled["main"])); err != nil {
		return 0, err
	}
	info, err := os.Stat(program)
	if err != nil {
		return 0, err
	}
	return info.Size(), os.Remove(program)
}

// functions counts what the compiler emitted for packages.
func (t *toolchain) functions(packages []pkg, dir string) (int, error) {
	n := 0
	for _, p := range packages {
		symbols, err := t.goCommand("tool", "nm", t.archive(dir, p))
		if err != nil {
			return 0, err
		}
		for line := range strings.Lines(symbols) {
			if f := strings.Fields(line); len(f) > 2 && (f[1] == "T" || f[1] == "t") {
				n++
			}
		}
	}
	return n, nil
}

func (t *toolchain) archive(dir string, p pkg) string {
	return filepath.Join(dir, strings.ReplaceAll(p.path, "/", "_")+".a")
}

func writeImports(file string, compiled map[string]string) error {
	var b strings.Builder
	for _, path := range slices.Sorted(maps.Keys(compiled)) {
		fmt.Fprintf(&b, "packagefile %s=%s\n", path, compiled[path])
	}
	return os.WriteFile(file, []byte(b.String()), 0o644)
}

// entCode has ent generate its code for a number of types.
func (t *toolchain) entCode(types int, dir string) error {
	if t.entgen == "" {
		program := filepath.Join(filepath.Dir(dir), "entgen")
		if _, err := t.goCommand("build", "-o", program, "./build/entgen"); err != nil {
			return err
		}
		t.entgen = program
	}
	target := filepath.Join(dir, "generated", "ent")
	if err := os.MkdirAll(target, 0o755); err != nil {
		return err
	}
	cmd := exec.CommandContext(t.ctx, t.entgen, "-types", strconv.Itoa(types), "-dir", target)
	cmd.Dir = dir
	_, err := output(cmd)
	return err
}
