package dbfleet

import (
	"runtime"
	"slices"
	"strings"
)

// insideExchange says whether the caller was called from inside of the exchange of
// another statement than its own, as a Scanner or a Valuer is while its statement runs.
// Whatever is sent in a transaction goes through one of these functions, once. It looks at
// the stack, so it is asked only by who would have to wait.
func insideExchange() bool {
	return inside(2, "(*place).sendOnce", "(*place).ask", "(*loading).begin")
}

// insideHidden says whether the caller was called from inside of a savepoint that a
// verb has made around its callbacks.
func insideHidden() bool { return inside(1, "(*Tx).hidden") }

const root = "github.com/dbfleet/dbfleet."

// inside says whether the stack of the goroutine has as many of these functions of this
// package.
func inside(times int, names ...string) bool {
	var pcs [256]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	for {
		frame, more := frames.Next()
		if name, ours := strings.CutPrefix(frame.Function, root); ours && slices.Contains(names, name) {
			if times--; times == 0 {
				return true
			}
		}
		if !more {
			return false
		}
	}
}
