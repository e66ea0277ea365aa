package dbfleet

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/replicaset"
)

// waited is what waiting for a replica has come to. It is safe for concurrent use.
type waited struct {
	vain  atomic.Int32 // how often in a row it was in vain
	until atomic.Int64 // it is not waited for before that, in nanoseconds of the clock
}

// A replica that was waited for in vain is not waited for again for so long, in waits: it
// may have stood still for a moment, or be far behind.
const (
	leastRest = 2
	mostRest  = 20
)

// inVainFrom notes that the replica was waited for in vain, from began on. Those who have waited
// together count once.
func (w *waited) inVainFrom(began time.Time, wait time.Duration) {
	until := w.until.Load()
	if began.UnixNano() < until {
		return
	}
	rest := min(leastRest<<min(w.vain.Load(), 10), mostRest)
	if w.until.CompareAndSwap(until, time.Now().Add(time.Duration(rest)*wait).UnixNano()) {
		w.vain.Add(1)
	}
}

// wasWorthIt notes that what was waited for has come.
func (w *waited) wasWorthIt() {
	if w.vain.Load() != 0 {
		w.vain.Store(0)
	}
}

// waits waits for a replica to get what the session needs, and says whether one has.
func (p *place) waits(ctx context.Context) bool {
	m, wait := p.in.needs, p.in.session.wait()
	if p.primary || wait == 0 || p.e.hasLeft(m) {
		return false
	}
	began := time.Now()
	n := p.waitsFor(began)
	switch {
	case n == nil:
		return false
	case n.got(ctx, m, wait), n.sight.Load().has(m): // others may have seen it
		n.waited.wasWorthIt()
		return true
	case ctx.Err() == nil:
		n.waited.inVainFrom(began, wait)
	}
	return false
}

// waitsFor is the replica to wait for, nil for none: of those that are well the next in
// turn, so that none of them gets all that sessions read after their writes.
func (p *place) waitsFor(now time.Time) *node {
	m, resort, ok := p.e.replicas.Peek(&waiting{p, now.UnixNano()}, nil)
	if !ok || resort > replicaset.Returning {
		return nil
	}
	return m.Node()
}

// waiting wants replicas that may get in time what the session of a place needs.
type waiting struct {
	p   *place
	now int64
}

// Fits implements replicaset.Wants.
func (w *waiting) Fits(m *replicaset.Member[*node]) bool {
	p, n := w.p, m.Node()
	if n.role() != RoleReplica || w.now < n.waited.until.Load() || p.tried.Has(m) || !p.freshEnough(n, p.now) {
		return false
	}
	s, at := n.sight.Load(), p.in.needs.at
	if s == nil || at.Timeline() == 0 {
		return true
	}
	line := s.position.Line()
	return line == "" || line == at.Line() // else it is on another timeline, where this is never reached
}

// got waits for the node to have what m tells of, and says whether it has.
func (n *node) got(outer context.Context, m *mark, wait time.Duration) bool {
	ctx, cancel := context.WithTimeout(outer, wait)
	defer cancel()
	has := false
	_ = n.reads.with(ctx, nil, func(c *driver.Conn) error {
		if s, err := n.look(ctx, c); err != nil || s.has(m) {
			has = err == nil
			return err
		}
		if _, err := c.WaitFor(ctx, m.at, wait); err != nil {
			return err
		}
		// What was waited for is compared without its line of history by some servers.
		ctx, cancel := context.WithTimeout(outer, positionWait)
		defer cancel()
		s, err := n.look(ctx, c)
		has = err == nil && s.has(m)
		return err
	})
	return has
}
