package replicaset

import (
	"time"

	"github.com/dbfleet/dbfleet/internal/position"
)

// Ruler measures how stale a replica is, on this program's own clock alone: a replica that
// has reached what the primary was at some time shows all that was committed before. It
// is used by one goroutine at a time. The zero value is ready.
type Ruler struct {
	samples []sample // by time
}

type sample struct {
	t time.Time
	p position.Position
}

// maxSamples bounds a Ruler. When it is full, every second of its older half goes, so that
// what is long ago is measured more coarsely, and on the safe side.
const maxSamples = 256

// Sampled notes that the primary was at p when it was asked, which was not before t.
func (r *Ruler) Sampled(t time.Time, p position.Position) {
	if p.IsZero() {
		return
	}
	if n := len(r.samples); n > 0 && r.samples[n-1].p.Equal(p) {
		r.samples[n-1].t = t // it has not moved
		return
	}
	if len(r.samples) == maxSamples {
		kept := r.samples[:0]
		for i, s := range r.samples {
			if i >= maxSamples/2 || i%2 == 0 {
				kept = append(kept, s)
			}
		}
		r.samples = kept
	}
	r.samples = append(r.samples, sample{t, p})
}

// Forget drops all samples: another server is the primary.
func (r *Ruler) Forget() { r.samples = nil }

// Staleness is how old what a replica shows at now is at most, where p is what it has
// applied. It is not known of one that has not reached any of the samples.
func (r *Ruler) Staleness(p position.Position, now time.Time) (atMost time.Duration, known bool) {
	t, known := r.Reached(p)
	if !known {
		return 0, false
	}
	return max(0, now.Sub(t)), true
}

// Reached is the last time at which the primary was sampled where p has reached it.
func (r *Ruler) Reached(p position.Position) (t time.Time, known bool) {
	for i := len(r.samples) - 1; i >= 0; i-- {
		if p.Reached(r.samples[i].p) == position.Yes {
			return r.samples[i].t, true
		}
	}
	return time.Time{}, false
}
