package dbfleet

import (
	"context"
	"errors"
	"time"

	"github.com/dbfleet/dbfleet/internal/driver"
)

// begun notes what a statement means for its transaction and its session, before it is
// sent.
func (p *place) begun(ctx context.Context, s *statement) {
	in := &p.in
	if p.tx != nil && s.write && !s.turns {
		p.on.wrote.Store(true)
	}
	if in.session == nil {
		return
	}
	in.learns, in.asks, in.missed, in.server = nil, nil, false, ""
	switch {
	case p.tx != nil:
		if s.turns {
			return
		}
		if s.write {
			p.on.writesIn(in.session)
		}
		p.on.readsIn(in.session)
	case p.on != nil || p.member != nil || s.op == "connect":
	case s.write, in.session.readsFirst() && in.session.mark(p.e) == nil, in.session.options.MonotonicReads:
		in.learns = ctx
	}
}

// learn asks where the primary is, on the connection that has just written. The write is
// done, so that there is no error: what is not known is read from the primary.
func (p *place) learn(c *driver.Conn) {
	in := &p.in
	in.missed = !p.e.capture(in.learns, p.node.node, c, in.asks, in.session)
}

// positionWait is how long the question where the primary is may take: the caller waits for
// it with a write that is done.
const positionWait = 500 * time.Millisecond

// whereabouts is the question where the primary is, and what was known when it began:
// whatever comes to a session after that is not covered by the answer.
type whereabouts struct {
	before []since
	seen   *sight // what was known of the primary
	began  time.Time
}

// asks begins the question for sessions, before the statement that writes for them is sent,
// if that takes it along: it costs no round trip then. nil leaves it to capture.
func (e *entry) asks(n *node, c *driver.Conn, sessions ...*Session) *whereabouts {
	if !e.monitor.needed() || !n.sight.Load().of(c) || !c.LocateNext() {
		return nil
	}
	return e.begins(n, sessions)
}

func (e *entry) begins(n *node, sessions []*Session) *whereabouts {
	w := &whereabouts{before: make([]since, len(sessions)), seen: n.sight.Load(), began: time.Now()}
	for i, s := range sessions {
		w.before[i] = s.since(e)
	}
	return w
}

// capture tells sessions where the primary is, on a connection that has written for them.
// w is what asks has begun. It is false if that could not be found out.
func (e *entry) capture(ctx context.Context, n *node, c *driver.Conn, w *whereabouts, sessions ...*Session) bool {
	if w == nil && (!e.monitor.needed() || c.OpenRows() > 0) {
		return false // nothing but the primary is ever read here
	}
	ctx, cancel := context.WithTimeout(ctx, positionWait)
	defer cancel()
	if w == nil {
		w = e.begins(n, sessions)
	}
	r := driver.Report{Server: c.Server()}
	var err error
	if w.seen.of(c) {
		r.Position, err = c.Position(ctx)
	}
	switch {
	case err != nil:
	case r.Position.IsZero(): // nothing is known of the server yet, or what wrote has changed nothing
		r, err = c.Report(ctx)
	default:
		n.learned(w.seen, r.Position, w.began)
	}
	if err != nil || r.Position.IsZero() || r.Role == driver.RoleStandby {
		return false
	}
	system := systemOf(r.System)
	if r.System == "" && w.seen != nil {
		system = w.seen.system
	} else if r.System != "" {
		n.saw(&r, w.began)
	}
	for i, s := range sessions {
		s.captured(e, w.before[i], r.Position, system, n)
	}
	return true
}

// wasSent notes what came of the statement for the session.
func (p *place) wasSent(s *statement, err error) {
	in := &p.in
	if in.server != "" && p.member != nil && in.session.options.MonotonicReads {
		in.session.saw(p.e, p.node.node, in.server)
	}
	if p.on != nil || in.learns == nil {
		return
	}
	var q *QueryError
	switch {
	case errors.As(err, &q) && q.unknown:
		in.session.pin(p.e, true)
	case in.missed && (err == nil || err == errPanicked || errors.Is(err, ErrWritten)):
		in.session.pin(p.e, false)
	}
}

