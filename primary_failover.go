package dbfleet

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/dbfleet/dbfleet/internal/driver"
)

// refind decides whether a statement that err ended at the primary is sent once more, to
// the one that is the primary now. It must be certain that nothing was done: the server
// refused to write, no connection to it could be made, or it fell silent before anything
// was sent; or the statement is a plain read. It has not begun a transaction, or is its
// BEGIN.
func (p *place) refind(ctx context.Context, s *statement, err error) bool {
	if p.refound || p.on != nil || p.guarded || p.member != nil || ctx.Err() != nil {
		return false
	}
	if errors.Is(err, driver.ErrHalfTime) { // whose other half is for who is left, and not for a lookup
		return p.followed()
	}
	if mayRepeat := !s.write || driver.Classify(err).NotSent; mayRepeat && isInterrupted(err) {
		return p.followed()
	}
	refused := s.write && driver.Classify(err).Class == driver.ReadOnly
	if !refused && !(isConnectError(err) && notServed(err)) {
		return false
	}
	p.refound = true
	was := p.node.node
	if !p.e.refused(ctx, was, refused) {
		return false
	}
	p.leavesFor(was)
	return true
}

// followed takes the node that has become the primary since the place's was chosen, which
// is silent. It is false if none has.
func (p *place) followed() bool {
	was := p.node.node
	if p.e.primary() == was || p.e.claim.Load() != nil {
		return false
	}
	p.refound = true
	p.leavesFor(was)
	return true
}

// leavesFor has the primary chosen anew, because of the one before.
func (p *place) leavesFor(was *node) {
	p.node = nil
	p.route.Reason = "failover from " + strconv.Quote(was.name)
}

// refused looks who is the primary after n has refused to write, or could not be reached.
// It is true if the statement may be sent again: another node is, or n is another server
// by now.
func (e *entry) refused(ctx context.Context, n *node, readOnly bool) bool {
	if e.monitor.needed() {
		if readOnly {
			n.demotions.drop(n)
		}
		found, err := e.monitor.lookup(ctx)
		switch {
		case ctx.Err() != nil, errors.Is(err, ErrClosed), e.claim.Load() != nil:
			return false
		case e.primary() != n: // also where the search has had its time
			return true
		}
		return err == nil && readOnly && slices.Contains(found.writes, n)
	}
	return readOnly && n.demotions.again(ctx, n)
}

// demotions remembers, for a while, what was found out when a node last refused to write:
// a node that does so for good is not asked each time.
type demotions struct {
	mu      sync.Mutex // protects following fields
	asked   time.Time
	asking  chan struct{} // closed when who asks has the answer; nil while nobody does
	dropped time.Time
	writes  bool
}

// demotionRest is how long the answer holds.
const demotionRest = time.Second

// drop keeps idle connections of a node that has refused to write from being used again,
// at most once in a while: a name may lead to another server by now.
func (d *demotions) drop(n *node) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if now := time.Now(); now.Sub(d.dropped) >= demotionRest {
		d.dropped = now
		if p := n.writes.pool.Load(); p != nil {
			p.DropIdle()
		}
	}
}

// again drops the node's idle connections and asks on a new one whether it takes writes.
// Those who call it at the same time share the answer.
func (d *demotions) again(ctx context.Context, n *node) bool {
	d.drop(n)
	d.mu.Lock()
	for d.asking != nil {
		asking := d.asking
		d.mu.Unlock()
		select {
		case <-asking:
		case <-ctx.Done():
			return false
		}
		d.mu.Lock()
	}
	if time.Since(d.asked) < demotionRest {
		defer d.mu.Unlock()
		return d.writes
	}
	d.asking = make(chan struct{})
	d.mu.Unlock()

	writes, outer := false, ctx
	defer func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if writes || outer.Err() == nil { // else who waits asks himself: the answer was this caller's end
			d.asked, d.writes = time.Now(), writes
		}
		close(d.asking)
		d.asking = nil
	}()
	p, err := n.writes.open()
	if err != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, lookupWait)
	defer cancel()
	state, err := p.Check(ctx, true)
	writes = err == nil && !state.ReadOnly
	return writes
}
