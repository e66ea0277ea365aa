package dbfleet

import (
	"context"
	"fmt"
	"time"

	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/position"
	"github.com/dbfleet/dbfleet/internal/replicaset"
)

// sessionPlace is what a place has of the session that its operation belongs to. The zero value
// is of none.
type sessionPlace struct {
	session *Session
	needs   *mark           // what its node must have, nil for nothing
	server  string          // that served a read of a session whose reads are monotonic
	learns  context.Context // of the statement after which the primary is asked where it is; nil for none
	asks    *whereabouts    // the question that the statement takes along, nil for none
	missed  bool            // it could not be
	checked int             // how often the primary was found not to have what is needed
}

// inSession decides the node of a read by what its session needs.
func (p *place) inSession(ctx context.Context) error {
	in := &p.in
	in.needs = in.session.mark(p.e)
	switch m := in.needs; {
	case m == nil && in.session.readsFirst():
		if p.staleInSession() {
			return nil
		}
		return p.toPrimary(ctx, "; the first read of the session")
	case m == nil && p.e.replicas.Len() == 0:
		return p.toPrimary(ctx, "")
	case m == nil:
		return p.toReplica(ctx)
	case m.pinned:
		if p.primary = true; p.staleInSession() {
			return nil
		}
		return p.toPrimary(ctx, "; the session has written what no replica is known to have")
	case p.e.replicas.Len() > 0 && p.nextReplica(replicaset.Suspected):
		return nil
	}
	return p.insteadOfReplicas(ctx)
}

// insteadOfReplicas takes the primary for a read of a session that no replica can serve.
func (p *place) insteadOfReplicas(ctx context.Context) error {
	if p.staleInSession() {
		return nil
	}
	err := p.toPrimary(ctx, "; no replica is known to have what the session needs")
	p.capped = p.e.replicas.Len() > 0
	return err
}

