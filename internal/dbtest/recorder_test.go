package dbtest

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// A recorder is a testing.TB whose failures are looked at instead of failing.
type recorder struct {
	testing.TB
	errors, skips []string
	cleanups      []func()
}

// record runs f as a test would be run, and its cleanups.
func record(t *testing.T, f func(t testing.TB)) *recorder {
	r := &recorder{TB: t}
	r.run(func() { f(r) })
	for i := len(r.cleanups) - 1; i >= 0; i-- {
		r.run(r.cleanups[i])
	}
	return r
}

func (r *recorder) run(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	<-done
}

func (r *recorder) Helper()                   {}
func (r *recorder) Failed() bool              { return len(r.errors) > 0 }
func (r *recorder) Cleanup(f func())          { r.cleanups = append(r.cleanups, f) }
func (r *recorder) Errorf(f string, a ...any) { r.errors = append(r.errors, fmt.Sprintf(f, a...)) }
func (r *recorder) Fatalf(f string, a ...any) { r.Errorf(f, a...); runtime.Goexit() }
func (r *recorder) Skipf(f string, a ...any) {
	r.skips = append(r.skips, fmt.Sprintf(f, a...))
	runtime.Goexit()
}
func (r *recorder) String() string { return strings.Join(r.errors, "\n") }
