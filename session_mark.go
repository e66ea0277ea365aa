package dbfleet

import (
	"hash/fnv"
	"time"

	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/position"
)

// mark is what a session has seen of one connection. It is not changed once it is in a
// session: another takes its place.
type mark struct {
	reg        *Registry
	connection string

	at     position.Position // reads need all up to there; zero is nothing
	system uint64            // whose history that is, 0 for not known
	writer *node             // that was the primary then, nil for not known

	// pinned says that the session has written more than at tells, so that the primary is
	// read until a position is known; with lasting none ever is.
	pinned, lasting bool
	// behind says that the session has read more than at tells: where the primary is now
	// is asked before the next read.
	behind bool
	// seen is the replica of the last read where reads are monotonic, and server which of
	// the servers behind it; nil where at has all that was read.
	seen   *node
	server string
}

// of says that the mark is of a connection.
func (m *mark) of(r *Registry, connection string) bool {
	return m.reg == r && m.connection == connection
}

// mark is what the session has seen of a connection, nil for nothing.
func (s *Session) mark(e *entry) *mark {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.markLocked(e.reg, e.name)
}

func (s *Session) markLocked(r *Registry, connection string) *mark {
	for _, m := range s.marks {
		if m.of(r, connection) {
			return m
		}
	}
	return nil
}

// changeLocked puts a changed copy of the connection's mark in its place. s.mu is held.
func (s *Session) changeLocked(r *Registry, connection string, change func(m *mark)) *mark {
	for i, m := range s.marks {
		if m.of(r, connection) {
			next := *m
			change(&next)
			s.marks[i] = &next
			return &next
		}
	}
	m := &mark{reg: r, connection: connection}
	change(m)
	s.marks = append(s.marks, m)
	return m
}

// since is what a session was like before a position was asked for: what has come to it
// meanwhile is not covered by that.
type since struct {
	mark  *mark
	reads uint64
}

func (s *Session) since(e *entry) since {
	s.mu.Lock()
	defer s.mu.Unlock()
	return since{s.markLocked(e.reg, e.name), s.reads}
}

// captured notes where the primary was: all that the session has seen before is part of
// that.
func (s *Session) captured(e *entry, before since, at position.Position, system uint64, writer *node) *mark {
	s.mu.Lock()
	defer s.mu.Unlock()
	same := s.markLocked(e.reg, e.name) == before.mark
	reads := s.reads
	return s.changeLocked(e.reg, e.name, func(m *mark) {
		if m.system != 0 && system != 0 && m.system != system {
			m.at = position.Position{} // of another database
		}
		m.forward(at)
		m.system, m.writer = system, writer
		if !same {
			return
		}
		m.pinned = m.lasting
		if reads == before.reads {
			m.behind, m.seen, m.server = false, nil, ""
		}
	})
}

// forward has the mark include at as well. Of two histories the later one counts.
func (m *mark) forward(at position.Position) {
	merged, ok := m.at.Merge(at)
	switch {
	case ok:
		m.at = merged
	case at.Timeline() >= m.at.Timeline():
		m.at = at
	}
}

// rebased replaces what the session needs by where the primary is now: the history that
// it has seen has ended, and this one is the truth.
func (s *Session) rebased(e *entry, from *mark, at position.Position, system uint64, writer *node) *mark {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := s.markLocked(e.reg, e.name); now != from {
		return now // and the next read rebases that
	}
	return s.changeLocked(e.reg, e.name, func(m *mark) {
		m.at, m.system, m.writer = at, system, writer
		m.pinned, m.behind, m.seen, m.server = m.lasting, false, nil, ""
	})
}

// pin has the session read the connection from the primary, until a position is captured;
// if it is lasting for ever.
func (s *Session) pin(e *entry, lasting bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changeLocked(e.reg, e.name, func(m *mark) { // also where it was: what was captured since is not enough
		m.pinned, m.lasting = true, m.lasting || lasting
	})
}

// saw notes that a read was served by one of the servers behind a replica.
func (s *Session) saw(e *entry, n *node, server string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads++
	if m := s.markLocked(e.reg, e.name); m != nil && m.seen == n && m.server == server {
		return
	}
	s.changeLocked(e.reg, e.name, func(m *mark) {
		if m.seen != nil { // reads at two at the same time: which of them is ahead is not known
			m.behind, m.seen, m.server = true, nil, ""
			return
		}
		m.seen, m.server = n, server
	})
}

// sight is what is known of a node from asking it, on whichever connection.
type sight struct {
	server   string
	system   uint64
	standby  bool
	position position.Position // at least
	asked    time.Time         // when the question began of which this is the answer
}

// systemOf is a short name of whose history it is, 0 for not known.
func systemOf(system string) uint64 {
	if system == "" {
		return 0
	}
	h := fnv.New64a()
	h.Write([]byte(system))
	return max(h.Sum64(), 1)
}

// saw notes what the node has answered to a question that began at a time, and returns what is
// known then of the server that has answered. Nothing older replaces what is newer: of one
// history that is told by the positions, of several by when was asked. An answer may come
// late, from before the first write of a server that was promoted.
func (n *node) saw(r *driver.Report, asked time.Time) *sight {
	next := &sight{server: r.Server, system: systemOf(r.System), standby: r.Role == driver.RoleStandby, position: r.Position, asked: asked}
	for {
		old := n.sight.Load()
		if old != nil {
			same := old.server == next.server && old.system == next.system && old.standby == next.standby
			switch {
			case same && old.position.Reached(next.position) == position.Yes:
				return old
			case asked.Before(old.asked) && !(same && next.position.Reached(old.position) == position.Yes):
				return next
			}
		}
		if n.sight.CompareAndSwap(old, next) {
			return next
		}
	}
}

// learned notes how far the server of which s is known has got, as saw does.
func (n *node) learned(s *sight, at position.Position, asked time.Time) {
	for {
		old := n.sight.Load()
		if old == nil || old.server != s.server || old.system != s.system || old.position.Reached(at) == position.Yes ||
			asked.Before(old.asked) && at.Reached(old.position) != position.Yes {
			return
		}
		next := *old
		next.standby, next.position, next.asked = false, at, asked
		if n.sight.CompareAndSwap(old, &next) {
			return
		}
	}
}

// of says that it is known of the server that the connection leads to.
func (s *sight) of(c *driver.Conn) bool {
	return s != nil && s.server != "" && s.server == c.Server()
}

// has says whether the node is known to have all that m tells of.
func (s *sight) has(m *mark) bool {
	return s != nil && s.server != "" && (m.system == 0 || s.system == 0 || s.system == m.system) && s.position.Reached(m.at) == position.Yes
}
