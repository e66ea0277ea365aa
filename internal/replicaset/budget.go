package replicaset

import "sync/atomic"

// Budget bounds what is done beside the reads that were asked for: one extra read for
// every twenty, at most ten of them at once after a while without. Its zero value has none
// saved. It is safe for concurrent use.
type Budget struct{ saved atomic.Int64 }

const (
	readsPerExtra = 20
	mostExtra     = 10
)

// Read counts a read.
func (b *Budget) Read() {
	if b.saved.Load() < mostExtra*readsPerExtra {
		b.saved.Add(1)
	}
}

// Extra says whether an extra read may be sent, and counts it.
func (b *Budget) Extra() bool {
	for {
		saved := b.saved.Load()
		if saved < readsPerExtra {
			return false
		}
		if b.saved.CompareAndSwap(saved, saved-readsPerExtra) {
			return true
		}
	}
}
