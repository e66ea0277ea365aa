package replicaset

import (
	"slices"
	"time"

	"github.com/dbfleet/dbfleet/internal/position"
)

// Ruler measures how far a replica is behind on this program's own clock, whatever those of
// the servers say: it keeps where the primary was at which time, and looks up the last of
// these places that the replica has reached. Its zero value knows nothing. It is used by one
// goroutine at a time.
type Ruler struct{ samples []sample } // the oldest first

// sample says that the primary was at p at t or later.
type sample struct {
	t time.Time
	p position.Position
}

// The samples reach back for an hour. Where there are too many, the older ones are thinned:
// the answer is coarser the longer ago it is, by about a tenth, and never too small.
const (
	maxSamples = 128
	maxAge     = time.Hour
)

// Sampled notes that the primary was asked at t and then was at p: t is taken before the
// question is sent. A zero p is not known, and says nothing, as does one that was asked
// before the last sample.
func (r *Ruler) Sampled(t time.Time, p position.Position) {
	if p.IsZero() {
		return
	}
	if n := len(r.samples); n > 0 {
		last := &r.samples[n-1]
		if !t.After(last.t) {
			return
		}
		if p.Equal(last.p) {
			last.t = t // nothing was written in between
			return
		}
	}
	r.samples = append(r.samples, sample{t, p})
	old := 0
	for t.Sub(r.samples[old].t) > maxAge {
		old++
	}
	r.samples = slices.Delete(r.samples, 0, old)
	if len(r.samples) > maxSamples {
		r.thin(t)
	}
}

// thin drops the sample whose loss is least for its age.
func (r *Ruler) thin(now time.Time) {
	at, least := 1, 0.0
	for i := 1; i < len(r.samples)-1; i++ {
		gap := r.samples[i+1].t.Sub(r.samples[i-1].t)
		loss := float64(gap) / float64(now.Sub(r.samples[i].t))
		if i == 1 || loss < least {
			at, least = i, loss
		}
	}
	r.samples = slices.Delete(r.samples, at, at+1)
}

// Forget drops all samples: they were of another history.
func (r *Ruler) Forget() { r.samples = nil }

// Staleness is how old what a server shows at now is at most, when it has applied p. It is
// not known where no sample says so, as when p is none, when the server is more than an
// hour behind, or on another line of history. What is not known is not fresh.
func (r *Ruler) Staleness(p position.Position, now time.Time) (atMost time.Duration, known bool) {
	t, known := r.Reached(p)
	if !known {
		return 0, false
	}
	return max(0, now.Sub(t)), true
}

// Reached is the last time of which p is known to have all that the primary had. It may
// lack what was written right after.
func (r *Ruler) Reached(p position.Position) (t time.Time, known bool) {
	if p.IsZero() {
		return time.Time{}, false
	}
	for _, s := range slices.Backward(r.samples) {
		if p.Reached(s.p) == position.Yes {
			return s.t, true
		}
	}
	return time.Time{}, false
}
