package dbtest

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

// Main runs the tests of a package, stops the servers that they shared, and fails
// if a goroutine is left. It prints a line for each database that tests had to do
// without; go test shows it with -v or when the package is run by itself.
//
//	func TestMain(m *testing.M) { dbtest.Main(m) }
//
// It does not return.
func Main(m *testing.M) {
	code := m.Run()
	stopShared()
	for _, dialect := range slices.Sorted(maps.Keys(leftOut)) {
		fmt.Printf("dbtest: left out %s: %v\n", dialect, leftOut[dialect])
	}
	if code == 0 {
		var err error
		if !poll(leakTimeout, func() bool { err = goleak.Find(); return err == nil }) { // it looks for a second alone
			fmt.Fprintf(os.Stderr, "dbtest: goroutines are left after the tests: %v\n", err)
			code = 1
		}
	}
	os.Exit(code)
}

func stopShared() {
	sharedMu.Lock()
	servers := sharedServers
	sharedMu.Unlock()
	var wg sync.WaitGroup
	for _, s := range servers {
		wg.Go(s.abandon)
	}
	wg.Wait()
	if w := usedWorkspace.Load(); w != nil {
		w.remove()
	}
}
