package replicaset

import "sync/atomic"

// Budget allows so many extra reads: at most one for twenty others, of which it saves up
// for a few. It is safe for concurrent use. The zero value is ready.
type Budget struct {
	saved atomic.Int64 // twentieths of an extra read
}

const (
	extraCosts = 20
	maxSaved   = 10 * extraCosts
)

// Read counts a read.
func (b *Budget) Read() {
	if b.saved.Load() < maxSaved {
		b.saved.Add(1)
	}
}

// Extra takes an extra read, if there is one.
func (b *Budget) Extra() bool {
	for {
		saved := b.saved.Load()
		if saved < extraCosts {
			return false
		}
		if b.saved.CompareAndSwap(saved, saved-extraCosts) {
			return true
		}
	}
}
