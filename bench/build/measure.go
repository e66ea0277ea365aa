package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/dbfleet/dbfleet/bench/build/cost"
)

// A plan says how much is measured.
type plan struct {
	libraries []library
	types     []int
	runs      int           // of the compiler, at most, for one figure
	patience  time.Duration // CPU time after which no further run begins
}

// measure compiles all programs of a plan.
func (p plan) measure(ctx context.Context, module string, progress io.Writer) (*cost.Report, error) {
	t, err := newToolchain(ctx, module)
	if err != nil {
		return nil, err
	}
	work, err := os.MkdirTemp("", "dbfleet-build-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(work)
	r := cost.NewReport(p.runs)
	for _, layout := range []string{together, apart} {
		for _, l := range p.libraries {
			for _, n := range p.types {
				start := time.Now()
				x, err := p.one(t, l, layout, n, filepath.Join(work, layout+"-"+l.name+"-"+strconv.Itoa(n)))
				if err != nil {
					return nil, fmt.Errorf("%s, %d types %s: %w", l.title, n, layout, err)
				}
				r.Results = append(r.Results, x)
				fmt.Fprintf(progress, "%s, %d types %s: %.2f s of CPU, %.0f MB, %.1f MB linked, %d functions (%v)\n",
					l.title, n, layout, x.CPU, x.Memory/1e6, x.Binary/1e6, x.Functions, time.Since(start).Round(time.Second))
			}
		}
	}
	return r, nil
}

// one measures one program: the least of several runs, since whatever else the
// machine does can only add.
func (p plan) one(t *toolchain, l library, layout string, types int, dir string) (cost.Result, error) {
	x := cost.Result{Library: l.title, Layout: layout, Types: types}
	defer os.RemoveAll(dir)
	packages, err := l.generate(t, layout, types, dir)
	if err != nil {
		return x, err
	}
	if err := t.prepare(packages); err != nil {
		return x, err
	}
	counted := packages
	if layout == apart { // only the package that uses what others declare
		counted = packages[len(packages)-1:]
		if _, err := t.build(packages[:len(packages)-1], dir); err != nil {
			return x, err
		}
		for _, p := range packages[:len(packages)-1] {
			t.exports[p.path] = t.archive(dir, p)
			defer delete(t.exports, p.path)
		}
	}
	var spent time.Duration
	for x.Runs < p.runs && (x.Runs == 0 || spent < p.patience) {
		u, err := t.build(counted, dir)
		if err != nil {
			return x, err
		}
		x.Add(u.CPU, u.Memory)
		spent += u.CPU
	}
	size, err := t.binary(packages, dir)
	if err != nil {
		return x, err
	}
	x.Binary = float64(size)
	x.Functions, err = t.functions(counted, dir)
	return x, err
}
