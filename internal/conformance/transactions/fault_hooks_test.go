package transactions

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// faultOptions are the transactions that meet the faults.
var faultOptions = map[string]dbfleet.TxOptions{
	"plain":             {},
	"retried":           {Retries: 2},
	"resolvable":        {Resolvable: true},
	"retried, resolved": {Retries: 2, Resolvable: true},
}

// atStatement calls do at the n-th statement of the transaction, before it is sent or
// after its answer. count is how many there were.
func atStatement(n int64, after bool, do func(run *faultRun)) (arm func(*faultScript, *faultRun), count *atomic.Int64) {
	count = &atomic.Int64{}
	return func(_ *faultScript, run *faultRun) {
		var hook dbfleet.QueryHook
		if after {
			hook.After = func(context.Context, dbfleet.QueryEvent) {
				if count.Add(1) == n {
					do(run)
				}
			}
		} else {
			hook.Before = func(ctx context.Context, _ dbfleet.QueryEvent) context.Context {
				if count.Add(1) == n {
					do(run)
				}
				return ctx
			}
		}
		run.fl.OnQuery(hook)
	}, count
}

// statements counts those of a transaction that meets no fault.
func (b *faultBench) statements(options dbfleet.TxOptions) int64 {
	b.t.Helper()
	arm, count := atStatement(0, false, nil)
	for range 2 { // the first makes what a transaction that is Resolvable needs
		count.Store(0)
		b.run(faultPoint{name: "no fault", options: options, arm: arm})
	}
	return count.Load()
}

// hookFaults are what a hook can do to who called it.
var hookFaults = map[string]func(run *faultRun){
	"panic":  func(*faultRun) { panic(errFault) },
	"goexit": func(*faultRun) { runtime.Goexit() },
	"cancel": func(run *faultRun) { run.cancel() },
}

func TestFaults_AtEachStatementOfATransactionByItsHooks(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
		b := newFaultBench(t, db, false)
		want := 0
		for name, options := range faultOptions {
			n := b.statements(options)
			want += 2
			for fault, do := range hookFaults {
				for i := int64(1); i <= n; i++ {
					if !chosen(options, fault, int(i-1), int(n)) {
						continue
					}
					for _, after := range []bool{false, true} {
						arm, _ := atStatement(i, after, do)
						b.run(faultPoint{name: fmt.Sprintf("%s: %s at statement %d, after it %v", name, fault, i, after), options: options, arm: arm})
						want++
					}
				}
			}
		}
		b.counted(want, 150)
	})
}
