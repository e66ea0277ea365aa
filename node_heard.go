package dbfleet

import "sync/atomic"

// heard is what came of the last questions to a node. The monitor's goroutine writes it,
// and anybody looks at it. The zero value is that nothing was heard yet.
type heard struct {
	n atomic.Int32 // questions in vain in a row; heardYes if the last was answered
}

const (
	heardYes int32 = -1
	// isDownAfter is how many questions in a row are in vain of a node that is down.
	isDownAfter = 2
)

func (h *heard) answered() { h.n.Store(heardYes) }

func (h *heard) missed() { h.n.Store(int32(h.inVain() + 1)) }

// gone notes that the node is down: reads there have shown that before questions did.
func (h *heard) gone() { h.n.Store(int32(max(h.inVain(), isDownAfter))) }

// answers says that the last question was answered.
func (h *heard) answers() bool { return h.n.Load() == heardYes }

// inVain is how many questions in a row were not answered.
func (h *heard) inVain() int { return int(max(h.n.Load(), 0)) }

// isDown says that a node does not answer: one question may be lost by itself.
func (h *heard) isDown() bool { return h.inVain() >= isDownAfter }
