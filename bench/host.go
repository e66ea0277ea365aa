package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"testing"
)

// host is the part of a testing.TB that package dbtest asks for, so that a
// program can start its servers. What it does not have panics.
type host struct {
	testing.TB // nil: only for the interface's unexported method

	ctx context.Context

	mu       sync.Mutex // protects following fields
	cleanups []func()
	problems []string
	skipped  string
}

// hosted runs f and then its cleanups. It returns why f skipped, and an error
// if f failed or the cleanups did.
func hosted(ctx context.Context, f func(t testing.TB)) (skipped string, err error) {
	h := &host{ctx: ctx}
	h.call(func() { f(h) })
	for {
		h.mu.Lock()
		n := len(h.cleanups)
		if n == 0 {
			h.mu.Unlock()
			break
		}
		last := h.cleanups[n-1]
		h.cleanups = slices.Delete(h.cleanups, n-1, n)
		h.mu.Unlock()
		h.call(last)
	}
	if len(h.problems) > 0 {
		err = fmt.Errorf("%s", h.problems[0])
		for _, more := range h.problems[1:] {
			fmt.Fprintln(os.Stderr, more)
		}
	}
	return h.skipped, err
}

// call runs f on a goroutine of its own, which FailNow and SkipNow end.
func (h *host) call(f func()) {
	var wg sync.WaitGroup
	wg.Go(f)
	wg.Wait()
}

func (h *host) Name() string             { return "bench" }
func (h *host) Helper()                  {}
func (h *host) Context() context.Context { return h.ctx }

func (h *host) Cleanup(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.cleanups = append(h.cleanups, f)
}

func (h *host) TempDir() string {
	dir, err := os.MkdirTemp("", "dbfleet-bench-")
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func (h *host) problem(text string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.problems = append(h.problems, text)
}

func (h *host) Failed() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.problems) > 0
}

func (h *host) FailNow()                     { runtime.Goexit() }
func (h *host) Error(args ...any)            { h.problem(fmt.Sprint(args...)) }
func (h *host) Errorf(f string, args ...any) { h.problem(fmt.Sprintf(f, args...)) }
func (h *host) Fatal(args ...any)            { h.Error(args...); h.FailNow() }
func (h *host) Fatalf(f string, args ...any) { h.Errorf(f, args...); h.FailNow() }
func (h *host) Log(args ...any)              { fmt.Fprintln(os.Stderr, args...) }
func (h *host) Logf(f string, args ...any)   { fmt.Fprintf(os.Stderr, f+"\n", args...) }
func (h *host) SkipNow()                     { runtime.Goexit() }
func (h *host) Skip(args ...any)             { h.skipped = fmt.Sprint(args...); h.SkipNow() }
func (h *host) Skipf(f string, args ...any)  { h.skipped = fmt.Sprintf(f, args...); h.SkipNow() }
