package replicaset

import (
	"time"

	"github.com/dbfleet/dbfleet/internal/position"
)

// Ruler measures staleness on this program's own clock. It is used by one goroutine at a
// time.
type Ruler struct{ samples []sample }

type sample struct {
	t time.Time
	p position.Position
}

// Sampled notes that the primary was at p at t or later.
func (r *Ruler) Sampled(t time.Time, p position.Position) {
	if r.samples = append(r.samples, sample{t, p}); len(r.samples) > 128 {
		r.samples = r.samples[1:]
	}
}

// Staleness is how old what a replica shows at now is at most, when it has applied p.
func (r *Ruler) Staleness(p position.Position, now time.Time) (atMost time.Duration, known bool) {
	for i := len(r.samples) - 1; i >= 0; i-- {
		if p.Reached(r.samples[i].p) == position.Yes {
			return now.Sub(r.samples[i].t), true
		}
	}
	return 0, false
}
