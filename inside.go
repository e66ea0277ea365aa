package dbfleet

import (
	"runtime"
	"strings"
)

// insideExchange says whether the caller was called from inside of the exchange of
// another statement than its own, as a Scanner or a Valuer is while its statement runs.
// Whatever is sent in a transaction goes through one call of place.inItsTurn. It looks at
// the stack, so it is asked only by who would have to wait.
func insideExchange() bool { return inside("(*place).inItsTurn", 2) }

// insideHidden says whether the caller was called from inside of a savepoint that a
// verb has made around its callbacks.
func insideHidden() bool { return inside("(*Tx).hidden", 1) }

// inside says whether the stack of the goroutine has as many functions of this package
// whose names end so.
func inside(suffix string, times int) bool {
	var pcs [256]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	for {
		frame, more := frames.Next()
		if strings.HasSuffix(frame.Function, suffix) && strings.HasPrefix(frame.Function, "github.com/dbfleet/dbfleet.") {
			if times--; times == 0 {
				return true
			}
		}
		if !more {
			return false
		}
	}
}
