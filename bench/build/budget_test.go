package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/bench/build/cost"
)

// The goals for one further record type with the usual calls are 0.1 s of CPU,
// 6 MB of the compiler's memory and 15 KB of the program, of which the calls of
// hand-written code take 13. These budgets are twice that. Sizes and functions are
// exact, so theirs leave little room; every method that is added to Query or Model
// costs a function for T and one for its wrapper.
const (
	mostCPU       = 0.2  // seconds
	mostMemory    = 12e6 // bytes
	mostBinary    = 30e3 // bytes
	mostFunctions = 280
)

// yardstick is the CPU time in seconds that compiling hand-written database/sql
// for 21 types takes on the machine, at rest, for which the goals were set. A
// slower one gets more time.
const yardstick = 0.27

// TestMain makes the test's program a meter when it is started as one.
func TestMain(m *testing.M) {
	if file := os.Getenv(meterVariable); file != "" {
		if err := meter(file, os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func TestBudget_WhatARecordTypeCostsABuild(t *testing.T) {
	tools, err := newToolchain(t.Context(), "..")
	require.NoError(t, err)
	few, many := newProgram(t, tools, "dbfleet", 1), newProgram(t, tools, "dbfleet", 21)
	byHand := newProgram(t, tools, "database_sql", 21)
	for range 3 { // in turn, so that other work meets all of them
		for _, p := range []*program{few, many, byHand} {
			p.compile(t)
		}
	}
	few.link(t)
	many.link(t)
	one := cost.Between(few.result, many.result)
	slow := max(byHand.result.CPU/yardstick, 1)
	t.Logf("a further type: %.0f ms of CPU (this machine takes %.2f times the yardstick's), %.1f MB, %.1f KB, %.1f functions",
		one.CPU*1e3, byHand.result.CPU/yardstick, one.Memory/1e6, one.Binary/1e3, one.Functions)
	require.LessOrEqual(t, one.Functions, float64(mostFunctions), "functions")
	require.LessOrEqual(t, one.Binary, mostBinary, "bytes of the program")
	require.LessOrEqual(t, one.Memory, mostMemory, "bytes of the compiler's memory")
	require.LessOrEqual(t, one.CPU, mostCPU*slow, "seconds of CPU")
	require.Positive(t, one.CPU)
}

// program is one that was generated for a test.
type program struct {
	tools    *toolchain
	dir      string
	packages []pkg
	result   cost.Result
}

func newProgram(t *testing.T, tools *toolchain, name string, types int) *program {
	t.Helper()
	list, err := chosen(name)
	require.NoError(t, err)
	p := &program{tools: tools, dir: t.TempDir(), result: cost.Result{Library: name, Types: types}}
	p.packages, err = list[0].generate(tools, together, types, p.dir)
	require.NoError(t, err)
	require.NoError(t, tools.prepare(p.packages))
	return p
}

func (p *program) compile(t *testing.T) {
	t.Helper()
	u, err := p.tools.build(p.packages, p.dir)
	require.NoError(t, err)
	p.result.Add(u.CPU, u.Memory)
}

func (p *program) link(t *testing.T) {
	t.Helper()
	size, err := p.tools.binary(p.packages, p.dir)
	require.NoError(t, err)
	p.result.Binary = float64(size)
	p.result.Functions, err = p.tools.functions(p.packages, p.dir)
	require.NoError(t, err)
}

func TestGenerate_WritesProgramsThatCompileForEachLibrary(t *testing.T) {
	t.Parallel()
	tools, err := newToolchain(t.Context(), "..")
	require.NoError(t, err)
	for _, l := range libraries {
		for _, layout := range []string{together, apart} {
			dir := filepath.Join(t.TempDir(), l.name+layout)
			require.NoError(t, os.MkdirAll(dir, 0o755))
			packages, err := l.generate(tools, layout, 2, dir)
			require.NoError(t, err)
			require.Equal(t, "main", packages[len(packages)-1].path)
			require.NoError(t, tools.prepare(packages))
			u, err := tools.build(packages, dir)
			require.NoError(t, err, "%s %s", l.name, layout)
			require.Greater(t, u.CPU, time.Millisecond)
		}
	}
}

func TestChosen_RefusesWhatThereIsNot(t *testing.T) {
	t.Parallel()
	_, err := chosen("beego")
	require.ErrorContains(t, err, "beego")
	_, err = numbers("1,none")
	require.Error(t, err)
	list, err := numbers("50,1,50")
	require.NoError(t, err)
	require.Equal(t, []int{1, 50}, list)
}
