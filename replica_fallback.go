package dbfleet

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"sync"
	"time"

	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/replicaset"
)

// freshEnough says whether the node is within the staleness that the place bears.
func (p *place) freshEnough(n *node, now time.Time) bool {
	if p.maxLag <= 0 {
		return true
	}
	atMost, known := n.staleness(now)
	return known && atMost <= p.maxLag
}

// fallBack decides about a read that no replica which is well may serve: the primary, or
// where that is forbidden because of MaxLag a replica that is not well but fresh, the
// freshest, or an error.
func (p *place) fallBack(ctx context.Context) error {
	reads := &p.e.config.Reads
	if p.maxLag <= 0 {
		return p.toCapped(ctx, "; no replica is fit")
	}
	switch reads.WhenStale {
	case FallbackError:
		if p.nextReplica(replicaset.Ejected) {
			return nil
		}
	case FallbackStale:
		if p.nextReplica(replicaset.Ejected) || p.freshest(reads.staleLimit()) {
			return nil
		}
	default:
		return p.toCapped(ctx, "; no replica is fit and within "+p.maxLag.String())
	}
	return p.noneFresh()
}

// staleLimit is how stale the freshest replica may be where none is within MaxLag.
func (r *ReadsConfig) staleLimit() time.Duration {
	if r.StaleLimit <= 0 {
		return math.MaxInt64
	}
	return r.StaleLimit
}

// toCapped takes the primary for a read that replicas should serve; where none is known,
// whoever might answer.
func (p *place) toCapped(ctx context.Context, more string) error {
	if p.primaryIsDown() && (p.nextReplica(replicaset.Ejected) || p.staleIsBetter()) {
		return nil
	}
	look, end := p.e.lookTime(ctx)
	defer end()
	err := p.toPrimary(look, more)
	if err != nil && p.nextReplica(replicaset.Ejected) {
		return nil
	}
	if err != nil && look.Err() != nil && ctx.Err() == nil { // nobody else is left
		err = p.toPrimary(ctx, more)
	}
	p.capped = err == nil
	return err
}

// lookTime is half of the time of a read, in which the primary is to be found where that is not
// known yet: the other half is for replicas that may answer in its place.
func (e *entry) lookTime(ctx context.Context) (look context.Context, end context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok || e.looked.Load() && e.found.Load() {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, time.Until(deadline)/2)
}

// primaryIsDown says that the primary is known not to answer, and that replicas may serve
// reads in its place.
func (p *place) primaryIsDown() bool {
	return p.e.config.Reads.WhenPrimaryDown && p.e.replicas.Len() > 0 && p.e.primary().heard.isDown()
}

// staleIsBetter takes the freshest replica for a read that would have to ask a primary that
// is down: the connection bears that. A MaxLag of the read's own holds all the same.
func (p *place) staleIsBetter() bool { return p.maybeStaler() && p.freshest(math.MaxInt64) }

// maybeStaler says that the read may be staler than its MaxLag when the primary is down.
func (p *place) maybeStaler() bool {
	reads := &p.e.config.Reads
	return reads.WhenPrimaryDown && p.maxLag > 0 && p.maxLag == reads.MaxLag
}

// toPrimaryOf takes the primary that a read asks for or, where there is none and the
// connection allows that, a replica.
func (p *place) toPrimaryOf(ctx context.Context) error {
	if p.primaryIsDown() && p.nextReplica(replicaset.Ejected) {
		p.route.Reason = "the primary does not answer"
		return nil
	}
	const more = "; the primary was asked for"
	if !p.e.config.Reads.WhenPrimaryDown {
		return p.toPrimary(ctx, more)
	}
	look, end := p.e.lookTime(ctx)
	defer end()
	err := p.toPrimary(look, more)
	late := err != nil && look.Err() != nil && ctx.Err() == nil
	if (late || errors.Is(err, ErrNoPrimary)) && p.nextReplica(replicaset.Ejected) {
		p.route.Reason = "there is no primary"
		return nil
	}
	if late { // nobody else is left
		return p.toPrimary(ctx, more)
	}
	return err
}

// freshest takes the freshest replica.
func (p *place) freshest(limit time.Duration) bool {
	best, least, known := p.freshestOf(limit, p.now)
	if best == nil {
		return false
	}
	p.takeFreshest(best, limit, least, known)
	return true
}

// takeFreshest takes a replica as the freshest, which may be as stale as limit, and tells
// how far behind it is.
func (p *place) takeFreshest(m *replicaset.Member[*node], limit, atMost time.Duration, known bool) {
	p.take(m)
	p.atMost = limit
	if p.route.more = "; the freshest replica, of which nothing is known"; known {
		p.route.more = "; the freshest replica, at most " + forPeople(atMost) + " behind"
	}
}

