package dbfleet

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// OpenTransaction is a transaction that has not ended yet.
type OpenTransaction struct {
	// Connection is the connection's name.
	Connection string `json:"-"`
	// Start is when it had begun.
	Start time.Time `json:"start"`
	// Age is how long ago that is.
	Age time.Duration `json:"age_ns"`
	// Caller is the place in the program, "file:line", that has called Transaction, or
	// the method of a model that needs a transaction.
	Caller string `json:"caller"`
}

// OnLongTransaction calls h once for each transaction, of every connection, that stays
// open for longer than ConnectionConfig.LongTransaction: a leak, or one that keeps locks
// while it waits for something else. The transaction goes on. The result removes h again;
// both may be called at any time. It panics if h is nil.
//
// h runs on a goroutine of its own, also when the transaction ends meanwhile. Close, Shutdown,
// Remove and Replace wait for it as for running work, 30 seconds or until their context ends,
// and name it in their error then. A panic of it ends the program. Its context has the values of
// the one that the transaction was begun with, ends with it and carries no transaction of
// this connection; statements that are run with it call no hooks.
func (r *Registry) OnLongTransaction(h func(ctx context.Context, t OpenTransaction)) (remove func()) {
	return r.hooked("OnLongTransaction").long.add("OnLongTransaction", h)
}

// OnLongTransaction is that of the registry for this connection only. It is called after
// the registry's, stays when the connection is replaced, and goes with it when it is
// removed. It panics if the registry does not know the connection.
func (db *DB) OnLongTransaction(h func(ctx context.Context, t OpenTransaction)) (remove func()) {
	return db.hooks("OnLongTransaction").long.add("OnLongTransaction", h)
}

// ages are the open transactions of an entry, if it looks at their age.
type ages struct {
	limit   time.Duration // 0 does not look; does not change
	telling atomic.Int32  // how many of them hooks are being told

	mu   sync.Mutex
	open map[*age]bool // protected by mu
}

// age is that of one transaction. A nil age is one at which nobody looks.
type age struct {
	e       *entry
	start   time.Time
	callers [16]uintptr
	depth   int
	timer   *time.Timer
}

// begun looks at the age of a transaction from now on, until end.
func (e *entry) begun(ctx context.Context) *age {
	if e.ages.limit <= 0 {
		return nil
	}
	a := &age{e: e, start: time.Now()}
	a.depth = runtime.Callers(2, a.callers[:])
	e.ages.mu.Lock()
	defer e.ages.mu.Unlock()
	if e.ages.open == nil {
		e.ages.open = map[*age]bool{}
	}
	e.ages.open[a] = true
	a.timer = time.AfterFunc(e.ages.limit, func() { a.passed(ctx) })
	return a
}

// end may be called more than once.
func (a *age) end() {
	if a == nil {
		return
	}
	a.timer.Stop()
	a.e.ages.mu.Lock()
	defer a.e.ages.mu.Unlock()
	delete(a.e.ages.open, a)
}

// passed tells the hooks, unless the transaction has ended.
func (a *age) passed(ctx context.Context) {
	a.e.ages.mu.Lock()
	open := a.e.ages.open[a]
	if open {
		a.e.running.Add(1) // it counts already, as long as the transaction is open
	}
	a.e.ages.mu.Unlock()
	if !open {
		return
	}
	defer a.e.leave()
	a.e.ages.telling.Add(1)
	defer a.e.ages.telling.Add(-1)
	ctx = &hookContext{ctx, ctx.Value(txKey{})}
	t := a.told()
	a.e.reg.hooks.long.call(ctx, t)
	a.e.hooks.long.call(ctx, t)
}

func (a *age) told() OpenTransaction {
	return OpenTransaction{Connection: a.e.name, Start: a.start, Age: time.Since(a.start), Caller: a.caller()}
}

// caller is the first place outside of this package.
func (a *age) caller() string {
	frames := runtime.CallersFrames(a.callers[:a.depth])
	for {
		f, more := frames.Next()
		if f.PC != 0 && !strings.HasPrefix(f.Function, "github.com/dbfleet/dbfleet.") {
			return fmt.Sprintf("%s:%d", f.File, f.Line)
		}
		if !more {
			return ""
		}
	}
}

// oldest is the transaction that has been open for longest, nil for none.
func (l *ages) oldest() *OpenTransaction {
	l.mu.Lock()
	defer l.mu.Unlock()
	var first *age
	for a := range l.open {
		if first == nil || a.start.Before(first.start) {
			first = a
		}
	}
	if first == nil {
		return nil
	}
	t := first.told()
	return &t
}