// unseen notes that what a statement outside of a transaction does, or will do, is not
// seen by its session: rows that the caller reads, which may be the longer part of a
// write, or a statement that is prepared. The context that it returns is the statement's.
func (p *place) unseen(ctx context.Context, s *statement) context.Context {
	session := p.in.session
	if session == nil || p.member != nil || p.guarded && !session.options.MonotonicReads {
		return ctx
	}
	p.in.learns = nil
	writes := !p.guarded && p.e.reg.plain.refuse("", s.text, p.e.dialect) != nil
	if !writes && !session.options.MonotonicReads {
		return ctx
	}
	session.pin(p.e, writes && s.op == "prepare")
	e := p.e
	return driver.WhenRead(ctx, func() { session.pin(e, false) })
}

// ranPrepared notes that a statement which was prepared outside of a transaction was run with
// ctx, whichever context it was prepared with. Its text tells whether that counts as a
// write. Where the primary is by then is not asked, so that the session reads it from
// there until its next write of another kind.
func (e *entry) ranPrepared(ctx context.Context, text string, err error) {
	session := txsOf(ctx).wants().session
	if session == nil {
		return
	}
	unknown := err != nil && driver.Classify(err).Unanswered
	if err != nil && !unknown {
		return // it has done nothing
	}
	writes := e.reg.plain.refuse("", text, e.dialect) != nil
	if writes || session.options.MonotonicReads {
		session.pin(e, writes && unknown)
	}
}

// runsPrepared notes that a statement which was prepared in a transaction, or on what Conn
// lends, is run with ctx, whichever context it was prepared with.
func (h *held) runsPrepared(ctx context.Context, text string) {
	session := txsOf(ctx).wants().session
	if session == nil {
		return
	}
	if h.e.reg.plain.refuse("", text, h.e.dialect) != nil {
		h.writesIn(session)
		if h.pinned {
			session.pin(h.e, false) // until it ends
		}
	}
	h.readsIn(session)
}

// writesIn notes that a transaction, or what Conn lends, writes for a session: it gets the
// position at the end.
func (h *held) writesIn(s *Session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, known := range h.sessions {
		if known == s {
			return
		}
	}
	h.sessions = append(h.sessions, s)
}

// readsIn notes that a transaction, or what Conn lends, reads at the primary for a session.
// With MonotonicReads that counts as writes do, and also if it is rolled back.
func (h *held) readsIn(s *Session) {
	if s.options.MonotonicReads {
		h.writesIn(s)
		s.pin(h.e, false) // until it ends
	}
}

// endsFor has the session of a context that ends a transaction, or a savepoint, know what
// was written in it with other contexts.
func (h *held) endsFor(ctx context.Context) {
	if s := SessionOf(ctx); s != nil && h.wrote.Load() {
		h.writesIn(s)
	}
}

// writers are the sessions that have written so far, or read what counts as that.
func (h *held) writers() []*Session {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.sessions
}

// learn tells the sessions of a transaction that was committed where the primary is, or
// those of a Conn at its end. The gate is held.
func (h *held) learn(ctx context.Context, w *whereabouts) {
	if list := h.writers(); len(list) > 0 {
		h.learned = h.e.capture(ctx, h.node.node, h.conn, w, list...)
	}
}

// asks begins the question of learn, before COMMIT is sent. The gate is held.
func (h *held) asks() *whereabouts {
	if list := h.writers(); len(list) > 0 {
		return h.e.asks(h.node.node, h.conn, list...)
	}
	return nil
}

// settleSessions tells sessions of a transaction that has ended what they did not learn.
// pending says that it is committed and not everywhere yet.
func (st *txState) settleSessions(how outcome, pending bool) {
	if how == committed && st.learned {
		return
	}
	for _, s := range st.writers() {
		switch {
		case how != rolledBack:
			s.pin(st.e, how == unknownOutcome || pending)
		case s.options.MonotonicReads: // what it has read is there still
			s.pin(st.e, false)
		}
	}
}