// freshestOf is the replica whose staleness is the smallest, of those that have not been
// asked, and what that is; nil for none. One of which nothing is known is the last, where
// limit is none.
func (p *place) freshestOf(limit time.Duration, now time.Time) (best *replicaset.Member[*node], least time.Duration, bestKnown bool) {
	least = limit
	for _, m := range p.e.replicas.Members() {
		if m.Node().role() != RoleReplica || p.tried.Has(m) || m.State() == replicaset.StateEjected || m.Has(replicaset.Foreign|replicaset.Unseen) {
			continue
		}
		atMost, known := m.Node().staleness(now)
		switch {
		case known && atMost <= least, !known && limit == math.MaxInt64 && best == nil:
			best, bestKnown = m, known
			if known {
				least = atMost
			}
		}
	}
	return best, least, bestKnown
}

// noneFresh is the error of a read that no replica may serve, nor the primary: ErrStale
// where a replica answers and is not fresh enough, else ErrNoReplica.
func (p *place) noneFresh() error {
	what, why := ErrNoReplica, "none is fit to serve"
	for _, m := range p.e.replicas.Members() {
		if m.Node().role() != RoleReplica || m.State() == replicaset.StateEjected || m.Has(replicaset.Foreign) {
			continue
		}
		atMost, known := m.Node().staleness(p.now)
		if known && atMost <= p.maxLag {
			continue // it was asked
		}
		text := fmt.Sprintf("replica %q is at most %s behind", m.Name(), forPeople(atMost))
		if !known {
			text = fmt.Sprintf("how far replica %q is behind is not known", m.Name())
		}
		if what != ErrStale {
			what, why = ErrStale, text
		} else {
			why += ", " + text
		}
	}
	return errorf("connection %q: %w: within %s: %s", p.e.name, what, p.maxLag, why)
}

// forPeople is a duration for people.
func forPeople(d time.Duration) string {
	if d > time.Second {
		return d.Round(time.Millisecond).String()
	}
	return d.Round(time.Microsecond).String()
}

// turns are how many may do something at a time; nil is no bound. It is safe for
// concurrent use.
type turns chan struct{}

// newTurns is how many reads may be under way on the primary because no replica could
// serve them.
func newTurns(c *ConnectionConfig) turns {
	n := c.Reads.PrimaryReads
	if n == 0 {
		n = (max(c.Pool.MaxOpen, 0) + 1) / 2
	}
	if n <= 0 {
		return nil
	}
	return make(turns, n)
}

// take waits for a turn until ctx ends and at most for the node's wait; 0 is no other bound
// than ctx. It ends with what waits for the node, as when that is found silent: otherwise those
// who have turns would find it out one after the other.
func (t turns) take(ctx context.Context, node *sessions) error {
	select {
	case t <- struct{}{}:
		return nil
	default:
	}
	cut := node.cuts.next()
	var timeout <-chan time.Time
	if node.wait > 0 {
		timer := time.NewTimer(node.wait)
		defer timer.Stop()
		timeout = timer.C
	}
	late := &driver.AcquireTimeoutError{Node: node.name, Wait: node.wait}
	select {
	case t <- struct{}{}:
		return nil
	case <-cut:
		return &driver.NotSentError{Err: &driver.InterruptedError{Err: node.cuts.why()}}
	case <-timeout:
	case <-ctx.Done():
		late.Err = ctx.Err()
	}
	if pool := node.pool.Load(); pool != nil {
		late.Stats = pool.DB().Stats()
	}
	return fmt.Errorf("at most %s reads at a time go to the primary because no replica serves them: %w", strconv.Itoa(cap(t)), late)
}

func (t turns) give() { <-t }

// cuts are the ends of what waits for a node. The zero value has had none. It is safe for
// concurrent use.
type cuts struct {
	mu    sync.Mutex    // protects following fields
	cause error         // of the last
	over  chan struct{} // closed at the next; nil while nobody waits for it
}

// next is closed at the next one.
func (c *cuts) next() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over == nil {
		c.over = make(chan struct{})
	}
	return c.over
}

// end is one.
func (c *cuts) end(cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cause = cause
	if c.over != nil {
		close(c.over)
		c.over = nil
	}
}

// why is the cause of the last one.
func (c *cuts) why() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cause
}

// takeTurn waits until a read that no replica could serve may ask the primary.
func (p *place) takeTurn(ctx context.Context) error {
	if !p.capped || p.e.primaryReads == nil {
		return nil
	}
	err := p.e.primaryReads.take(ctx, p.node)
	p.hasTurn = err == nil
	return err
}

// giveTurn ends the turn of takeTurn, if there is one.
func (p *place) giveTurn() {
	if p.hasTurn {
		p.hasTurn = false
		p.e.primaryReads.give()
	}
}