// readsFirst says that what the session reads first is read from the primary.
func (s *Session) readsFirst() bool {
	if s.options.FirstReadFromPrimary {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.first
}

// hasNeeded says whether the node is known to have what a session needs.
func (p *place) hasNeeded(n *node, m *mark) bool {
	if m == nil {
		return true
	}
	if m.behind || m.seen != nil && m.seen != n || p.e.hasLeft(m) {
		return false
	}
	s := n.sight.Load()
	return m.seen != nil && m.at.IsZero() || s.has(m)
}

// hasLeft says that the primary is known to be on another line of history than m: what
// the replicas of either have is told by where the primary is.
func (e *entry) hasLeft(m *mark) bool {
	s := e.primary().sight.Load()
	return s != nil && !s.standby && s.position.Reached(m.at) == position.Unknown
}

// settle has a read of a session go where all is that the session needs, if choose has
// found no replica that is known to have it: to one that gets it in time, else to the
// primary, which must be the one of what the session has seen.
func (p *place) settle(ctx context.Context) error {
	m := p.in.needs
	if m == nil || p.member != nil || p.on != nil || m.pinned && m.at.IsZero() {
		return nil
	}
	if m.behind || m.seen != nil {
		if err := p.checkPrimary(ctx, true); err != nil || p.member != nil || p.nextOfNeeded() {
			return err
		}
	}
	if p.waits(ctx) && p.nextOfNeeded() {
		return nil
	}
	return p.checkPrimary(ctx, false)
}

// nextOfNeeded takes a replica that is known to have what the session needs by now.
func (p *place) nextOfNeeded() bool {
	return !p.primary && p.e.replicas.Len() > 0 && p.nextReplica(replicaset.Suspected)
}

// with lends a connection of the pool for a question, which ends as plain reads do where the
// node falls silent. elsewhere is as of driver.Pool.AcquireToRead.
func (s *sessions) with(ctx context.Context, elsewhere driver.Elsewhere, do func(c *driver.Conn) error) error {
	pool, err := s.open()
	if err != nil {
		return err
	}
	c, err := pool.AcquireToRead(ctx, s.wait, elsewhere)
	if err != nil {
		return err
	}
	defer c.Release()
	return do(c)
}

// look asks the server of a connection where it is.
func (n *node) look(ctx context.Context, c *driver.Conn) (*sight, error) {
	asked := time.Now()
	r, err := c.Report(ctx)
	if err != nil {
		return nil, err
	}
	return n.saw(&r, asked), nil
}

// primaryWait is how long a session waits for the primary of what it has seen to be found,
// and primaryLook how often it asks.
const (
	primaryWait = time.Second
	primaryLook = 25 * time.Millisecond
)

// checkPrimary has the place go to the primary, once that is known to be the one of the
// history that the session has seen and to have all of it. A later history takes its
// place. With now the session is told where the primary is, so that this includes what
// reads have shown. An error of asking is left to the read itself, which asks again.
func (p *place) checkPrimary(ctx context.Context, now bool) error {
	var until time.Time
	for {
		more, capped := p.route.more, p.capped
		if err := p.toPrimary(ctx, more); err != nil {
			return err
		}
		p.capped = capped
		n, m := p.node.node, p.in.needs
		if !now && n.sight.Load().has(m) {
			return nil
		}
		var s *sight
		before := p.in.session.since(p.e)
		includes := position.Unknown
		err := p.askPrimary(ctx, func(c *driver.Conn) (err error) {
			if s, err = n.look(ctx, c); err == nil && !s.standby && s.position.Reached(m.at) == position.Unknown {
				includes, err = c.Includes(ctx, m.at)
			}
			return err
		})
		switch {
		case err != nil:
			if ctx.Err() == nil {
				p.staleInSession()
			}
			return nil // the statement itself meets the same, and goes elsewhere then
		case s.standby:
		case s.has(m):
			if now {
				p.in.needs = p.in.session.captured(p.e, before, s.position, s.system, n)
			}
			return nil
		case s.after(m, n, includes):
			p.in.needs = p.in.session.rebased(p.e, m, s.position, s.system, n)
			if p.in.needs.behind || p.in.needs.seen != nil || !s.has(p.in.needs) {
				break // it has read meanwhile, somewhere
			}
			return nil
		}
		p.e.monitor.look()
		if until.IsZero() {
			until = time.Now().Add(primaryWait)
		}
		if left := time.Until(until); left <= 0 || !sleeps(ctx, min(left, primaryLook)) {
			return p.notPrimary(ctx, n)
		}
	}
}

// askPrimary has the primary, which is the place's node, asked something before the read itself.
// Where replicas may stand in for it that counts as a read, so that it is found silent as soon.
func (p *place) askPrimary(ctx context.Context, do func(c *driver.Conn) error) error {
	if !p.e.config.Reads.WhenPrimaryDown || p.e.replicas.Len() == 0 {
		return p.node.with(ctx, nil, do)
	}
	attempt := p.node.gauge(p.e).Begin()
	err := p.node.with(ctx, p, do)
	if err == nil {
		attempt.Answered()
	} else {
		attempt.GaveUp()
	}
	return err
}

// sleeps waits for d, and says whether ctx has lasted so long.
func sleeps(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// after says that the primary n, which has not got all that m tells of, is that of a later
// history, which has none of what is missing. includes says whether its history includes
// all of that, whoever has written since.
func (s *sight) after(m *mark, n *node, includes position.Answer) bool {
	switch {
	case s.system != 0 && m.system != 0 && s.system != m.system:
		return true // another database by that name
	case includes == position.Yes:
		return true
	case s.position.Timeline() != m.at.Timeline():
		return s.position.Timeline() > m.at.Timeline()
	case m.at.Timeline() != 0:
		return false
	}
	return m.writer != nil && m.writer != n // of another process it is not known which was first
}

// notPrimary is the error of a read whose session has seen what the primary has not.
func (p *place) notPrimary(ctx context.Context, n *node) error {
	if err := ctx.Err(); err != nil {
		return errorf("connection %q: looking for the primary that has what the session has seen: %w", p.e.name, err)
	}
	return errorf("connection %q: the session has seen what node %q, which is the primary as far as is known here, has not: %w", p.e.name, n.name, ErrStale)
}

// behindError says that a connection leads to a server that has not got what the session
// needs. Nothing was sent.
type behindError struct{ node string }

func (e *behindError) Error() string {
	return fmt.Sprintf("node %q has not got what the session has seen", e.node)
}

func (e *behindError) Unwrap() error { return ErrStale }

// verifies says that it matters to the session which server is behind a connection of the
// pool.
func (p *place) verifies() bool {
	return p.in.session != nil && (p.in.needs != nil || p.member != nil && p.in.session.options.MonotonicReads)
}

// verify makes sure that the server behind a connection is the one of which it is known
// what it has, and asks it otherwise: a name may lead to several servers. It returns which
// server that is, and the answer if it was asked.
func (p *place) verify(ctx context.Context, c *driver.Conn) (server string, told *driver.Report, err error) {
	m, n := p.in.needs, p.node.node
	s := n.sight.Load()
	server = c.Server()
	if server == "" || s == nil || s.server != server || p.node.opts.Pooler || m != nil && !s.has(m) && (m.seen == nil || !m.at.IsZero()) {
		asked := time.Now()
		r, err := c.Report(ctx)
		if err != nil {
			return "", nil, err
		}
		n.saw(&r, asked)
		s, server, told = &sight{server: r.Server, system: systemOf(r.System), position: r.Position}, r.Server, &r
	}
	if m != nil {
		moved := m.seen != nil && p.member != nil && m.server != server
		has := s.has(m) || m.at.IsZero()
		if p.member == nil && m.pinned && !has {
			has = s.position.Timeline() >= m.at.Timeline() // more was written than is known of
		}
		if moved || !has {
			return "", told, &behindError{n.name}
		}
	}
	return server, told, nil
}

// maxChecks is how often one read looks for another server because the one that it came
// to is behind.
const maxChecks = 3

// unlessBehind decides where a read goes that came to a server which is behind.
func (p *place) unlessBehind(ctx context.Context, behind *behindError) error {
	if p.in.checked++; p.in.checked > maxChecks {
		return errorf("connection %q: %w", p.e.name, behind)
	}
	p.in.needs = p.in.session.mark(p.e)
	if p.in.needs != nil && p.nextOfNeeded() {
		return nil
	}
	if err := p.insteadOfReplicas(ctx); err != nil {
		return err
	}
	return p.settle(ctx)
}

// staleInSession takes a replica for a read of a session that the primary should serve, if that
// is known not to answer and the connection allows it: the read may be stale.
func (p *place) staleInSession() bool {
	if !p.primaryIsDown() {
		return false
	}
	needs := p.in.needs
	p.in.needs = nil
	if p.nextReplica(replicaset.Ejected) || p.staleIsBetter() {
		p.route.Reason = "the primary does not answer"
		return true
	}
	p.in.needs = needs
	return false
}

// mayBeStale lets a read of a session that the primary has not served be stale, where the
// connection allows that.
func (p *place) mayBeStale() bool {
	if p.in.needs == nil || p.member != nil || !p.e.config.Reads.WhenPrimaryDown {
		return false
	}
	p.in.needs = nil
	return true
}
