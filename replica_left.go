package dbfleet

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/replicaset"
)

var _ driver.Elsewhere = (*place)(nil)

// elsewhere is the place where the read could be asked elsewhere, nil where it cannot.
func (p *place) elsewhere() driver.Elsewhere {
	if !p.yields {
		return nil
	}
	return p
}

// Left implements driver.Elsewhere: if the node makes no connection in time, failover finds
// another that may answer. One that is known not to answer counts only where that is known
// of this one too: the last node gets all the time that there is.
func (p *place) Left() bool {
	e, out := p.e, p.isOut(p.member)
	worst := p.worstInstead()
	if out {
		worst = replicaset.Ejected
	}
	others := untried{p, time.Now(), p.in.needs}
	if (!p.primary || e.config.Reads.WhenPrimaryDown) && others.any(worst) {
		return true
	}
	if p.primary || p.askedPrimary {
		return out && p.member == nil && others.anyStale()
	}
	if p.maxLag > 0 {
		switch e.config.Reads.WhenStale {
		case FallbackError:
			return false
		case FallbackStale:
			return others.anyWithin(e.config.Reads.staleLimit())
		}
	}
	if p.primaryIsDown() && p.maybeStaler() && others.anyWithin(math.MaxInt64) {
		return true
	}
	return e.claim.Load() == nil && (out || !e.primary().heard.isDown() && (e.found.Load() || !e.looked.Load()))
}

// worstInstead is how bad a replica may be that is asked in place of a node that is late.
func (p *place) worstInstead() replicaset.Resort {
	if p.member == nil && p.e.notCompared() {
		return replicaset.Ejected
	}
	return replicaset.Suspected
}

// Room implements driver.Elsewhere: a read waits for a replica's connections, which others
// may hold for long (or its own caller, while rows are open), and another replica that is
// well has one free. It does not go to the primary for that.
func (p *place) Room() bool {
	if p.member == nil {
		return false
	}
	_, resort, ok := p.e.replicas.Peek(&roomy{untried{p, time.Now(), p.in.needs}}, &p.tried)
	return ok && resort <= replicaset.Returning
}

// roomy wants untried replicas that have a connection free.
type roomy struct{ untried }

// Fits implements replicaset.Wants.
func (r *roomy) Fits(m *replicaset.Member[*node]) bool {
	if !r.untried.Fits(m) {
		return false
	}
	pool := m.Node().reads.pool.Load()
	return pool == nil || pool.HasRoom()
}

// isOut says that a replica, or the primary for nil, is known not to answer.
func (p *place) isOut(m *replicaset.Member[*node]) bool {
	if m != nil {
		return m.State() == replicaset.StateEjected
	}
	return p.e.primary().heard.isDown()
}

// untried wants the replicas that a place has not asked, as of now. It changes nothing of
// the place.
type untried struct {
	p     *place
	now   time.Time
	needs *mark // of the session, nil for nothing
}

// Fits implements replicaset.Wants.
func (u *untried) Fits(m *replicaset.Member[*node]) bool {
	n := m.Node()
	return n.role() == RoleReplica && u.p.freshEnough(n, u.now) && u.p.hasNeeded(n, u.needs)
}

// any says that there is one in no worse a state than worst.
func (u *untried) any(worst replicaset.Resort) bool {
	_, resort, ok := u.p.e.replicas.Peek(u, &u.p.tried)
	return ok && resort <= worst
}

// anyWithin says that there is one that answers and is no staler than limit.
func (u *untried) anyWithin(limit time.Duration) bool {
	best, _, _ := u.p.freshestOf(limit, u.now)
	return best != nil
}

// anyStale says that there is one that may serve a read staler than it asked for, because
// the primary is down.
func (u *untried) anyStale() bool {
	if u.p.maybeStaler() && u.anyWithin(math.MaxInt64) {
		return true
	}
	if u.needs == nil || !u.p.e.config.Reads.WhenPrimaryDown {
		return false
	}
	u.needs = nil
	return u.any(replicaset.Ejected)
}

// givesUp remembers a node that was given up at half of the time, or because another has a
// connection free, if err says that.
func (p *place) givesUp(err error) {
	if errors.Is(err, driver.ErrHalfTime) || errors.Is(err, driver.ErrRoom) {
		p.yielded, p.late = true, p.member
	}
}

// goesBack takes the node that was given up last, once, when no other has answered: it was
// late, which says nothing of it. It is false if there is none, or if that is known by now
// not to answer.
func (p *place) goesBack(ctx context.Context) bool {
	if !p.yielded || p.isOut(p.late) {
		return false
	}
	p.yielded = false
	const why = "; it was late, and no other has answered"
	if p.late != nil {
		p.take(p.late)
		p.route.more = why
		return true
	}
	if p.toPrimary(ctx, why) != nil {
		return false
	}
	p.capped = !p.primary
	return true
}
